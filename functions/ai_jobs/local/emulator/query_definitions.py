"""The saved queries of CloudWatch Logs Insights: they are kept, as long as the process runs, and never run.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutQueryDefinition.html
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_TARGET = b"x-amz-target"
_OPERATIONS = {
    f"Logs_20140328.{name}".encode(): name
    for name in ("PutQueryDefinition", "DescribeQueryDefinitions", "DeleteQueryDefinition")
}
_KEPT = ("name", "queryString", "logGroupNames", "queryLanguage")


def operation_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The operation that a request's headers name (names in lower case); None if it is not one on saved queries."""
    target = next((value for name, value in headers if name == _TARGET), b"")
    return _OPERATIONS.get(target)


class QueryDefinitions:
    """All saved queries, by their id."""

    def __init__(self) -> None:
        self._by_id: dict[str, dict[str, Any]] = {}

    def answer(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """The HTTP status and the body (JSON) of a response."""
        request = json.loads(body)
        if operation == "PutQueryDefinition":
            status, response = self._put(request)
        elif operation == "DeleteQueryDefinition":
            status, response = self._delete(request)
        else:
            status, response = 200, {"queryDefinitions": self._starting_with(request.get("queryDefinitionNamePrefix"))}
        return status, json.dumps(response).encode()

    def _put(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        given = request.get("queryDefinitionId")
        if given and given not in self._by_id:
            return _not_found(given)
        key = given or str(uuid.uuid4())
        kept = {name: request[name] for name in _KEPT if name in request}
        self._by_id[key] = kept | {"queryDefinitionId": key, "lastModified": int(time.time() * 1000)}
        return 200, {"queryDefinitionId": key}

    def _delete(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        key = request["queryDefinitionId"]
        return (200, {"success": True}) if self._by_id.pop(key, None) else _not_found(key)

    def _starting_with(self, prefix: str | None) -> list[dict[str, Any]]:
        return [one for one in self._by_id.values() if one["name"].startswith(prefix or "")]


def _not_found(key: str) -> tuple[int, dict[str, Any]]:
    return 400, {"__type": "ResourceNotFoundException", "message": f"There is no query definition {key}."}
