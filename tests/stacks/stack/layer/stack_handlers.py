"""The job types' own functions of the tests' stack."""

from __future__ import annotations

import os
import time

from ai_jobs.handlers import Context, GiveUp, InvalidInput, Job, RetryLater


def work(job: Job, context: Context) -> dict[str, object]:
    """Ask the model for what the input says, and do what it says besides, in the first attempt only."""
    cue = job.input.get("cue") if job.attempt == 1 else None
    if cue == "hang":
        time.sleep(60)
    answer = context.converse(job.input["text"])
    if cue == "crash":
        os._exit(1)
    if cue == "later":
        raise RetryLater(1)
    if job.input.get("cue") == "give up":
        raise GiveUp("The handler gives up.")
    if job.input.get("cue") == "invalid":
        raise InvalidInput("cue")
    if job.input.get("cue") == "a set":
        return {"text"}  # type: ignore[return-value]  # what the worker makes of it is the point
    return {"text": answer.text, "attempt": job.attempt, "seconds": context.seconds_left()}
