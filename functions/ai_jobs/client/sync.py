"""The client for threads: it carries out the core's steps with urllib3."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload
from urllib.parse import unquote, urlsplit

from ai_jobs.client import forks
from ai_jobs.client.arguments import id_of
from ai_jobs.client.auth import authorized_headers
from ai_jobs.client.core import Core, list_filters, submit_options
from ai_jobs.client.exceptions import ClientClosedError
from ai_jobs.client.files import read_local_file
from ai_jobs.client.into import check_class, result_into
from ai_jobs.client.proxies import proxy_for
from ai_jobs.client.waiting import CONCURRENCY
from ai_jobs.client.wire import CONNECT_TIMEOUT_SECONDS, Auth, Emit, NoAnswer, Outcome, Pause, Request, Response, Steps

if TYPE_CHECKING:
    import os
    from concurrent.futures import ThreadPoolExecutor
    from types import TracebackType
    from uuid import UUID

    import urllib3

    from ai_jobs.client.job import Job
    from ai_jobs.contract.attachments import Attachment
    from ai_jobs.contract.result import JobResult

T = TypeVar("T")
R = TypeVar("R")

# Connections that are kept open: several threads may use one client.
_KEPT_CONNECTIONS = 4 * CONCURRENCY


class JobsClient:
    """The jobs API over HTTP. Many threads can use one client; close it, or use it as a context manager.

    Args:
        api_url: the API with its stage, such as `https://x.execute-api.eu-west-1.amazonaws.com/v1` (output `api_url`).
        auth: `SigV4Auth()`, `BearerAuth(token)`, or a function from a request to the headers that authorize it.
        api_key: a usage plan's key. It counts requests; it does not say who you are.
        timeout_seconds: how long a response may take, in addition to a wait that was asked for. (A large response may
            take longer in total: this is how long the client waits for each further part.)

    Every method retries failures that may be temporary (no connection, 429, 5xx) up to six times within a minute: it is
    safe to send each request twice. `wait` and `iter_results` retry until their own time is up. Other failures, and
    those that remain, are raised as an `AIJobsError` whose `job_id` says which job it is about: see
    `ai_jobs.client.exceptions`.

    Connections and threads belong to one process: a forked child creates its own.

    Raises:
        InvalidArgumentError: if `api_url` or another argument is invalid.
    """

    def __init__(
        self, api_url: str, auth: Auth | None = None, *, api_key: str | None = None, timeout_seconds: float = 30.0
    ) -> None:
        self._core = Core(api_url, auth, api_key, timeout_seconds)
        self._transport = _Transport(auth)

    def submit(
        self,
        job_type: str,
        input: Mapping[str, Any],  # noqa: A002 - the field's name in the API
        *,
        attachments: Iterable[Attachment] = (),
        user_id: str | None = None,
        job_id: str | UUID | None = None,
        trace_id: str | None = None,
        deadline_seconds: int | None = None,
        delay_seconds: int | None = None,
    ) -> Job:
        """Submit a job once: however often the request has to be sent, it is one job.

        Args:
            attachments: files that `upload` has returned for the same user, in the order in which the model sees them.
            user_id: whose job it is. Omit it when a token identifies the user; the API then rejects it.
            job_id: a UUID of your own, in lower case; then it is harmless to submit again, even from another process.
            deadline_seconds: fails the job if it waits for longer than this.
            delay_seconds: delays the start by this many seconds.

        Returns:
            The job as accepted (`queued`); the other methods take it, or its id.

        Raises:
            AIJobsError: `job_id` says under which id the job was, or may have been, submitted.
            BadRequestError: the job breaks a rule; `field` says where.
            ConflictError: `job_id` belongs to another job.
        """
        options = submit_options(attachments, user_id, trace_id, deadline_seconds, delay_seconds)
        return self._run(self._core.submit(job_type, input, job_id, options))

    def upload(
        self,
        path: str | os.PathLike[str],
        *,
        media_type: str | None = None,
        job_type: str | None = None,
        user_id: str | None = None,
    ) -> Attachment:
        """Upload an image or a document, to which a job can then be `submit`ted. Unused, it expires after a day.

        Args:
            media_type: such as `image/png`; by default, the one that the file's extension stands for.
            job_type: the type of the job that it is for, whose limits then apply immediately.
            user_id: whose file it is. Omit it when a token identifies the user; the API then rejects it.

        Raises:
            InvalidArgumentError: the file can't be read, is empty or too large, or its type is not known.
            BadRequestError: no job (of this type) can have such a file; `field` says why.
        """
        return self._run(self._core.upload(read_local_file(path, media_type), job_type, user_id))

    def get(self, job: Job | str | UUID) -> Job:
        """The job as it is now. Raises NotFoundError if it does not exist, or is another user's."""
        return self._run(self._core.get(job))

    def wait(self, job: Job | str | UUID, timeout_seconds: float = 300.0) -> Job:
        """The job once it has ended, however it ended; its `raise_for_status()` raises if it did not complete.

        This also waits for an unknown job: a job that was POSTed is unknown until a worker picks it up.

        Raises:
            WaitTimeoutError: the job is still open after this many seconds; or the service failed all that time, which
                the error then says.
        """
        return self._run(self._core.wait(job, timeout_seconds))

    def iter_results(self, jobs: Iterable[Job | str | UUID], timeout_seconds: float = 300.0) -> Iterator[Job]:
        """The jobs as they end, each once, in the order in which the client sees that (not in the order given).

        Raises:
            WaitTimeoutError: jobs are still open after this many seconds; it names them. All others were yielded.
            ApiError: the API refuses to show a job. A failure that may be temporary is retried while there is time.
        """
        return self._iterate(self._core.follow(jobs, timeout_seconds))

    def list(
        self,
        *,
        user_id: str | None = None,
        status: str | None = None,
        job_type: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Job]:
        """A user's jobs, newest first, without results and errors. Pages are fetched as you iterate.

        Args:
            user_id: whose jobs. Omit it when a token identifies the user; the API then rejects it.
            page_size: how many jobs each request returns, 1 to 100 (50 by default).
        """
        return self._iterate(self._core.list_jobs(list_filters(user_id, status, job_type, page_size)))

    def cancel(self, job: Job | str | UUID) -> Job:
        """Cancel a job. A queued job never starts; the result of a running one is discarded when it arrives.

        It is not an error to cancel a job that is already cancelled.

        Raises:
            ConflictError: `JOB_ENDED`: the job has already completed or failed.
            NotFoundError: the job does not exist, or is another user's.
        """
        return self._run(self._core.cancel(job))

    @overload
    def result(self, job: Job | str | UUID) -> JobResult: ...
    @overload
    def result(self, job: Job | str | UUID, into: type[R]) -> R: ...
    def result(self, job: Job | str | UUID, into: type[R] | None = None) -> JobResult | R:
        """The result of a completed job, even a large one (which is downloaded from its `result_url`).

        Args:
            into: your own dataclass or pydantic model; the result's `json` is then returned as one of these.

        Raises:
            JobNotEndedError, JobFailedError, JobCancelledError: there is no result.
            ResultShapeError: the result has no JSON, or the JSON does not fit `into`.
        """
        check_class(into, job)
        result = self._run(self._core.result(job))
        return result if into is None else result_into(result, into, id_of(job))

    def close(self) -> None:
        """Close the connections. Later calls raise ClientClosedError; closing again does nothing."""
        self._transport.close()

    def __enter__(self) -> JobsClient:
        self._transport.check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, steps: Steps[T]) -> T:
        try:
            answer: Any = None
            while True:
                answer = self._obey(steps.send(answer))
        except StopIteration as end:
            value: T = end.value
            return value

    def _iterate(self, steps: Steps[None]) -> Iterator[Job]:
        answer: Any = None
        while True:
            try:
                command = steps.send(answer)
            except StopIteration:
                return
            if isinstance(command, Emit):
                yield command.job
                answer = None
            else:
                answer = self._obey(command)

    def _obey(self, command: Any) -> Any:
        if isinstance(command, Pause):
            time.sleep(command.seconds)
            return None
        return self._transport.send(command.requests)


