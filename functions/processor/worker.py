"""One message of the request queue, from receipt to verdict."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Literal

from aws_lambda_powertools import Logger

from ai_jobs.aws import objects
from ai_jobs.aws.batch_sender import BatchSender
from ai_jobs.aws.queues import ReceivedMessage, change_visibility
from ai_jobs.contract import documents, timestamps
from ai_jobs.contract.body import fits_in_message
from ai_jobs.contract.errors import JOB_ID_TAKEN, AIJobsError, AWSError, ErrorClass, JobError
from ai_jobs.contract.request import ReceivedJob, denied_since, known_job_id
from ai_jobs.contract.result import AIJobResultMessage, JobResult
from ai_jobs.contract.row import JobStatus
from ai_jobs.service import metrics
from ai_jobs.service.budget import Budget
from ai_jobs.service.dead_letters import send_to_dlq
from ai_jobs.service.delayed_copies import send_delayed_copy
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.job_types import JobTypes
from ai_jobs.service.model import call_model
from ai_jobs.service.outcomes import Claimed, ClaimTerms, Refusal, Running
from ai_jobs.service.retries import PROCESSOR_MARGIN_SECONDS, Jitter, lease_wait_seconds, transient_backoff_seconds
from ai_jobs.service.safe_logging import describe
from processor.job_work import JobWork
from processor.model_calls import JobCalls, Model, ModelCalls
from processor.settings import ProcessorSettings

logger = Logger()


class Disposition(Enum):
    """What becomes of the message."""

    DONE = "done"
    COMES_BACK = "comes back"


@dataclass(frozen=True)
class _Delivery:
    """A message whose job is known, and which has not claimed that job (yet)."""

    message: ReceivedMessage
    job: ReceivedJob
    started_at: datetime
    deadline_at: datetime

    def log_fields(self) -> dict[str, Any]:
        fields = {"jobId": self.job.job_id, "userId": self.job.user_id, "jobType": self.job.job_type}
        return fields | ({"traceId": self.job.trace_id} if self.job.trace_id else {})


@dataclass(frozen=True)
class _Attempt(_Delivery):
    """A message that has claimed its job for this worker."""

    claim: Claimed
    calls: JobCalls

    def log_fields(self) -> dict[str, Any]:
        return super().log_fields() | {"attempt": self.claim.attempt}


class Worker:
    """Works on messages within one invocation of the function; safe to share between its threads.

    Args:
        budget: how many tokens the day's jobs may use.
        reread: reads the job types again, for when those at hand may be outdated.
        ends_at: when Lambda will end this invocation; the leases end then.
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
        model: Model = call_model,
        clock: Callable[[], datetime] = timestamps.now,
        jitter: Jitter = random.uniform,
    ) -> None:
        self.settings = settings
        self._store = store
        self._budget = budget.for_invocation(ends_at)
        self._model_calls = ModelCalls(settings, self._budget, ends_at, model, clock, jitter)
        self._work = JobWork(settings.bucket, reread)
        self._results = BatchSender(settings.response_queue_url)
        self._ends_at = ends_at
        self._clock = clock
        self._jitter = jitter

    def seconds_left(self) -> float:
        """How long the batch may still wait for jobs before the results of the others are in danger."""
        return max(0.0, (self._ends_at - self._clock()).total_seconds() - PROCESSOR_MARGIN_SECONDS / 2)

    def expect(self, messages: Sequence[ReceivedMessage]) -> None:
        """Prepare for a batch: tokens of the budget are leased for all of its jobs at once."""
        self._budget.expect(message.attributes.get("UserId") or message.group_id for message in messages)

    def load_handlers(self, job_types: JobTypes | JobError) -> None:
        """Prepare for the types that have handlers: they are imported while the jobs of other types run."""
        if isinstance(job_types, JobTypes):
            self._work.load_handlers(job_types)

    def finish(self) -> None:
        """Count the tokens that the batch has used, once its jobs have their verdicts."""
        codes = self._budget.settle()
        if codes:
            logger.warning("budget not settled", extra={"errorCodes": codes})

    def work_on(self, message: ReceivedMessage, job_types: JobTypes | JobError) -> Disposition:
        """Bring one message to its verdict.

        Args:
            job_types: the configuration, or why there is none.

        Raises:
            AWSError: when SQS accepted neither the result nor a copy of the message: the message must come back.
        """
        attempt = self._claimed(message, job_types)
        if isinstance(attempt, Disposition):
            return attempt
        try:
            result = self._work.result_of(
                attempt.job, attempt.claim.attempt, attempt.deadline_at, job_types, attempt.calls
            )
            self._report_result(attempt, result)
        except JobError as error:
            return self._settle(attempt, error)
        except AWSError:
            # The result is lost with this attempt, so the job must be free for the next one.
            self._release(attempt)
            raise
        except Exception as error:  # noqa: BLE001  # the boundary: a bug must not keep the job's lease
            logger.error("job broke the worker", extra=attempt.log_fields() | describe(error))
            return self._settle(attempt, JobError("INTERNAL_ERROR", "The worker failed on this job because of a bug."))
        logger.info("job completed", extra=attempt.log_fields() | {"model": result.model})
        return Disposition.DONE

    def put_off(self, message: ReceivedMessage) -> Disposition:
        """Let a delayed copy replace a message that nobody got to; if it can't be copied, it comes back."""
        if (self._ends_at - self._clock()).total_seconds() < 1:
            return Disposition.COMES_BACK
        try:
            return self._postpone(self._delivery(message))
        except AIJobsError as error:
            logger.warning("message not put off", extra={"messageId": message.message_id} | describe(error))
            return Disposition.COMES_BACK

    # From the message to the claim

    def _claimed(self, message: ReceivedMessage, job_types: JobTypes | JobError) -> _Attempt | Disposition:
        """Claim the message's job. Returns the attempt or, if there can't be one, what becomes of the message."""
        try:
            delivery = self._delivery(message)
        except JobError as error:
            return self._reject(message, error)
        job = delivery.job
        try:
            claim = self._store.claim(job, message.message_id, self._terms(job, job_types))
        except JobError as error:
            return self._settle(delivery, error)
        if not isinstance(claim, Claimed):
            return self._stand_back(delivery, claim)
        if claim.attempt == 1:
            waited = delivery.started_at - job.first_sent_at
            metrics.emit({metrics.QUEUE_WAIT: metrics.milliseconds(waited)}, job.job_type, job.job_id)
        calls = self._model_calls.of(job, claim.deadline_at)
        return _Attempt(message, job, delivery.started_at, claim.deadline_at, claim, calls)

    def _delivery(self, message: ReceivedMessage) -> _Delivery:
        """The message with its job. Raises JobError `NOT_A_JOB` when it is not one."""
        sent_at, trace_header = message.sent_at, message.trace_header
        job = ReceivedJob.parse(message.body, message.attributes, message.message_id, sent_at, trace_header)
        time_allowed = timedelta(seconds=job.deadline_seconds(self.settings.default_deadline_seconds))
        return _Delivery(message, job, self._clock(), job.first_sent_at + time_allowed)

    def _terms(self, job: ReceivedJob, job_types: JobTypes | JobError) -> ClaimTerms:
        return ClaimTerms(
            lease_expires_at=self._ends_at,
            deadline_seconds=job.deadline_seconds(self.settings.default_deadline_seconds),
            grace_seconds=2 * self.settings.visibility_timeout_seconds,
            config_version=job_types.version if isinstance(job_types, JobTypes) else None,
        )

    def _reject(self, message: ReceivedMessage, error: JobError) -> Disposition:
        logger.error("message is not a job", extra={"messageId": message.message_id, "errorCode": error.code})
        metrics.count_failure(error.error_class)
        known = known_job_id(message.body, message.attributes)
        send_to_dlq(self.settings.request_dlq_url, message, known, error, self._clock())
        return Disposition.DONE

    def _stand_back(self, delivery: _Delivery, claim: Running | Refusal) -> Disposition:
        fields = delivery.log_fields()
        if isinstance(claim, Running):
            # Not deleted: it may be the only copy left if the worker that runs the job is killed.
            logger.info("job is running elsewhere, message deferred", extra=fields)
            self._hide(delivery, lease_wait_seconds(claim.lease_expires_at, self._clock()))
            return Disposition.COMES_BACK
        if claim is Refusal.FINISHED:
            logger.info("job is finished, repeated message dropped", extra=fields)
            return Disposition.DONE
        error = JobError("JOB_ID_CONFLICT", JOB_ID_TAKEN, "jobId")
        logger.error("job id is taken by another job", extra=fields | {"errorCode": error.code})
        metrics.count_failure(error.error_class)
        self._dead_letter(delivery, error, self._clock())
        return Disposition.DONE

    # From the model's answer to the response queue

    def _report_result(self, attempt: _Attempt, result: JobResult) -> None:
        document = result.to_document()
        if fits_in_message(documents.to_json(document)):
            self._report(attempt, "completed", self._clock(), result=document)
            return
        try:
            location = objects.put_result(self.settings.bucket, attempt.job.user_id, attempt.job.job_id, document)
        except JobError as error:
            # The model call has been paid for, and each retry costs as much: it must use up a receive.
            reason = f"The result could not be stored. {error.message}"
            raise JobError("RESULT_NOT_STORED", reason) from error
        described = {"model": result.model or None, "usage": document["usage"]}
        self._report(attempt, "completed", self._clock(), result_location=location, **described)

    def _report(
        self, attempt: _Attempt, status: Literal["completed", "failed"], ended_at: datetime, **outcome: Any
    ) -> None:
        """Send the outcome of the attempt; `outcome` has those fields of AIJobResultMessage that say what it is."""
        job = attempt.job
        message = AIJobResultMessage(
            job_id=job.job_id,
            user_id=job.user_id,
            job_type=job.job_type,
            status=status,
            attempt=attempt.claim.attempt,
            timestamp=ended_at,
            processing_time=round((ended_at - attempt.started_at).total_seconds() * 1000),
            trace_id=job.trace_id,
            **outcome,
        )
        trace_header = attempt.message.trace_header
        self._results.send(message.to_body(), message.attributes(), job.user_id, trace_header)

    # From an error to the verdict

    def _settle(self, delivery: _Delivery, error: JobError) -> Disposition:
        """Do what the error's class requires (ai_jobs.contract.errors)."""
        if self._clock() >= self._ends_at:
            # A thread that woke up in a later invocation: the message is in other hands by now.
            raise AIJobsError("The invocation that this job belongs to is over.", "InvocationOver")
        final = self._final(delivery, error)
        logger.warning(
            "attempt failed",
            extra=delivery.log_fields()
            | {"errorCode": final.code, "errorClass": final.error_class, "cause": error.code},
        )
        metrics.count_failure(final.error_class)
        if final.code == "BUDGET_EXHAUSTED":
            metrics.count(metrics.BUDGET_WAITS)
        if final.error_class is ErrorClass.THROTTLED:
            return self._postpone(delivery, final)
        if final.error_class is ErrorClass.TRANSIENT:
            return self._retry(delivery)
        if isinstance(delivery, _Attempt):
            self._fail(delivery, final)
        else:
            self._dead_letter(delivery, final, self._clock())
        return Disposition.DONE

    def _final(self, delivery: _Delivery, error: JobError) -> JobError:
        """The error as it counts in the end: a denial may only be waiting for access, and patience may be exhausted."""
        waiting = self._access_pending(delivery, error) or error
        return self._exhausted(delivery, waiting) or waiting

    def _access_pending(self, delivery: _Delivery, error: JobError) -> JobError | None:
        """A denial is an operator error only if it lasts: permissions and Marketplace agreements take a while."""
        if error.code != "MODEL_ACCESS_DENIED":
            return None
        now = self._clock()
        patience = timedelta(seconds=self.settings.model_access_wait_seconds)
        if now - denied_since(delivery.message.attributes, now) >= patience:
            return None
        return JobError("MODEL_ACCESS_PENDING", error.message)

    def _exhausted(self, delivery: _Delivery, error: JobError) -> JobError | None:
        last = f"The last error was {error.code}: {error.message}"
        if error.error_class is ErrorClass.THROTTLED and self._clock() >= delivery.deadline_at:
            return JobError("DEADLINE_EXCEEDED", f"The job was given up at its deadline. {last}")
        receives = delivery.message.receive_count
        if error.error_class is ErrorClass.TRANSIENT and receives >= self.settings.max_receive_count:
            return JobError("RETRIES_EXHAUSTED", f"The job was given up after {receives} receives. {last}")
        return None

    def _postpone(self, delivery: _Delivery, error: JobError | None = None) -> Disposition:
        """Let a delayed copy replace the message: waiting out a throttle must not use a receive."""
        job, attributes = delivery.job, delivery.message.attributes
        is_denied = error is not None and error.code == "MODEL_ACCESS_PENDING"
        try:
            copy_id = send_delayed_copy(
                self.settings.request_queue_url,
                delivery.message,
                job.job_id,
                job.user_id,
                self.settings.max_backoff_seconds,
                self._jitter,
                denied_since(attributes, self._clock()) if is_denied else None,
                error.wait_seconds if error else None,
            )
        except ValueError:
            # So close to SQS's limit that these attributes are too much: it waits as it is, and uses a receive.
            why = f" It waits because of {error.code}: {error.message}" if error else ""
            reason = f"The message is too large to wait as a delayed copy.{why}"
            return self._settle(delivery, JobError("NO_ROOM_TO_WAIT", reason))
        self._release(delivery, copy_id, only_waits=True)
        return Disposition.DONE

    def _retry(self, delivery: _Delivery) -> Disposition:
        """Hide the message for the backoff of a transient failure."""
        self._release(delivery)
        receives, longest = delivery.message.receive_count, self.settings.max_backoff_seconds
        self._hide(delivery, transient_backoff_seconds(receives, longest, self._jitter))
        return Disposition.COMES_BACK

    def _fail(self, attempt: _Attempt, error: JobError) -> None:
        """Report the job as failed and, unless the job itself is wrong, send its message to the DLQ."""
        if error.code == "DEADLINE_EXCEEDED" and not attempt.calls.work_began:
            attempt = self._uncounted(attempt)
        # The DLQ first: once the row is `failed`, a message that comes back is taken for a duplicate. Both get the same
        # moment, so that a redrive that is sent between the two writes counts as one.
        failed_at = self._clock()
        if error.error_class is not ErrorClass.INVALID:
            if self._was_cancelled(attempt):
                return
            self._dead_letter(attempt, error, failed_at, attempt.claim.calls)
        self._report(attempt, "failed", failed_at, error=error.to_body())

    def _uncounted(self, attempt: _Attempt) -> _Attempt:
        """The attempt, after its row was told that it only waited until the deadline."""
        self._release(attempt, only_waits=True)
        return replace(attempt, claim=replace(attempt.claim, calls=attempt.claim.calls - 1))

    def _was_cancelled(self, attempt: _Attempt) -> bool:
        """Has its caller cancelled it meanwhile? Then nobody wants it in the DLQ."""
        try:
            row = self._store.find(attempt.job.job_id)
        except JobError as error:
            logger.warning("not known whether cancelled", extra=attempt.log_fields() | {"errorCode": error.code})
            return False
        return row is not None and row["status"] == JobStatus.CANCELLED

    def _dead_letter(self, delivery: _Delivery, error: JobError, failed_at: datetime, calls: int | None = None) -> None:
        dlq_url, job = self.settings.request_dlq_url, delivery.job
        send_to_dlq(dlq_url, delivery.message, job.job_id, error, failed_at, user_id=job.user_id, attempts=calls)

    def _release(self, delivery: _Delivery, copy_id: str | None = None, *, only_waits: bool = False) -> None:
        """Give the job back to the queue, if this message has claimed it.

        Args:
            only_waits: True if the attempt has ended to wait: it counts only if a model has worked for it.
        """
        if not isinstance(delivery, _Attempt):
            return
        work_began = delivery.calls.work_began or not only_waits
        try:
            self._store.release(delivery.job.job_id, delivery.claim.attempt, copy_id, work_began=work_began)
        except JobError as error:
            # Not fatal: the lease ends with this invocation.
            logger.warning("lease not released", extra=delivery.log_fields() | {"errorCode": error.code})

    def _hide(self, delivery: _Delivery, seconds: int) -> None:
        change_visibility(self.settings.request_queue_url, delivery.message.receipt_handle, seconds)
