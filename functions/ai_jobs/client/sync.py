"""The client for threads: urllib3 under the rules of the core."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from ai_jobs.client import forks
from ai_jobs.client.auth import authorized_headers
from ai_jobs.client.core import CONCURRENCY, Core, list_filters, submit_options
from ai_jobs.client.exceptions import ClientClosedError
from ai_jobs.client.proxies import proxy_for
from ai_jobs.client.wire import CONNECT_TIMEOUT_SECONDS, Auth, Emit, NoAnswer, Outcome, Pause, Request, Response, Steps

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from types import TracebackType
    from uuid import UUID

    import urllib3

    from ai_jobs.client.job import Job
    from ai_jobs.contract.result import JobResult

T = TypeVar("T")

# Connections that are kept: several threads may use one client.
_KEPT_CONNECTIONS = 4 * CONCURRENCY


class JobsClient:
    """The jobs API over HTTP. One client may be used by many threads; close it, or use it as a context manager.

    Args:
        api_url: the API with its stage, such as `https://x.execute-api.eu-west-1.amazonaws.com/v1` (output `api_url`).
        auth: `SigV4Auth()`, `BearerAuth(token)`, or a function from a request to the headers that authorise it.
        api_key: a usage plan's key. It counts requests; it does not say who you are.
        timeout_seconds: how long an answer may take, on top of a wait that was asked for. (A large one may take longer
            as a whole: it is how long the client waits for the next part.)

    Every method retries what may pass (no connection, 429, 5xx) up to six times within a minute, as everything that it
    sends may be sent twice; `wait` and `iter_results` do so until their own time is up. What is left then, and what no
    retry mends, is raised as an `AIJobsError` whose `job_id` says which job it is about: see
    `ai_jobs.client.exceptions` and `ai_jobs.client.job`.

    Connections and threads belong to one process: a forked child makes its own.

    Raises:
        InvalidArgumentError: when `api_url` or another argument can't be one.
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
        user_id: str | None = None,
        job_id: str | UUID | None = None,
        trace_id: str | None = None,
        deadline_seconds: int | None = None,
        delay_seconds: int | None = None,
    ) -> Job:
        """Submit a job, once: however often the request has to be sent, it is one job.

        Args:
            user_id: whose job it is. Not where a token says that (the API refuses it then).
            job_id: a UUID of your own, in lower case; then submitting again, even from another process, is harmless.
            deadline_seconds: after so long the job fails rather than waits on.
            delay_seconds: the job starts so much later.

        Returns:
            The job as accepted (`queued`); its id is what the other methods take.

        Raises:
            AIJobsError: `job_id` says under which id it was, or may have been, submitted.
            BadRequestError: the job breaks a rule; `field` says where.
            ConflictError: `job_id` belongs to another job.
        """
        options = submit_options(user_id, trace_id, deadline_seconds, delay_seconds)
        return self._run(self._core.submit(job_type, input, job_id, options))

    def get(self, job: Job | str | UUID) -> Job:
        """The job as it is now. Raises NotFoundError when there is none, or it is someone else's."""
        return self._run(self._core.get(job))

    def wait(self, job: Job | str | UUID, timeout_seconds: float = 300.0) -> Job:
        """The job once it has ended, however it ended: `raise_for_status()` of it tells.

        A job that nobody knows is waited for too: one that was POSTed is unknown until a worker picks it up.

        Raises:
            WaitTimeoutError: it is still open after so many seconds; or the service has failed for all that time, which
                the error then says.
        """
        return self._run(self._core.wait(job, timeout_seconds))

    def iter_results(self, jobs: Iterable[Job | str | UUID], timeout_seconds: float = 300.0) -> Iterator[Job]:
        """The jobs as they end, each once, in the order in which that is seen (and not in the order given).

        Raises:
            WaitTimeoutError: jobs are still open after so many seconds; it names them. All others were handed out.
            ApiError: the API refuses to show a job. A failure that may pass is waited out, as long as there is time.
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
        """A user's jobs, the newest first, without results and errors. The pages are fetched as you go.

        Args:
            user_id: whose. Not where a token says that.
            page_size: how many jobs a request brings, 1 to 100 (50 by default).
        """
        return self._iterate(self._core.list_jobs(list_filters(user_id, status, job_type, page_size)))

    def cancel(self, job: Job | str | UUID) -> Job:
        """Cancel a job. A queued one never starts; of a running one the result is discarded when it comes.

        To cancel one that is cancelled already is no error.

        Raises:
            ConflictError: `JOB_ENDED`, it has completed or failed already.
            NotFoundError: there is no such job, or it is someone else's.
        """
        return self._run(self._core.cancel(job))

    def result(self, job: Job | str | UUID) -> JobResult:
        """The result of a completed job, also a large one (which is downloaded from its `result_url`).

        Raises:
            JobNotEndedError, JobFailedError, JobCancelledError: there is no result.
        """
        return self._run(self._core.result(job))

    def close(self) -> None:
        """Close the connections. What is called afterward raises ClientClosedError; closing again does nothing."""
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
    """Sends requests with urllib3, several at once with threads that live as long as the client, in one process."""

    def __init__(self, auth: Auth | None) -> None:
        self._auth = auth
        self._closed = False
        forks.start(self)

    def start_afresh(self) -> None:
        """Have no connections and no threads yet."""
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
            threads.shutdown(wait=False)  # a request under way may take as long as its time-out
        for manager in managers.values():
            manager.clear()

    def _send(self, request: Request) -> Outcome:
        import urllib3

        self.check_open(request.job_id)
        headers = authorized_headers(self._auth, request) if self._auth and request.signed else request.headers
        connect_seconds = min(CONNECT_TIMEOUT_SECONDS, request.timeout_seconds)
        manager = self._manager_for(request)
        try:
            answer = manager.request(
                *(request.method, request.url),
                body=request.body,
                headers=headers,
                timeout=urllib3.Timeout(connect=connect_seconds, read=request.timeout_seconds),
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return NoAnswer(error, may_pass=not _is_untrusted(error))
        return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data)

    def _manager_for(self, request: Request) -> urllib3.PoolManager:
        """The connections that lead there, through the proxy that the environment names (HTTPS_PROXY, NO_PROXY)."""
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
