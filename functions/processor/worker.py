"""One message of the request queue, from receipt to verdict."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Literal

from aws_lambda_powertools import Logger

from ai_jobs.aws import objects
from ai_jobs.aws.queues import ReceivedMessage, change_visibility, send_ai_job_result
from ai_jobs.contract import timestamps
from ai_jobs.contract.body import size_in_message
from ai_jobs.contract.errors import AIJobsError, AWSError, ErrorClass, JobError
from ai_jobs.contract.request import AIJobMessage, ReceivedJob, denied_since, known_job_id
from ai_jobs.contract.result import AIJobResultMessage, JobResult
from ai_jobs.contract.row import JobStatus
from ai_jobs.contract.rules import INLINE_LIMIT_BYTES
from ai_jobs.service import metrics
from ai_jobs.service.budget import Budget
from ai_jobs.service.dead_letters import send_to_dlq
from ai_jobs.service.delayed_copies import send_delayed_copy
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.job_types import JobType, JobTypes, Prompt
from ai_jobs.service.model import call_model
from ai_jobs.service.outcomes import Claimed, ClaimTerms, Refusal, Running
from ai_jobs.service.safe_logging import describe
from ai_jobs.service.settings import ProcessorSettings

logger = Logger()

MARGIN_SECONDS = 10
"""What a function keeps back for sending results after the last model call; modules/ai-jobs checks that it fits."""

_RETRY_BASE_SECONDS = 30

# A model call that ends so was refused before any work: it cost no tokens, and says nothing about the model's speed.
_REFUSED_UNWORKED = (ErrorClass.THROTTLED, ErrorClass.OPERATOR)

# What a model or guardrail answers that was replaced: workers keep the job types of before for up to
# `config_max_age_seconds`, while the role's policy changes at once.
_MAYBE_REPLACED = ("MODEL_ACCESS_DENIED", "MODEL_NOT_FOUND")


class Disposition(Enum):
    """What becomes of the message."""

    DONE = "done"
    COMES_BACK = "comes back"


@dataclass(frozen=True)
class _Attempt:
    """A claimed job, or one whose claim failed (`claim` is None)."""

    message: ReceivedMessage
    job: ReceivedJob
    started_at: datetime
    claim: Claimed | None = None

    def log_fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "jobId": self.job.job_id,
            "userId": self.job.user_id,
            "jobType": self.job.job_type,
        }
        trace = {"traceId": self.job.trace_id} if self.job.trace_id else {}
        return fields | trace | ({"attempt": self.claim.attempt} if self.claim else {})


def _job_in(message: ReceivedMessage) -> ReceivedJob:
    return ReceivedJob.parse(
        message.body, message.attributes, message.message_id, message.sent_at, message.trace_header
    )


class Worker:
    """Works on messages within one invocation of the function; safe to share between its threads.

    Args:
        ends_at: when Lambda will end this invocation; the leases end then.
        budget: how many tokens the day's jobs may use.
        reread: gives the job types as they are now, when those at hand may be outdated.
        model: makes the model call.
        clock: gives the current time.
        jitter: picks a number of seconds between two bounds.
    """

    def __init__(
        self,
        settings: ProcessorSettings,
        store: JobStore,
        budget: Budget,
        reread: Callable[[], JobTypes],
        ends_at: datetime,
        model: Callable[..., JobResult] = call_model,
        clock: Callable[[], datetime] = timestamps.now,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.settings = settings
        self._store = store
        self._budget = budget
        self._reread = reread
        self._ends_at = ends_at
        self._model = model
        self._clock = clock
        self._jitter = jitter

    def seconds_left(self) -> float:
        """How long jobs may still be waited for before the results of the rest are in danger."""
        return max(0.0, (self._ends_at - self._clock()).total_seconds() - MARGIN_SECONDS / 2)

    def work_on(self, message: ReceivedMessage, job_types: JobTypes | JobError) -> Disposition:
        """Bring one message to its verdict.

        Args:
            job_types: the configuration, or why there is none.

        Raises:
            AWSError: when SQS took neither result, copy nor dead letter: the message must come back.
        """
        try:
            job = _job_in(message)
        except JobError as error:
            logger.error("message is no job", extra={"messageId": message.message_id, "errorCode": error.code})
            metrics.count_failure(error.error_class)
            known = known_job_id(message.body, message.attributes)
            send_to_dlq(self.settings.request_dlq_url, message, known, error, self._clock())
            return Disposition.DONE
        attempt = _Attempt(message, job, self._clock())
        try:
            claim = self._store.claim(job, message.message_id, self._terms(job, job_types))
        except JobError as error:
            return self._settle(attempt, error)
        if isinstance(claim, Claimed):
            if claim.attempt == 1:
                waited = attempt.started_at - job.first_sent_at
                metrics.emit({metrics.QUEUE_WAIT: metrics.milliseconds(waited)}, job.job_type, job.job_id)
            return self._attempt(replace(attempt, claim=claim), claim, job_types)
        return self._stand_back(attempt, claim)

    def put_off(self, message: ReceivedMessage) -> Disposition:
        """Let a delayed copy take the place of a message that nobody got to; one that can't be copied comes back."""
        if (self._ends_at - self._clock()).total_seconds() < 1:
            return Disposition.COMES_BACK
        try:
            job = _job_in(message)
            return self._postpone(_Attempt(message, job, self._clock()))
        except AIJobsError as error:
            logger.warning("message not put off", extra={"messageId": message.message_id} | describe(error))
            return Disposition.COMES_BACK

    def _terms(self, job: ReceivedJob, job_types: JobTypes | JobError) -> ClaimTerms:
        return ClaimTerms(
            lease_expires_at=self._ends_at,
            deadline_seconds=job.deadline_seconds(self.settings.default_deadline_seconds),
            grace_seconds=2 * self.settings.visibility_timeout_seconds,
            config_version=job_types.version if isinstance(job_types, JobTypes) else None,
        )

    def _stand_back(self, attempt: _Attempt, claim: Running | Refusal) -> Disposition:
        message, fields = attempt.message, attempt.log_fields()
        if isinstance(claim, Running):
            # Not deleted: it may be the only copy left if the worker that runs the job is killed.
            wait = (claim.lease_expires_at - self._clock()).total_seconds() + 1
            logger.info("job is running elsewhere, message deferred", extra=fields)
            change_visibility(self.settings.request_queue_url, message.receipt_handle, int(wait))
            return Disposition.COMES_BACK
        if claim is Refusal.FINISHED:
            logger.info("job is finished, repeated message dropped", extra=fields)
            return Disposition.DONE
        error = JobError("JOB_ID_CONFLICT", "another job has this jobId: choose a new one", "jobId")
        logger.error("job id is taken by another job", extra=fields | {"errorCode": error.code})
        metrics.count_failure(error.error_class)
        self._dead_letter(attempt, error, self._clock())
        return Disposition.DONE

    def _attempt(self, attempt: _Attempt, claim: Claimed, job_types: JobTypes | JobError) -> Disposition:
        try:
            result = self._run(attempt.job, claim, job_types)
            self._report_result(attempt, claim, result)
        except JobError as error:
            return self._settle(attempt, error)
        except AWSError:
            # The result is lost with this attempt, so the job must be free for the next.
            self._release(attempt)
            raise
        except Exception as error:  # noqa: BLE001  # the boundary: a bug must not keep the job's lease
            logger.error("job broke the worker", extra=attempt.log_fields() | describe(error))
            return self._settle(attempt, JobError("INTERNAL_ERROR", "the worker broke on this job"))
        logger.info("job completed", extra=attempt.log_fields() | {"model": result.model})
        return Disposition.DONE

    def _run(self, job: ReceivedJob, claim: Claimed, job_types: JobTypes | JobError) -> JobResult:
        checked = job.validated()
        if isinstance(job_types, JobError):
            raise JobError(job_types.code, job_types.message)
        job_type = job_types.get(checked.job_type)
        job_input = self._input_of(checked)
        try:
            return self._call(checked, job_type, job_type.prepare(job_input), claim)
        except JobError as error:
            replacement = self._replacement(job_type, claim) if error.code in _MAYBE_REPLACED else None
            if replacement is None:
                raise
        logger.info("model was replaced", extra={"jobId": checked.job_id, "model": replacement.model_id})
        return self._call(checked, replacement, replacement.prepare(job_input), claim)

    def _replacement(self, job_type: JobType, claim: Claimed) -> JobType | None:
        """What the job's type has become, where that calls something else and there is time to call it.

        Raises:
            JobError: when the type is not there any more, or is broken now: jobs of later batches fail so too.
        """
        try:
            self._check_time(job_type, claim)
        except JobError:
            return None
        current = self._reread().get(job_type.name)
        return None if current.called == job_type.called else current

    def _check_time(self, job_type: JobType, claim: Claimed) -> None:
        if self._clock() >= claim.deadline_at:
            deadline = timestamps.to_text(claim.deadline_at)
            raise JobError("DEADLINE_EXCEEDED", f"the job could not be started by {deadline}")
        if (self._ends_at - self._clock()).total_seconds() < job_type.timeout_seconds + MARGIN_SECONDS:
            raise JobError("NOT_ENOUGH_TIME", "the function has not enough time left for this model call")

    def _input_of(self, job: AIJobMessage) -> dict[str, Any]:
        if job.input_location is None:
            return job.input
        return objects.read_input(self.settings.bucket, job.input_location)

    def _call(self, job: AIJobMessage, job_type: JobType, prompt: Prompt, claim: Claimed) -> JobResult:
        reservation = self._budget.reserve(job.user_id, job_type.max_tokens)
        used = 0
        try:
            # Here and not before: everything up to this line may have taken its time.
            self._check_time(job_type, claim)
            used = reservation.tokens  # what a call costs that ends in an unknown way
            result = self._measured_call(job, job_type, prompt)
            used = result.usage.input_tokens + result.usage.output_tokens
            return result
        except JobError as error:
            if error.error_class in _REFUSED_UNWORKED:
                used = 0
            raise
        finally:
            try:
                self._budget.settle(reservation, used)
            except JobError as error:
                # Not fatal: the call stays counted with all that it was allowed to use.
                logger.warning("budget not settled", extra={"userId": job.user_id, "errorCode": error.code})

    def _measured_call(self, job: AIJobMessage, job_type: JobType, prompt: Prompt) -> JobResult:
        started = time.monotonic()
        try:
            result = self._model(job_type, prompt)
        except JobError as error:
            if error.code == "MODEL_THROTTLED":
                metrics.count(metrics.MODEL_THROTTLES)
            if error.error_class not in _REFUSED_UNWORKED:
                metrics.emit({metrics.MODEL_LATENCY: (time.monotonic() - started) * 1000}, job_type.name, job.job_id)
            raise
        usage = result.usage
        values: dict[str, float] = {
            metrics.MODEL_LATENCY: (time.monotonic() - started) * 1000,
            metrics.INPUT_TOKENS: usage.input_tokens,
            metrics.OUTPUT_TOKENS: usage.output_tokens,
        }
        price = self.settings.prices.get(job_type.model_id)
        if price:
            values[metrics.ESTIMATED_COST] = price.of(usage)
        metrics.emit(values, job_type.name, job.job_id)
        return result

    def _report_result(self, attempt: _Attempt, claim: Claimed, result: JobResult) -> None:
        document = result.to_document()
        if size_in_message(document) <= INLINE_LIMIT_BYTES:
            self._report(attempt, claim, "completed", result=document)
            return
        job = attempt.job
        try:
            location = objects.put_result(self.settings.bucket, job.user_id, job.job_id, document)
        except JobError as error:
            # The model has been paid: each further try costs as much, so that they must be as few as receives.
            raise JobError("RESULT_NOT_STORED", f"the result could not be stored: {error.message}") from error
        self._report(attempt, claim, "completed", location=location, model=result.model, usage=document["usage"])

    def _report(
        self,
        attempt: _Attempt,
        claim: Claimed,
        status: Literal["completed", "failed"],
        *,
        result: dict[str, Any] | None = None,
        location: dict[str, Any] | None = None,
        model: str | None = None,
        usage: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
        ended_at: datetime | None = None,
    ) -> None:
        ended_at = ended_at or self._clock()
        message = AIJobResultMessage(
            job_id=attempt.job.job_id,
            user_id=attempt.job.user_id,
            job_type=attempt.job.job_type,
            status=status,
            attempt=claim.attempt,
            result=result,
            result_location=location,
            error=error,
            timestamp=ended_at,
            processing_time=round((ended_at - attempt.started_at).total_seconds() * 1000),
            trace_id=attempt.job.trace_id,
            model=model,
            usage=usage,
        )
        trace_header = attempt.message.trace_header
        send_ai_job_result(message, queue_url=self.settings.response_queue_url, trace_header=trace_header)

    def _settle(self, attempt: _Attempt, error: JobError) -> Disposition:
        """Do what the error's class asks for (ai_jobs.contract.errors)."""
        if self._clock() >= self._ends_at:
            # A thread that woke up in a later invocation: the message is in other hands by now.
            raise AIJobsError("the invocation that this job belongs to is over", "InvocationOver")
        waiting = self._access_pending(attempt, error) or error
        final = self._exhausted(attempt, waiting) or waiting
        logger.warning(
            "attempt failed",
            extra=attempt.log_fields()
            | {"errorCode": final.code, "errorClass": final.error_class, "cause": error.code},
        )
        metrics.count_failure(final.error_class)
        if final.code == "BUDGET_EXHAUSTED":
            metrics.count(metrics.BUDGET_WAITS)
        if final.error_class is ErrorClass.THROTTLED:
            return self._postpone(attempt, final)
        if final.error_class is ErrorClass.TRANSIENT:
            return self._retry(attempt)
        if final.code == "DEADLINE_EXCEEDED":
            attempt = self._uncounted(attempt)
        # The dead letter first: once the row is `failed`, a message that comes back is taken for a duplicate. Both name
        # the same moment: a redrive that comes between them was sent after it.
        failed_at = self._clock()
        if final.error_class is not ErrorClass.INVALID:
            if attempt.claim and self._was_cancelled(attempt):
                return Disposition.DONE
            self._dead_letter(attempt, final, failed_at)
        if attempt.claim:
            self._report(attempt, attempt.claim, "failed", error=final.to_body(), ended_at=failed_at)
        return Disposition.DONE

    def _uncounted(self, attempt: _Attempt) -> _Attempt:
        """The attempt, after its row was told that all it did was wait until the deadline."""
        if attempt.claim is None:
            return attempt
        self._release(attempt, work_began=False)
        return replace(attempt, claim=replace(attempt.claim, calls=attempt.claim.calls - 1))

    def _was_cancelled(self, attempt: _Attempt) -> bool:
        """Did its caller cancel it meanwhile? Then nobody wants it from the DLQ."""
        try:
            row = self._store.find(attempt.job.job_id)
        except JobError as error:
            logger.warning("not known whether cancelled", extra=attempt.log_fields() | {"errorCode": error.code})
            return False
        return row is not None and row["status"] == JobStatus.CANCELLED

    def _dead_letter(self, attempt: _Attempt, error: JobError, failed_at: datetime) -> None:
        job = attempt.job
        send_to_dlq(
            self.settings.request_dlq_url,
            attempt.message,
            job.job_id,
            error,
            failed_at,
            user_id=job.user_id,
            attempts=attempt.claim.calls if attempt.claim else None,
        )

    def _exhausted(self, attempt: _Attempt, error: JobError) -> JobError | None:
        last = f"last error {error.code}: {error.message}"
        if error.error_class is ErrorClass.THROTTLED and self._clock() >= self._deadline(attempt):
            return JobError("DEADLINE_EXCEEDED", f"gave up at the job's deadline; {last}")
        receives = attempt.message.receive_count
        if error.error_class is ErrorClass.TRANSIENT and receives >= self.settings.max_receive_count:
            return JobError("RETRIES_EXHAUSTED", f"gave up after {receives} attempts; {last}")
        return None

    def _access_pending(self, attempt: _Attempt, error: JobError) -> JobError | None:
        """A denial is an operator's error only if it lasts: permissions and Marketplace agreements take their time."""
        if error.code != "MODEL_ACCESS_DENIED":
            return None
        now = self._clock()
        patience = timedelta(seconds=self.settings.model_access_wait_seconds)
        if now - denied_since(attempt.message.attributes, now) >= patience:
            return None
        return JobError("MODEL_ACCESS_PENDING", error.message)

    def _deadline(self, attempt: _Attempt) -> datetime:
        if attempt.claim:
            return attempt.claim.deadline_at
        job = attempt.job
        return job.first_sent_at + timedelta(seconds=job.deadline_seconds(self.settings.default_deadline_seconds))

    def _postpone(self, attempt: _Attempt, error: JobError | None = None) -> Disposition:
        """Let a delayed copy take the message's place: waiting out a throttle must not cost a receive."""
        job = attempt.job
        is_denied = error is not None and error.code == "MODEL_ACCESS_PENDING"
        try:
            copy_id = send_delayed_copy(
                self.settings.request_queue_url,
                attempt.message,
                job.job_id,
                job.user_id,
                self.settings.max_backoff_seconds,
                self._jitter,
                denied_since(attempt.message.attributes, self._clock()) if is_denied else None,
            )
        except ValueError:
            # So close to SQS's limit that these attributes are too much: it has to wait as it is, and costs a receive.
            reason = f" ({error.code}: {error.message})" if error else ""
            return self._settle(
                attempt, JobError("NO_ROOM_TO_WAIT", f"the message is too large to wait as a delayed copy{reason}")
            )
        self._release(attempt, copy_id, work_began=False)
        return Disposition.DONE

    def _retry(self, attempt: _Attempt) -> Disposition:
        ceiling = min(self.settings.max_backoff_seconds, _RETRY_BASE_SECONDS * 2 ** (attempt.message.receive_count - 1))
        self._release(attempt)
        change_visibility(
            self.settings.request_queue_url, attempt.message.receipt_handle, int(self._jitter(ceiling / 2, ceiling))
        )
        return Disposition.COMES_BACK

    def _release(self, attempt: _Attempt, copy_id: str | None = None, *, work_began: bool = True) -> None:
        if attempt.claim is None:
            return
        try:
            self._store.release(attempt.job.job_id, attempt.claim.attempt, copy_id, work_began=work_began)
        except JobError as error:
            # Not fatal: the lease ends with this invocation.
            logger.warning("lease not released", extra=attempt.log_fields() | {"errorCode": error.code})
