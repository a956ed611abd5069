"""Connections on which no response is lost.

Terraform's AWS provider repeats a request without a response. If it was carried out, what the provider wants to create
exists already, and the apply fails after minutes of further tries. Two things in hypercorn, MiniStack's server, lose
responses:

- MiniStack closes a connection that was idle for 75 s, and a request that arrives at that moment may be carried out
  without a response. The provider's waits of 25 s for each queue add up to 75 s.
- The head of a response and its body are two packets. The AWS SDK for Go closes the request's body as soon as it has
  the head. If Go's transport has not read that body to its end by then, which takes microseconds on an idle machine,
  and milliseconds on a busy one, it closes the connection. A response that is there as a whole survives that; the rest
  of one does not. The ASGI specification wants both together, too
  (https://asgi.readthedocs.io/en/latest/specs/www.html#response-start-send-event).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h11
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.h11 import H11Protocol

if TYPE_CHECKING:
    from types import ModuleType

KEEP_ALIVE_SECONDS = 3600
"""Longer than any client keeps an idle connection: 90 s in the AWS SDK for Go, and so in Terraform's provider."""


class WholeResponses(H11Protocol):
    """HTTP/1.1 that sends the head of a response together with the beginning of its body."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._pass_on, self.send = self.send, self._send_together
        self._is_head = False
        self._head = b""

    async def handle(self, event: Event) -> None:
        """As in hypercorn, which keeps a connection that its client has closed until it would have been idle for too
        long."""
        await super().handle(event)
        if isinstance(event, Closed):
            await self._pass_on(event)

    async def _send_h11_event(self, event: Any) -> None:
        self._is_head = isinstance(event, h11.Response)
        await super()._send_h11_event(event)

    async def _send_together(self, event: Event) -> None:
        if isinstance(event, RawData):
            data, self._head = self._head + event.data, b""
            if self._is_head:
                self._is_head, self._head = False, data
                return
            if not data:  # the end of a body whose length the head has told
                return
            event = RawData(data)
        await self._pass_on(event)


def install(hypercorn: ModuleType | Any) -> None:
    """Make hypercorn keep idle connections, whatever MiniStack asks of it, and send whole responses."""
    serve = hypercorn.asyncio.serve

    async def serve_patiently(application: Any, config: Any, **options: Any) -> None:
        config.keep_alive_timeout = KEEP_ALIVE_SECONDS
        await serve(application, config, **options)

    hypercorn.asyncio.serve = serve_patiently
    hypercorn.protocol.H11Protocol = WholeResponses
