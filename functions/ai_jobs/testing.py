"""Runs a handler without AWS, for tests: with the service's own code, except that the model's answers are given.

    from ai_jobs.testing import run_handler
    from acme_jobs.reports import summarize

    def test_summarize():
        result = run_handler(summarize, {"pages": ["..."]}, model=["A summary."])
        assert result.json == {"summary": "A summary."}

It needs the libraries with which the service validates input: the extra `ai-jobs[functions]`.
"""

from __future__ import annotations

import logging
import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ai_jobs.contract.attachments import Attachment, media_type_of
from ai_jobs.contract.documents import to_json
from ai_jobs.contract.errors import JobError, plural
from ai_jobs.contract.limits import BUCKET, LIMITS
from ai_jobs.contract.request import AIJobMessage, ReceivedJob
from ai_jobs.contract.result import JobResult, Usage
from ai_jobs.handlers import Handler, Job
from ai_jobs.service.budget import estimated_tokens
from ai_jobs.service.conversation import Answer, Conversation
from ai_jobs.service.handler_code import check_handler
from ai_jobs.service.handler_context import HandlerContext
from ai_jobs.service.handler_run import run_handler as _run
from ai_jobs.service.job_type import JobType
from ai_jobs.service.job_type_document import read_job_type
from ai_jobs.service.model_settings import OutputRules
from ai_jobs.service.structured_output import document_in

_JOB_TYPE = "test"
_MODEL = "scripted"
_DEADLINE = timedelta(hours=6)


@dataclass
class ScriptedModel:
    """A model whose answers are known in advance.

    Attributes:
        answers: one for each call, in order: a string for a text, a dict for a JSON document, or a JobError, such as
            `JobError("MODEL_THROTTLED", "Too many requests.")`, which the call raises.
        prompts: the prompts of the calls so far.
        systems: their system prompts; None for a call without one.
        attachments: the names of the files that went with each.
    """

    answers: Sequence[str | Mapping[str, Any] | JobError] = ()
    prompts: list[str] = field(default_factory=list)
    systems: list[str | None] = field(default_factory=list)
    attachments: list[list[str]] = field(default_factory=list)

    def call(self, model_id: str, conversation: Conversation, output: OutputRules | None) -> Answer:
        """Answer one call; stands in for `ai_jobs.service.model.call_model`."""
        prompt = conversation.prompt
        self.prompts.append(prompt.user)
        self.systems.append(prompt.system)
        self.attachments.append([file.attachment.name for file in prompt.files if isinstance(file, _TestFile)])
        if len(self.prompts) > len(self.answers):
            raise JobError("MODEL_ERROR", self.problem())
        answer = self.answers[len(self.prompts) - 1]
        if isinstance(answer, JobError):
            raise answer
        return _answer(answer, model_id, estimated_tokens(prompt.system, prompt.user), output)

    def problem(self) -> str:
        """Why the script does not fit the handler's calls; empty if it does."""
        calls, answers = len(self.prompts), len(self.answers)
        return (
            f"The handler made {plural(calls, 'model call')}, but model has {plural(answers, 'answer')}."
            if calls > answers
            else ""
        )


def run_handler(
    handler: Handler,
    job_input: Mapping[str, Any],
    *,
    model: ScriptedModel | Iterable[str | Mapping[str, Any] | JobError] = (),
    attachments: Mapping[str, bytes] | None = None,
    input_schema: Mapping[str, Any] | None = None,
    output_schema: Mapping[str, Any] | None = None,
    seconds: float = 60,
    user_id: str = "user-1",
    attempt: int = 1,
) -> JobResult:
    """Run a handler as a worker would, and return the job's result.

    Args:
        model: the model's answers, in order. Pass a `ScriptedModel` to look at the prompts afterward.
        attachments: the job's files by name. Their types follow from the names.
        input_schema, output_schema: the type's schemas (as dicts); the input schema's defaults are filled in.
        seconds: the handler's time limit.
        attempt: as if the job had been tried before.

    Raises:
        JobError: with which the worker would end or postpone the attempt. What the handler raised is its cause.
        MisconfiguredError: when a schema can't be used.
        AssertionError: when the handler calls the model more often than `model` has answers.
    """
    scripted = model if isinstance(model, ScriptedModel) else ScriptedModel(list(model))
    job_type = _job_type(input_schema, output_schema)
    function = check_handler(handler, job_type)
    files = [_TestFile(_attachment(name, content), content) for name, content in (attachments or {}).items()]
    job = _job(job_type, job_input, user_id, attempt, files)
    context = HandlerContext(job, job_type, scripted.call, files, logging.getLogger(__name__), seconds)
    try:
        return _run(function, job, job_type, context)
    finally:
        # Whatever the handler made of it.
        if problem := scripted.problem():
            raise AssertionError(problem)


def _job_type(input_schema: Mapping[str, Any] | None, output_schema: Mapping[str, Any] | None) -> JobType:
    document = {
        "modelId": _MODEL,
        "handler": "tested:handler",
        "maxTokens": LIMITS["model_max_tokens"].max,
        "timeoutSeconds": LIMITS["model_timeout_seconds"].max,
        "inputSchema": input_schema if input_schema is not None else {"type": "object"},
        "outputSchema": output_schema,
    }
    return read_job_type(_JOB_TYPE, document)


def _job(
    job_type: JobType, job_input: Mapping[str, Any], user_id: str, attempt: int, files: Sequence[_TestFile]
) -> Job:
    received = ReceivedJob.of(AIJobMessage(user_id, job_type.name, dict(job_input)))
    received.check()
    return Job(
        id=received.job_id,
        user_id=user_id,
        job_type=job_type.name,
        input=job_type.checked(received.input),
        attachments=tuple(file.attachment for file in files),
        created_at=received.created_at,
        deadline_at=received.created_at + _DEADLINE,
        attempt=attempt,
        trace_id=received.trace_id,
    )


@dataclass(frozen=True)
class _TestFile:
    """`ai_jobs.service.handler_context.JobFile` for a file that is only in memory."""

    attachment: Attachment
    _content: bytes

    @property
    def estimated_tokens(self) -> int:
        return 0

    def content(self) -> bytes:
        return self._content

    def content_block(self, model_id: str) -> dict[str, Any]:
        raise NotImplementedError("A scripted model reads no files.")


def _attachment(name: str, content: bytes) -> Attachment:
    media_type = media_type_of(name) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Attachment(name, media_type, len(content), f"{BUCKET['uploads_prefix']}{name}")


def _answer(answer: str | Mapping[str, Any], model_id: str, input_tokens: int, output: OutputRules | None) -> Answer:
    text = answer if isinstance(answer, str) else to_json(answer)
    content = [{"text": text}]
    document = document_in(content, text) if output else None
    usage = Usage(input_tokens, estimated_tokens(text))
    return Answer(text, document, model_id, usage, "end_turn", truncated=False, content=content)
