"""A handler that does what its job says, attempt by attempt: `{"acts": ["exit", "answer"], "text": "..."}`.

| act | what the handler does |
|---|---|
| `answer` | calls the model with the text and returns its answer |
| `pay and fail` | calls the model, and raises |
| `fail` | raises an exception |
| `later` | asks to be run again in a second |
| `give up` | gives up |
| `hang` | sleeps for a minute |
| `exit` | ends the process, as a crash of native code would |
| `set` | returns a set |
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from ai_jobs.handlers import GiveUp, RetryLater

if TYPE_CHECKING:
    from ai_jobs.handlers import Context, Job


def run(job: Job, context: Context) -> Any:
    acts = job.input["acts"]
    act = acts[min(job.attempt, len(acts)) - 1]
    context.logger.info("acting", extra={"act": act})
    if act == "later":
        raise RetryLater(1, reason="on cue")
    if act == "give up":
        raise GiveUp("on cue")
    if act == "hang":
        time.sleep(60)
    if act == "exit":
        os._exit(1)
    if act == "set":
        return {1}
    if act == "fail":
        raise ValueError("on cue")
    answer = context.converse(job.input["text"]).text
    if act == "pay and fail":
        raise ValueError("on cue, after the model was paid")
    return answer
