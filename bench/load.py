"""The load client: requests that are signed beforehand, sent at a fixed rate or by so many callers in turn."""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ai_jobs.local.environment import CREDENTIALS
from scripts.project import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONNECTIONS = 100


@dataclass(frozen=True)
class Request:
    """One signed request.

    Attributes:
        expected: the status of a response that counts as success.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    expected: int


@dataclass(frozen=True)
class Sent:
    """One request that was sent.

    Attributes:
        due: when it was to start, in seconds since 1970. In a closed loop, that is when it did start.
        seconds: from then until its response was read.
    """

    due: float
    seconds: float


def signed(
    service: str, method: str, url: str, body: bytes | None, headers: Mapping[str, str], expected: int = 200
) -> Request:
    """A request with the local AWS's keys, signed now, so that signing costs nothing while it is timed."""
    request = AWSRequest(method, url, data=body, headers=dict(headers))
    keys = Credentials(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(keys, service, CREDENTIALS["AWS_REGION"]).add_auth(request)
    return Request(method, url, dict(request.headers), body, expected)


def sqs_request(endpoint_url: str, action: str, document: dict[str, Any]) -> Request:
    """A call of SQS in its JSON protocol, signed as `signed` does."""
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}"}
    return signed("sqs", "POST", f"{endpoint_url}/", json.dumps(document).encode(), headers)


def open_loop(requests: Sequence[Request], rate: float) -> list[Sent]:
    """Send so many requests per second, however long each takes.

    A request that waits for a connection or for a busy client waits on its own time: latencies count from when the
    request was due, so that a stall shows in every request that it delays (no coordinated omission).

    Raises:
        Failure: if a response does not have the expected status.
    """
    return asyncio.run(_at_rate(requests, rate))


def closed_loop(requests: Sequence[Request], callers: int) -> list[Sent]:
    """Send the requests by so many callers, each of which waits for its response. Raises as `open_loop`."""
    return asyncio.run(_by_callers(requests, callers))


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The nearest-rank p50 and p99, in milliseconds: values that were measured, none in between."""
    ordered = sorted(seconds)
    return {f"p{rank}_ms": round(ordered[math.ceil(rank / 100 * len(ordered)) - 1] * 1000, 2) for rank in (50, 99)}


async def _at_rate(requests: Sequence[Request], rate: float) -> list[Sent]:
    async with _session() as session:
        start = time.time() + 0.1
        return await asyncio.gather(
            *(_send_at(session, request, start + number / rate) for number, request in enumerate(requests))
        )


async def _send_at(session: aiohttp.ClientSession, request: Request, due: float) -> Sent:
    await asyncio.sleep(max(0.0, due - time.time()))
    await _send(session, request)
    return Sent(due, time.time() - due)


async def _by_callers(requests: Sequence[Request], callers: int) -> list[Sent]:
    waiting = iter(requests)
    async with _session() as session:
        by_caller = await asyncio.gather(*(_send_in_turn(session, waiting) for _ in range(callers)))
    return [sent for some in by_caller for sent in some]


async def _send_in_turn(session: aiohttp.ClientSession, waiting: Iterator[Request]) -> list[Sent]:
    return [await _send_at(session, request, time.time()) for request in waiting]


def _session() -> aiohttp.ClientSession:
    # Without the environment's proxy, which could not reach loopback.
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS), trust_env=False)


async def _send(session: aiohttp.ClientSession, request: Request) -> None:
    async with session.request(request.method, request.url, data=request.body, headers=request.headers) as response:
        content = await response.read()
        if response.status != request.expected:
            text = content.decode(errors="replace")[:500]
            raise Failure(
                f"{request.method} {request.url} returned {response.status} instead of {request.expected}: {text}"
            )
