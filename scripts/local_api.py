"""Single calls of the local jobs API, with the raw status and headers. To work with jobs, use `JobsClient`."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.credentials import Credentials

from ai_jobs import SigV4Auth
from ai_jobs.client.wire import Request
from ai_jobs.local.environment import CREDENTIALS
from ai_jobs.local.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def local_auth() -> SigV4Auth:
    """Signs with the fake keys of the local AWS, regardless of the caller's own AWS configuration."""
    keys = Credentials(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
    return SigV4Auth(CREDENTIALS["AWS_REGION"], keys)


class Api:
    """The jobs API.

    Args:
        auth: returns the headers that sign a request; by default, it signs with the local credentials.
    """

    def __init__(self, url: str, auth: Callable[[Request], Mapping[str, str]] | None = None) -> None:
        self._url = url.rstrip("/")
        self._auth = auth or local_auth()

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """The status and the parsed body of one call; the body is text if it is not JSON."""
        status, _, answer = self.request(method, path, body)
        return status, answer

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """The status, the headers (names in lower case), and the body of one call, as `call` returns it.

        Args:
            path: the path and the query, percent-encoded.

        Raises:
            Failure: if there is no response.
        """
        url = f"{self._url}{path}"
        content_type = {"Content-Type": "application/json"} if body is not None else {}
        sent = content_type | dict(headers or {})
        sent |= self._auth(Request(method, url, sent, body))
        parts = urlsplit(url)
        # Not urllib.request, which would send even loopback through a proxy from the environment.
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, sent)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{method} {url}: {error}") from error
        finally:
            connection.close()
        received = {name.lower(): value for name, value in response.getheaders()}
        try:
            return response.status, received, json.loads(text)
        except ValueError:
            return response.status, received, text
