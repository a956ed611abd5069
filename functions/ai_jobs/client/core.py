"""The operations of the client, without input or output: each is steps that a driver carries out (see `wire`)."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ai_jobs.client.arguments import id_of, ids_of, json_of, seconds_of
from ai_jobs.client.calls import Calls
from ai_jobs.client.exceptions import ApiError, ConflictError
from ai_jobs.client.files import LocalFile, attachments_of, form_of
from ai_jobs.client.job import Job, job_of, result_of
from ai_jobs.client.responses import document_in, job_in, unexpected
from ai_jobs.client.urls import is_http_url
from ai_jobs.client.waiting import Wait
from ai_jobs.client.wire import Auth, Emit, Steps
from ai_jobs.contract.attachments import Attachment
from ai_jobs.contract.errors import AIJobsError
from ai_jobs.contract.result import JobResult
from ai_jobs.contract.row import JobStatus

# A signed URL that expires sooner than this is not worth trying.
_URL_MARGIN_SECONDS = 5


class Core:
    """Operations on the jobs API. Arguments and errors are those of `Calls`."""

    def __init__(
        self,
        api_url: str,
        auth: Auth | None,
        api_key: str | None,
        timeout_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._calls = Calls(api_url, auth, api_key, timeout_seconds, clock, chance)

    def submit(
        self, job_type: str, job_input: Mapping[str, Any], job_id: str | uuid.UUID | None, options: Mapping[str, Any]
    ) -> Steps[Job]:
        """PUT the job under an id that stays the same in every try.

        Args:
            options: further fields of the body by their names on the wire; None is omitted.
        """
        name = id_of(uuid.uuid4() if job_id is None else job_id)
        given = {name: value for name, value in options.items() if value is not None}
        body = {"jobType": job_type, "input": job_input} | given
        request = self._calls.job_request("PUT", name, body=json_of(body, name))
        response = yield from self._calls.call(request)
        # The response only has the id and the status.
        known = {name: body[name] for name in ("jobType", "userId", "traceId") if name in body}
        return job_in(request, response, known)

    def upload(self, file: LocalFile, job_type: str | None, user_id: str | None) -> Steps[Attachment]:
        """POST for a form, and then the file to where the form says."""
        given = {"name": file.name, "mediaType": file.media_type, "jobType": job_type, "userId": user_id}
        request = self._calls.upload_request({name: value for name, value in given.items() if value is not None})
        response = yield from self._calls.call(request)
        try:
            form = form_of(document_in(request, response))
        except ValueError as error:
            raise unexpected(request, response, str(error)) from error
        form.check(file)
        yield from self._calls.call(self._calls.file_request(form, file))
        return form.attachment(file)

    def get(self, job: Job | str | uuid.UUID) -> Steps[Job]:
        """GET the job once."""
        request = self._calls.job_request("GET", id_of(job))
        return job_in(request, (yield from self._calls.call(request)))

    def cancel(self, job: Job | str | uuid.UUID) -> Steps[Job]:
        """DELETE the job; a job that is already cancelled counts as done.

        Who cancelled it can't be determined: the response to this call may have been lost, here or in an HTTP library
        that resends a DELETE by itself (aiohttp does).
        """
        request = self._calls.job_request("DELETE", id_of(job))
        try:
            return job_in(request, (yield from self._calls.call(request)))
        except ConflictError:
            now = yield from self.get(job)
            if now.status != JobStatus.CANCELLED:
                raise
            return now

    def list_jobs(self, filters: Mapping[str, str | int | None]) -> Steps[None]:
        """Emit all jobs that match, page by page.

        Args:
            filters: query parameters by their names on the wire; None is omitted.
        """
        query = {name: str(value) for name, value in filters.items() if value is not None}
        while True:
            request = self._calls.request("GET", "/jobs", query)
            response = yield from self._calls.call(request)
            page = document_in(request, response)
            try:
                jobs = [job_of(row) for row in page["jobs"]]
            except (LookupError, TypeError, ValueError) as error:
                raise unexpected(request, response, f"something that is not a list of jobs ({error!r})") from error
            for job in jobs:
                yield Emit(job)
            if not page.get("nextCursor"):
                return
            query["cursor"] = str(page["nextCursor"])

    def wait(self, job: Job | str | uuid.UUID, timeout_seconds: float) -> Steps[Job]:
        """Wait until the job has ended."""
        job_id = id_of(job)
        wait = Wait(self._calls, [job_id], seconds_of(timeout_seconds, job_id))
        return (yield from wait.for_first())

    def follow(self, jobs: Iterable[Job | str | uuid.UUID], timeout_seconds: float) -> Steps[None]:
        """Emit each job once, when it has ended.

        The arguments are checked here and not with the first step, so that a mistake shows where it was made.
        """
        return self._follow(ids_of(jobs), seconds_of(timeout_seconds))

    def _follow(self, job_ids: list[str], timeout_seconds: float) -> Steps[None]:
        yield from Wait(self._calls, job_ids, timeout_seconds).for_all()

    def result(self, job: Job | str | uuid.UUID) -> Steps[JobResult]:
        """The result of a completed job, from its document or from where it is stored."""
        known = job if isinstance(job, Job) and job.has_ended else (yield from self.get(job))
        known.raise_for_status()
        if known.result:
            return known.result
        if known.result_url and _is_fresh(known):
            try:
                return (yield from self._download(known, known.result_url))
            except ApiError as error:
                if error.status not in (400, 403):  # S3's responses to an expired URL or expired credentials
                    raise
        fresh = yield from self.get(known)
        if fresh.result:
            return fresh.result
        if not fresh.result_url:
            message = f"job {fresh.job_id} is completed, but the API shows no result of it"
            raise AIJobsError(message, "NO_RESULT", fresh.job_id)
        return (yield from self._download(fresh, fresh.result_url))

    def _download(self, job: Job, url: str) -> Steps[JobResult]:
        if not is_http_url(url):
            message = f"the result of job {job.job_id} is at {url!r:.140}, which is not an HTTP URL"
            raise AIJobsError(message, "NO_RESULT", job.job_id)
        request = self._calls.download_request(job, url)
        response = yield from self._calls.call(request)
        try:
            return result_of(response.document())
        except ValueError:
            raise unexpected(request, response, "something that is not a result document") from None


def submit_options(
    attachments: Iterable[Attachment],
    user_id: str | None,
    trace_id: str | None,
    deadline_seconds: int | None,
    delay_seconds: int | None,
) -> dict[str, Any]:
    """Fields of the body of `PUT /jobs/{jobId}`."""
    return {
        "attachments": attachments_of(attachments),
        "userId": user_id,
        "traceId": trace_id,
        "deadlineSeconds": deadline_seconds,
        "delaySeconds": delay_seconds,
    }


def list_filters(
    user_id: str | None, status: str | None, job_type: str | None, page_size: int | None
) -> dict[str, str | int | None]:
    """Query parameters of `GET /jobs`."""
    return {"userId": user_id, "status": status, "jobType": job_type, "limit": page_size}


def _is_fresh(job: Job) -> bool:
    ends_at = job.result_url_expires_at
    return ends_at is None or ends_at.timestamp() - time.time() > _URL_MARGIN_SECONDS
