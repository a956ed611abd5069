"""Calls the deployed jobs API, signed in whatever way a test wants, and shows all of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ai_jobs.client.wire import Request
from scripts.local_api import Api, local_auth

Auth = Callable[[Request], Mapping[str, str]]


@dataclass(frozen=True)
class Answer:
    """One answer; the headers are by name in lower case, and `body` is None when there is none."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.body["error"]["code"])


class Caller:
    """Calls the API.

    Args:
        url: of the API, with the stage.
        auth: gives the headers of the signature; the local credentials' unless given.
    """

    def __init__(self, url: str, auth: Auth | None = None) -> None:
        self.url = url
        self._signed, self._unsigned = Api(url, auth or local_auth()), Api(url, lambda _: {})

    def __call__(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, *, sign: bool = True
    ) -> Answer:
        """Send a request.

        Args:
            path: with the query, percent-encoded.
            body: bytes, or what becomes JSON.
        """
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        status, received, answer = (self._signed if sign else self._unsigned).request(method, path, content, headers)
        return Answer(status, received, answer if answer != "" else None)
