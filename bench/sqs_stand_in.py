"""A stand-in for SQS whose receives stay fast with very many messages in a queue.

    python -m bench.sqs_stand_in

The local AWS searches its whole queue for each receive, which SQS does not. This one is a process of its own that
speaks SQS's JSON protocol, takes as long for a call as SQS in the same region does, and hands out messages in no
particular order. It prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import random
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

CALL_SECONDS = 0.012
"""What a call takes beyond the client's own work: the order of magnitude of SQS from a function in the same region."""


@dataclass
class Queue:
    """Messages by their receipt handle, which here stays the same."""

    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    visible: list[str] = field(default_factory=list)
    hidden_until: dict[str, float] = field(default_factory=dict)
    due: list[tuple[float, str]] = field(default_factory=list)

    def add(self, entry: dict[str, Any]) -> dict[str, str]:
        handle = str(uuid.uuid4())
        self.messages[handle] = {
            "MessageId": handle,
            "ReceiptHandle": handle,
            "Body": entry["MessageBody"],
            "MessageAttributes": entry.get("MessageAttributes", {}),
            "Attributes": {"SentTimestamp": str(int(time.time() * 1000)), "ApproximateReceiveCount": "0"},
        }
        self.visible.append(handle)
        return {"MessageId": handle}

    def receive(self, most: int, hidden_seconds: float) -> list[dict[str, Any]]:
        self._show_what_is_due()
        received: list[dict[str, Any]] = []
        while self.visible and len(received) < most:
            place = random.randrange(len(self.visible))
            self.visible[place], self.visible[-1] = self.visible[-1], self.visible[place]
            message = self.messages.get(self.visible.pop())
            if message:
                counts = message["Attributes"]
                counts["ApproximateReceiveCount"] = str(int(counts["ApproximateReceiveCount"]) + 1)
                self.hide(message["ReceiptHandle"], hidden_seconds)
                received.append(message)
        return received

    def hide(self, handle: str, seconds: float) -> None:
        if handle in self.messages:
            until = time.monotonic() + seconds
            self.hidden_until[handle] = until
            heapq.heappush(self.due, (until, handle))

    def delete(self, handle: str) -> None:
        self.messages.pop(handle, None)
        self.hidden_until.pop(handle, None)

    def counts(self) -> dict[str, str]:
        self._show_what_is_due()
        hidden = len(self.hidden_until)
        return {
            "ApproximateNumberOfMessages": str(len(self.messages) - hidden),
            "ApproximateNumberOfMessagesNotVisible": str(hidden),
            "ApproximateNumberOfMessagesDelayed": "0",
        }

    def _show_what_is_due(self) -> None:
        while self.due and self.due[0][0] <= time.monotonic():
            until, handle = heapq.heappop(self.due)
            if self.hidden_until.get(handle) == until:
                del self.hidden_until[handle]
                self.visible.append(handle)


class StandIn:
    """All queues, by URL."""

    def __init__(self) -> None:
        self._queues: dict[str, Queue] = {}

    async def answer(self, request: web.Request) -> web.Response:
        _, action = request.headers["X-Amz-Target"].split(".")
        given = json.loads(await request.read())
        if action == "CreateQueue":
            url = f"http://{request.host}/000000000000/{given['QueueName']}"
            self._queues[url] = Queue()
            said: dict[str, Any] = {"QueueUrl": url}
        else:
            said = getattr(self, f"_{action}")(self._queues[given["QueueUrl"]], given)
        await asyncio.sleep(CALL_SECONDS)
        return web.json_response(said, content_type="application/x-amz-json-1.0")

    def _SendMessage(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return queue.add(given)

    def _SendMessageBatch(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Successful": [{"Id": entry["Id"]} | queue.add(entry) for entry in given["Entries"]], "Failed": []}

    def _ReceiveMessage(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Messages": queue.receive(given["MaxNumberOfMessages"], given.get("VisibilityTimeout", 30))}

    def _DeleteMessage(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        queue.delete(given["ReceiptHandle"])
        return {}

    def _ChangeMessageVisibilityBatch(self, queue: Queue, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for entry in given["Entries"]:
            queue.hide(entry["ReceiptHandle"], entry["VisibilityTimeout"])
        return {"Successful": [{"Id": entry["Id"]} for entry in given["Entries"]], "Failed": []}

    def _GetQueueAttributes(self, queue: Queue, _: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Attributes": queue.counts()}


async def main() -> None:
    """Serve on a free port of the loopback interface until standard input ends."""
    application = web.Application()
    application.router.add_post("/{path:.*}", StandIn().answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
