"""The client for asyncio: it carries out the core's steps with aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ai_jobs.client import forks
from ai_jobs.client.arguments import id_of
from ai_jobs.client.auth import authorized_headers
from ai_jobs.client.core import Core, list_filters, submit_options
from ai_jobs.client.exceptions import ClientClosedError
from ai_jobs.client.files import read_local_file
from ai_jobs.client.into import check_class, result_into
from ai_jobs.client.proxies import proxy_for
from ai_jobs.client.wire import CONNECT_TIMEOUT_SECONDS, Auth, Emit, NoAnswer, Outcome, Pause, Request, Response, Steps
from ai_jobs.contract.errors import AIJobsError

try:
    import aiohttp
    import yarl
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "AsyncJobsClient needs aiohttp: install the extra with pip install 'ai-jobs[async]'", name=error.name
    ) from error

if TYPE_CHECKING:
    import os
    from types import TracebackType
    from uuid import UUID

    from ai_jobs.client.job import Job
    from ai_jobs.contract.attachments import Attachment
    from ai_jobs.contract.result import JobResult

T = TypeVar("T")
R = TypeVar("R")

_MOST_CONNECTIONS = 100


class AsyncJobsClient:
    """`JobsClient` for asyncio: the same arguments, methods, rules, and errors. Use it as an async context manager.

    Proxies are those of the environment. `auth` is called in a thread, because it may have to fetch credentials.

    Its connections belong to one event loop. When that loop has ended, or in a forked child, the next request creates
    new ones; while it still runs, a request from another loop raises an `AIJobsError` (`WRONG_EVENT_LOOP`).
    """

    def __init__(
        self, api_url: str, auth: Auth | None = None, *, api_key: str | None = None, timeout_seconds: float = 30.0
    ) -> None:
        self._core = Core(api_url, auth, api_key, timeout_seconds)
        self._transport = _Transport(auth)

    async def submit(
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
        """Like `JobsClient.submit`."""
        options = submit_options(attachments, user_id, trace_id, deadline_seconds, delay_seconds)
        return await self._run(self._core.submit(job_type, input, job_id, options))

    async def upload(
        self,
        path: str | os.PathLike[str],
        *,
        media_type: str | None = None,
        job_type: str | None = None,
        user_id: str | None = None,
    ) -> Attachment:
        """Like `JobsClient.upload`; a thread reads the file."""
        file = await asyncio.to_thread(read_local_file, path, media_type)
        return await self._run(self._core.upload(file, job_type, user_id))

    async def get(self, job: Job | str | UUID) -> Job:
        """Like `JobsClient.get`."""
        return await self._run(self._core.get(job))

    async def wait(self, job: Job | str | UUID, timeout_seconds: float = 300.0) -> Job:
        """Like `JobsClient.wait`."""
        return await self._run(self._core.wait(job, timeout_seconds))

    def iter_results(self, jobs: Iterable[Job | str | UUID], timeout_seconds: float = 300.0) -> AsyncIterator[Job]:
        """Like `JobsClient.iter_results`, for `async for`."""
        return self._iterate(self._core.follow(jobs, timeout_seconds))

    def list(
        self,
        *,
        user_id: str | None = None,
        status: str | None = None,
        job_type: str | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[Job]:
        """Like `JobsClient.list`, for `async for`."""
        return self._iterate(self._core.list_jobs(list_filters(user_id, status, job_type, page_size)))

    async def cancel(self, job: Job | str | UUID) -> Job:
        """Like `JobsClient.cancel`."""
        return await self._run(self._core.cancel(job))

    @overload
    async def result(self, job: Job | str | UUID) -> JobResult: ...
    @overload
    async def result(self, job: Job | str | UUID, into: type[R]) -> R: ...
    async def result(self, job: Job | str | UUID, into: type[R] | None = None) -> JobResult | R:
        """Like `JobsClient.result`."""
        check_class(into, job)
        result = await self._run(self._core.result(job))
        return result if into is None else result_into(result, into, id_of(job))

    async def close(self) -> None:
        """Like `JobsClient.close`."""
        await self._transport.close()

    async def __aenter__(self) -> AsyncJobsClient:
        self._transport.check_open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, steps: Steps[T]) -> T:
        try:
            answer: Any = None
            while True:
                answer = await self._obey(steps.send(answer))
        except StopIteration as end:
            value: T = end.value
            return value

    async def _iterate(self, steps: Steps[None]) -> AsyncIterator[Job]:
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
                answer = await self._obey(command)

    async def _obey(self, command: Any) -> Any:
        if isinstance(command, Pause):
            await asyncio.sleep(command.seconds)
            return None
        return await self._transport.send(command.requests)


# The sessions that a forked child has from its parent. Closing one, or letting it be collected, would reach into the
# parent's event loop, whose epoll object the two processes share.
_sessions_of_the_parent: list[aiohttp.ClientSession] = []


class _Transport:
    """Sends requests with aiohttp; the session belongs to one process, and to the event loop of its first request."""

    def __init__(self, auth: Auth | None) -> None:
        self._auth = auth
        self._closed = False
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        forks.start(self)

    def start_afresh(self) -> None:
        """Start without a session."""
        if self._session:
            _sessions_of_the_parent.append(self._session)
        self._session = self._loop = None

    async def send(self, requests: tuple[Request, ...]) -> list[Outcome]:
        return list(await asyncio.gather(*(self._send(request) for request in requests)))

    def check_open(self, job_id: str | None = None) -> None:
        if self._closed:
            raise ClientClosedError(job_id)

    async def close(self) -> None:
        if self._session:
            self._check_loop()
        self._closed = True
        session, self._session = self._session, None
        if session:
            await session.close()

    async def _send(self, request: Request) -> Outcome:
        self.check_open(request.job_id)
        headers = request.headers
        if self._auth and request.signed:
            headers = await asyncio.to_thread(authorized_headers, self._auth, request)
        proxy = proxy_for(request.url, request.job_id)
        session = await self._session_of_this_loop(request)
        timeout = aiohttp.ClientTimeout(
            # How long it may take until a connection is free, or established.
            connect=request.timeout_seconds + CONNECT_TIMEOUT_SECONDS,
            sock_connect=min(CONNECT_TIMEOUT_SECONDS, request.timeout_seconds),
            sock_read=request.timeout_seconds,
        )
        try:
            # `encoded`: the URL that was signed is the one that is sent.
            async with session.request(
                request.method,
                yarl.URL(request.url, encoded=True),
                data=request.body,
                headers=headers,
                proxy=proxy or None,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return NoAnswer(error, may_pass=not isinstance(error, aiohttp.ClientConnectorCertificateError))
        return Response(response.status, {name.lower(): value for name, value in response.headers.items()}, body)

    async def _session_of_this_loop(self, request: Request) -> aiohttp.ClientSession:
        self.check_open(request.job_id)  # `auth` may have taken a while
        loop, old = asyncio.get_running_loop(), None
        if self._session and self._loop is not loop:
            self._check_loop(request.job_id)
            old, self._session = self._session, None
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_MOST_CONNECTIONS)
            # Without `trust_env`, which would also replace the signature with a password from ~/.netrc.
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
            self._loop = loop
        session = self._session
        if old:
            await old.close()
        return session

    def _check_loop(self, job_id: str | None = None) -> None:
        """Raise if the session belongs to another event loop that may still be using it."""
        if self._loop and self._loop is not asyncio.get_running_loop() and not self._loop.is_closed():
            raise AIJobsError(
                "this client's connections belong to another event loop that is not closed: use one AsyncJobsClient "
                "per event loop",
                "WRONG_EVENT_LOOP",
                job_id,
            )
