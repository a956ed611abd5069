"""The client for asyncio: aiohttp under the rules of the core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ai_jobs.client.core import Core, list_filters, submit_options
from ai_jobs.client.proxies import proxy_for
from ai_jobs.client.wire import CONNECT_TIMEOUT_SECONDS, Auth, Emit, NoAnswer, Outcome, Pause, Request, Response, Steps

try:
    import aiohttp
    import yarl
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "AsyncJobsClient needs aiohttp: install the extra with pip install 'ai-jobs[async]'", name=error.name
    ) from error

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    from ai_jobs.client.job import Job
    from ai_jobs.messages import JobResult

T = TypeVar("T")

_MOST_CONNECTIONS = 100


class AsyncJobsClient:
    """`JobsClient` for asyncio: the same arguments, methods, rules and errors. Use it as an async context manager.

    Proxies are those of the environment. `auth` is called in a thread, since it may have to fetch credentials.
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
        user_id: str | None = None,
        job_id: str | UUID | None = None,
        trace_id: str | None = None,
        deadline_seconds: int | None = None,
        delay_seconds: int | None = None,
    ) -> Job:
        """As `JobsClient.submit`."""
        options = submit_options(user_id, trace_id, deadline_seconds, delay_seconds)
        return await self._run(self._core.submit(job_type, input, job_id, options))

    async def get(self, job: Job | str) -> Job:
        """As `JobsClient.get`."""
        return await self._run(self._core.get(job))

    async def wait(self, job: Job | str, timeout_seconds: float = 300.0) -> Job:
        """As `JobsClient.wait`."""
        return await self._run(self._core.wait(job, timeout_seconds))

    def iter_results(self, jobs: Iterable[Job | str], timeout_seconds: float = 300.0) -> AsyncIterator[Job]:
        """As `JobsClient.iter_results`, for `async for`."""
        return self._iterate(self._core.follow(jobs, timeout_seconds))

    def list(
        self,
        *,
        user_id: str | None = None,
        status: str | None = None,
        job_type: str | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[Job]:
        """As `JobsClient.list`, for `async for`."""
        return self._iterate(self._core.list_jobs(list_filters(user_id, status, job_type, page_size)))

    async def cancel(self, job: Job | str) -> Job:
        """As `JobsClient.cancel`."""
        return await self._run(self._core.cancel(job))

    async def result(self, job: Job | str) -> JobResult:
        """As `JobsClient.result`."""
        return await self._run(self._core.result(job))

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def __aenter__(self) -> AsyncJobsClient:
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


class _Transport:
    """Sends requests with aiohttp; the session belongs to the event loop of the first request."""

    def __init__(self, auth: Auth | None) -> None:
        self._auth = auth
        self._session: aiohttp.ClientSession | None = None

    async def send(self, requests: tuple[Request, ...]) -> list[Outcome]:
        return list(await asyncio.gather(*(self._send(request) for request in requests)))

    async def close(self) -> None:
        session, self._session = self._session, None
        if session:
            await session.close()

    async def _send(self, request: Request) -> Outcome:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_MOST_CONNECTIONS)
            # Without `trust_env`: that would also put a password of ~/.netrc in the place of the signature.
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        headers = dict(request.headers)
        if self._auth and request.signed:
            headers |= await asyncio.to_thread(self._auth, request)
        try:
            # `encoded`: what was signed is what is sent.
            async with self._session.request(
                request.method,
                yarl.URL(request.url, encoded=True),
                data=request.body,
                headers=headers,
                proxy=proxy_for(request.url) or None,
                timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_SECONDS, sock_read=request.timeout_seconds),
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return NoAnswer(error, may_pass=not isinstance(error, aiohttp.ClientConnectorCertificateError))
        return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)
