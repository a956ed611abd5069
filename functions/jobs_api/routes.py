"""The routes that need more than the queue: submit under an id, read, list, cancel, and upload a file."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from ai_jobs.aws.objects import put_input, signed_url, to_json
from ai_jobs.aws.queues import MAX_DELAY_SECONDS, send_message
from ai_jobs.aws.submission import with_large_input_located
from ai_jobs.contract import timestamps
from ai_jobs.contract.api_errors import RETRY_AFTER_SECONDS, RequestError, of_job_error
from ai_jobs.contract.errors import JOB_ID_TAKEN, AWSError, ErrorClass, JobError, shown
from ai_jobs.contract.job_view import job_view
from ai_jobs.contract.limits import LIMITS
from ai_jobs.contract.request import FIRST_SENT_AT, AIJobMessage, ReceivedJob
from ai_jobs.contract.row import JobRow, JobStatus, has_ended
from ai_jobs.service import metrics, retries
from ai_jobs.service.job_store import JobStore
from ai_jobs.service.job_type import JobType
from ai_jobs.service.job_type_source import JobTypeSource
from ai_jobs.service.listing import Position
from ai_jobs.service.outcomes import Submission, Submitted
from ai_jobs.service.wait_slots import WaitSlots
from jobs_api.requests import Request, checked_user, whole_number
from jobs_api.settings import MAX_WAIT_SECONDS, JobsApiSettings

if TYPE_CHECKING:
    from jobs_api.attachments import JobFiles

logger = Logger()

_PAGE_SIZE = LIMITS["page_size"]

_JOB_FIELDS = ("jobType", "input", "attachments", "traceId", "deadlineSeconds", "delaySeconds")


_OF_THE_BUCKET = ("DEPENDENCY_UNAVAILABLE", "DEPENDENCY_REFUSED")


@dataclass(frozen=True)
class Answer:
    """One response; `body` None means that it has no body."""

    status: int
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def to_proxy(self) -> dict[str, Any]:
        """The response in the form of a Lambda proxy integration."""
        kind = {} if self.body is None else {"Content-Type": "application/json"}
        text = "" if self.body is None else to_json(self.body).decode()
        return {"statusCode": int(self.status), "headers": kind | self.headers, "body": text}


class JobsApi:
    """Answers requests.

    Every route raises RequestError when the caller gets an error, and JobError when the table or the bucket fails.

    Args:
        clock, sleep: the passing of seconds, for waits.
    """

    def __init__(
        self,
        settings: JobsApiSettings,
        store: JobStore,
        job_types: JobTypeSource,
        wait_slots: WaitSlots,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._store = store
        self._job_types = job_types
        self._wait_slots = wait_slots
        self._clock = clock
        self._sleep = sleep
        self._waited = 0.0
        self._types_missing_until = float("-inf")
        self._routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("PUT", "/jobs/{jobId}"): self._submit,
            ("GET", "/jobs/{jobId}"): self._get,
            ("DELETE", "/jobs/{jobId}"): self._cancel,
            ("GET", "/jobs"): self._list,
            ("POST", "/uploads"): self._upload,
        }

    def answer(self, request: Request) -> Answer:
        """The response of the route that the request is for. Its time, without the time spent waiting, is a metric."""
        route = self._routes.get((request.method, request.resource))
        if route is None:
            raise RequestError("NOT_FOUND", "There is nothing at this path. Use /jobs, /jobs/{jobId}, or /uploads.")
        started, self._waited = self._clock(), 0.0  # a function works on one request at a time
        try:
            return route(request)
        finally:
            took = self._clock() - started - self._waited
            metrics.emit({metrics.REQUEST_TIME: max(0.0, took * 1000)})

    # PUT /jobs/{jobId}

    def _submit(self, request: Request) -> Answer:
        """The row is written before the message is sent, so that it exists no matter what happens next."""
        request.parameters()
        message, files, delay_seconds = self._read_job(request)
        accepted = {"jobId": message.job_id, "status": JobStatus.QUEUED.value}
        answer = Answer(HTTPStatus.ACCEPTED, accepted, {"Location": request.path})
        to_send = self._located(message)
        job = ReceivedJob.of(to_send, os.environ.get("_X_AMZN_TRACE_ID"), files.keys if files else ())
        try:
            self._check(message, files)
        except RequestError:
            # The type may have changed since the job was accepted, and its files may be gone: a repeat still gets the
            # same response.
            if self._store.is_job(job):
                return answer
            raise
        if to_send.input_location:
            put_input(message, to_send.input_location)
        if files:
            to_send = replace(to_send, attachments=files.copy())
        submitted = self._store.submit(
            job,
            deadline_seconds=job.deadline_seconds(self._settings.default_deadline_seconds),
            grace_seconds=2 * self._settings.visibility_timeout_seconds,
            delay_seconds=delay_seconds,
        )
        if submitted.submission is Submission.CONFLICT:
            raise RequestError("JOB_ID_CONFLICT", JOB_ID_TAKEN)
        if submitted.submission is Submission.ACCEPTED:
            self._enqueue(to_send, submitted)
        return answer

    def _read_job(self, request: Request) -> tuple[AIJobMessage, JobFiles | None, int]:
        """The job in the request, with every field checked; its files, of which nothing is known yet; and its delay."""
        job_id = request.new_job_id()
        document = request.document(request.with_user(_JOB_FIELDS))
        delay_seconds = _delay(document.get("delaySeconds", 0))
        try:
            message = AIJobMessage(
                user_id=request.user_id or checked_user(document.get("userId")),
                job_type=document.get("jobType"),  # type: ignore[arg-type]  # AIJobMessage checks its fields
                input=document.get("input"),  # type: ignore[arg-type]  # likewise
                job_id=job_id,
                trace_id=document.get("traceId"),
                deadline_seconds=document.get("deadlineSeconds"),
            )
        except JobError as error:
            raise of_job_error(error) from None
        self._check_delay(message.deadline_seconds, delay_seconds)
        return message, self._files_of(message, document.get("attachments", [])), delay_seconds

    def _files_of(self, message: AIJobMessage, named: object) -> JobFiles | None:
        if named == []:
            return None
        from jobs_api.attachments import JobFiles  # see there

        return JobFiles(self._settings.bucket, message, named)

    def _check_delay(self, deadline_seconds: int | None, delay_seconds: int) -> None:
        """A job that may not start before its deadline would never start."""
        default = self._settings.default_deadline_seconds
        if deadline_seconds is not None and deadline_seconds <= delay_seconds:
            rule = f"It must be greater than delaySeconds, which is {delay_seconds}."
            raise RequestError("BAD_REQUEST", f"deadlineSeconds is {deadline_seconds}. {rule}", "deadlineSeconds")
        if deadline_seconds is None and default <= delay_seconds:
            rule = f"It must be less than the deployment's default deadline of {default} seconds."
            way_out = "Lower it, or pass a deadlineSeconds greater than it."
            raise RequestError("BAD_REQUEST", f"delaySeconds is {delay_seconds}. {rule} {way_out}", "delaySeconds")

    def _check(self, message: AIJobMessage, files: JobFiles | None) -> None:
        """Find what a worker would find wrong with the job.

        Raises:
            RequestError: for what the caller can fix. A broken job type is left to the worker: there the job can be
                redriven after the fix.
        """
        try:
            job_type = self._type_named(message.job_type)
            attachments = files.find(job_type) if files else ()
            if job_type:
                job_type.prepare(message.input, [one.for_prompts() for one in attachments])
        except JobError as error:
            if error.error_class is ErrorClass.INVALID:
                raise of_job_error(error) from None
            if error.code in _OF_THE_BUCKET:
                raise
            logger.warning("job not checked", extra={"jobId": message.job_id, "errorCode": error.code})

    def _type_named(self, name: str) -> JobType | None:
        """The job type; None if it can't be used, or can't be had: an unreachable AppConfig is left to the worker.

        Raises:
            JobError: `UNKNOWN_JOB_TYPE`.
        """
        if self._clock() < self._types_missing_until:
            return None
        try:
            job_types = self._job_types.get()
        except JobError as error:
            logger.warning("job types are not available", extra={"errorCode": error.code})
            self._types_missing_until = self._clock() + retries.JOB_TYPES_PAUSE_SECONDS
            return None
        try:
            return job_types.get(name)
        except JobError as error:
            if error.error_class is ErrorClass.INVALID:
                raise
            logger.warning("job type is broken", extra={"jobType": name, "errorCode": error.code})
            return None

    def _located(self, message: AIJobMessage) -> AIJobMessage:
        try:
            return with_large_input_located(message, self._settings.bucket)
        except ValueError as error:
            raise RequestError("REQUEST_TOO_LARGE", str(error), "input") from None

    def _enqueue(self, message: AIJobMessage, submitted: Submitted) -> None:
        # Marks a late or repeated message as not a redrive.
        attributes = message.attributes() | {FIRST_SENT_AT: timestamps.to_text(submitted.created_at)}
        left = math.ceil((submitted.not_before - timestamps.now()).total_seconds())
        delay_seconds = max(0, min(left, MAX_DELAY_SECONDS))
        url = self._settings.request_queue_url
        try:
            send_message(url, message.to_body(submitted.created_at), attributes, message.user_id, delay_seconds)
        except AWSError as error:
            logger.error("job not enqueued", extra={"jobId": message.job_id, "errorCode": error.code})
            self._expect_repeat(message.job_id, submitted)
            reason = "The queue did not accept the job because of a fault on our side. Send the same request again."
            raise RequestError("QUEUE_UNAVAILABLE", reason) from error

    def _expect_repeat(self, job_id: str, submitted: Submitted) -> None:
        due_at = max(timestamps.now(), submitted.not_before) + retries.RESUBMISSION_TIME
        try:
            self._store.expect_message_until(job_id, due_at, submitted)
        except JobError as error:
            # Not fatal: if the request is not repeated, the job is closed some time after its deadline.
            logger.warning("job not marked as unsent", extra={"jobId": job_id, "errorCode": error.code})

    # GET /jobs/{jobId}

    def _get(self, request: Request) -> Answer:
        job_id = request.job_id()
        wait = request.parameters("wait").get("wait", "0")
        row = self._wait_for(job_id, request, whole_number(wait, "wait", 0, MAX_WAIT_SECONDS))
        if row is None:
            raise _not_found()
        view = job_view(row, signed_url)
        if "resultUrl" in view:  # different each time, and not to be kept
            return Answer(HTTPStatus.OK, view, {"Cache-Control": "no-store"})
        etag = _etag(view)
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if not has_ended(row):
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        if _matches(request.headers.get("if-none-match", ""), etag):
            return Answer(HTTPStatus.NOT_MODIFIED, None, headers)
        return Answer(HTTPStatus.OK, view, headers)

    def _wait_for(self, job_id: str, request: Request, seconds: int) -> JobRow | None:
        """The row once its job has ended, or as it is when the wait is over.

        If too many callers are waiting already, it is returned as it is: the caller asks again after `Retry-After`.
        """
        row = self._visible(self._store.get(job_id), request)
        seconds_left = request.seconds_left() - retries.JOBS_API_MARGIN_SECONDS
        longest = min(seconds, self._settings.max_wait_seconds, seconds_left)
        if longest <= 0 or (row is not None and has_ended(row)):
            return row
        with self._wait_slots.taken(longest) as may_wait:
            if may_wait:
                return self._after_wait(row, job_id, request, longest)
        metrics.count(metrics.WAITS_REFUSED)
        return row

    def _after_wait(self, row: JobRow | None, job_id: str, request: Request, seconds: float) -> JobRow | None:
        """The row once its job has ended, or as it is after this many seconds; read at most once a second."""
        ends_at = self._clock() + seconds
        pauses = iter(retries.PAUSES_OF_A_GET)
        # A job without a row may be one that was sent by POST and that no worker has claimed yet.
        while (left := ends_at - self._clock()) > 0 and not (row is not None and has_ended(row)):
            pause = min(next(pauses), left)
            self._sleep(pause)
            self._waited += pause
            row = self._visible(self._store.get(job_id), request)
        return row

    def _visible(self, row: JobRow | None, request: Request) -> JobRow | None:
        if row is None or request.trusts_caller:
            return row
        return row if row.get("userId") == request.user_id else None

    # GET /jobs

    def _list(self, request: Request) -> Answer:
        filters = ("status", "jobType", "limit", "cursor")
        query = request.parameters(*(("userId", *filters) if request.trusts_caller else filters))
        user_id = request.user_id or checked_user(query.get("userId"))
        status = query.get("status")
        if status is not None and status not in list(JobStatus):
            rule = f"It must be one of: {', '.join(JobStatus)}."
            raise RequestError("BAD_REQUEST", f"status is {shown(status, 100)}. {rule}", "status")
        page = self._store.listing.page_of(
            user_id,
            limit=whole_number(query.get("limit", str(_PAGE_SIZE.default)), "limit", _PAGE_SIZE.min, _PAGE_SIZE.max),
            after=_position(query["cursor"]) if "cursor" in query else None,
            status=status,
            job_type=query.get("jobType"),
        )
        body: dict[str, Any] = {"jobs": [job_view(row, signed_url) for row in page.rows]}
        if page.after is not None:
            body["nextCursor"] = _cursor(page.after)
        return Answer(HTTPStatus.OK, body, {"Cache-Control": "private, no-cache"})

    # DELETE /jobs/{jobId}

    def _cancel(self, request: Request) -> Answer:
        job_id = request.job_id()
        request.parameters()
        found = self._store.cancel(job_id, request.user_id)
        if found.row is None:
            raise _not_found()
        if not found.done:
            reason = f"The job is already {found.row['status']}. Only an open job can be cancelled."
            raise RequestError("JOB_ENDED", reason)
        metrics.emit({metrics.JOBS_CANCELLED: 1}, found.row["jobType"], job_id)
        return Answer(HTTPStatus.OK, job_view(found.row, signed_url))

    # POST /uploads

    def _upload(self, request: Request) -> Answer:
        from jobs_api.attachments import upload_answer  # see there

        request.parameters()
        answer = upload_answer(request, self._settings.bucket, self._type_named)
        return Answer(HTTPStatus.CREATED, answer, {"Cache-Control": "no-store"})


def _not_found() -> RequestError:
    reason = "There is no such job. A job that was sent by POST appears once a worker claims it."
    return RequestError("JOB_NOT_FOUND", reason)


def _delay(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_DELAY_SECONDS:
        rule = f"It must be a whole number from 0 to {MAX_DELAY_SECONDS}."
        raise RequestError("BAD_REQUEST", f"delaySeconds is {shown(value)}. {rule}", "delaySeconds")
    return value


def _etag(view: dict[str, Any]) -> str:
    return f'"{hashlib.sha256(json.dumps(view, sort_keys=True).encode()).hexdigest()[:32]}"'


def _matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison, as RFC 9110 (13.1.2) requires for If-None-Match."""
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in given or given == ["*"]


def _cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _position(cursor: str) -> Position:
    """The place that a cursor stands for. It does not name a user, so tampering with one leads nowhere else."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        sort_key, job_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not all(isinstance(part, str) and 0 < len(part.encode()) <= 1024 for part in (sort_key, job_id)):
            raise ValueError(cursor)
        if not sort_key.endswith(f"Z#{job_id}"):
            raise ValueError(cursor)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        way_out = "Pass nextCursor from the previous page, or omit it to start over."
        raise RequestError("BAD_REQUEST", f"This cursor was not issued by this service. {way_out}", "cursor") from None
    return sort_key, job_id
