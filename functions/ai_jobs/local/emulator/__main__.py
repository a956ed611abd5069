"""Runs the local AWS. It takes MiniStack's environment variables, and no arguments.

python -m ai_jobs.local.emulator
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypercorn.asyncio
import hypercorn.protocol
from ministack import app as ministack
from ministack.core import iam_actions
from ministack.services import apigateway_v1, appconfig, cloudwatch, lambda_svc

from ai_jobs.local.emulator import alarms, authorization, connections, descriptions, query_definitions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# What a load balancer that terminates TLS adds; MiniStack evaluates aws:SecureTransport by it. Whoever talks to
# loopback counts as having used TLS, so that policies that deny plain HTTP are in force, and let this machine through.
_OVER_TLS = (b"x-forwarded-proto", b"https")


class Emulator:
    """An ASGI application: MiniStack's, and the operations that it does not have."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._query_definitions = query_definitions.QueryDefinitions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection (https://asgi.readthedocs.io/en/latest/specs/main.html)."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        operation = query_definitions.operation_of(scope["headers"])
        if operation:
            await _send(send, *self._query_definitions.answer(operation, await _body(receive)))
            return
        await self._application({**scope, "headers": [*scope["headers"], _OVER_TLS]}, receive, send)


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/x-amz-json-1.1"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """Serve until the process is ended."""
    authorization.install(iam_actions)
    alarms.install(cloudwatch)
    descriptions.install(appconfig, apigateway_v1, lambda_svc)
    connections.install(hypercorn)
    ministack.app = Emulator(ministack.app)
    ministack.main()


if __name__ == "__main__":
    main()
