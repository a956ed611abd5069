"""Idle connections are closed by whoever opened them.

MiniStack closes a connection that was idle for 75 s, and a request that arrives at that moment may be carried out
without a response. Terraform's AWS provider repeats such a request, and what it wants to create exists already. Its
waits of 25 s for each queue add up to 75 s: one apply in a dozen failed so.
"""

from __future__ import annotations

from typing import Any

KEEP_ALIVE_SECONDS = 3600
"""Longer than any client keeps an idle connection: 90 s in the AWS SDK for Go, and so in Terraform's provider."""


def install(hypercorn_asyncio: Any) -> None:
    """Make hypercorn.asyncio keep idle connections, whatever MiniStack asks of it."""
    serve = hypercorn_asyncio.serve

    async def serve_patiently(application: Any, config: Any, **options: Any) -> None:
        config.keep_alive_timeout = KEEP_ALIVE_SECONDS
        await serve(application, config, **options)

    hypercorn_asyncio.serve = serve_patiently
