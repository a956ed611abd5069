"""Calls the HTTP API, and shows all of the answer."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from scripts.project import credentials


@dataclass(frozen=True)
class Answer:
    """One answer; the headers are by name in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        """The parsed JSON; None when there is no body."""
        return json.loads(self.content) if self.content else None

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.body["error"]["code"])


class Caller:
    """Signs its requests with the local credentials.

    Args:
        url: of the API, with the stage.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        keys = credentials()
        self._region = keys["AWS_REGION"]
        self._credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])

    def signature(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers, and those of the signature."""
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        SigV4Auth(self._credentials, "execute-api", self._region).add_auth(request)
        return dict(request.headers.items())

    def __call__(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, *, sign: bool = True
    ) -> Answer:
        """Send a request.

        Args:
            path: with the query; escaped, and signed as it is.
            body: bytes, or what becomes JSON.
        """
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        own = ({} if content is None else {"Content-Type": "application/json"}) | dict(headers or {})
        url = self.url + path
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            target = url.removeprefix(f"{parts.scheme}://{parts.netloc}")
            connection.request(method, target, content, self.signature(method, url, content, own) if sign else own)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read())
        finally:
            connection.close()