class _Transport:
    """Sends requests with urllib3; several at once, in threads that live as long as the client, in one process."""

    def __init__(self, auth: Auth | None) -> None:
        self._auth = auth
        self._closed = False
        forks.start(self)

    def start_afresh(self) -> None:
        """Start without connections and threads."""
        self._lock = threading.Lock()
        self._managers: dict[str, urllib3.PoolManager] = {}
        self._threads: ThreadPoolExecutor | None = None

    def send(self, requests: tuple[Request, ...]) -> list[Outcome]:
        if len(requests) == 1:
            return [self._send(requests[0])]
        from concurrent.futures import ThreadPoolExecutor

        with self._lock:
            self.check_open(requests[0].job_id)
            self._threads = self._threads or ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="ai-jobs")
            sent = [self._threads.submit(self._send, request) for request in requests]
        return [outcome.result() for outcome in sent]

    def check_open(self, job_id: str | None = None) -> None:
        if self._closed:
            raise ClientClosedError(job_id)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            managers, self._managers = self._managers, {}
            threads, self._threads = self._threads, None
        if threads:
            threads.shutdown(wait=False)  # a request in flight may take as long as its timeout
        for manager in managers.values():
            manager.clear()

    def _send(self, request: Request) -> Outcome:
        import urllib3

        self.check_open(request.job_id)
        headers = authorized_headers(self._auth, request) if self._auth and request.signed else request.headers
        connect_seconds = min(CONNECT_TIMEOUT_SECONDS, request.timeout_seconds)
        manager = self._manager_for(request)
        try:
            response = manager.request(
                *(request.method, request.url),
                body=request.body,
                headers=headers,
                timeout=urllib3.Timeout(connect=connect_seconds, read=request.timeout_seconds),
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return NoAnswer(error, may_pass=not _is_untrusted(error))
        return Response(
            response.status, {name.lower(): value for name, value in response.headers.items()}, response.data
        )

    def _manager_for(self, request: Request) -> urllib3.PoolManager:
        """The connections for this request, through the proxy that the environment names (HTTPS_PROXY, NO_PROXY)."""
        import urllib3

        proxy = proxy_for(request.url, request.job_id)
        with self._lock:
            self.check_open(request.job_id)
            if proxy not in self._managers:
                self._managers[proxy] = (
                    urllib3.ProxyManager(proxy, proxy_headers=_proxy_headers(proxy), maxsize=_KEPT_CONNECTIONS)
                    if proxy
                    else urllib3.PoolManager(maxsize=_KEPT_CONNECTIONS)
                )
            return self._managers[proxy]


def _proxy_headers(proxy: str) -> Mapping[str, str]:
    import urllib3

    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    return urllib3.make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")


def _is_untrusted(error: Exception) -> bool:
    import ssl

    causes = (*error.args, error.__cause__, error.__context__)
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes)
