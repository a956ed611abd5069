"""The headers that let a page in a browser read a response (CORS). modules/api/cors.tf sets them for the gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

EXPOSED_HEADERS = "ETag, Location, Retry-After, x-amzn-RequestId"
"""The headers that a page may read, in addition to the body."""


def headers(allow_origins: Sequence[str], sent: Mapping[str, str]) -> dict[str, str]:
    """The headers for the response to a request.

    The header names one origin. A request from an origin that is not allowed gets one that is, and its browser then
    refuses to show the response.

    Args:
        allow_origins: the origins whose pages may call, or `("*",)`; empty if no page may.
        sent: the headers of the request.
    """
    if not allow_origins:
        return {}
    named = next((value for name, value in sent.items() if name.lower() == "origin"), "")
    allowed = {
        "Access-Control-Allow-Origin": named if named in allow_origins else allow_origins[0],
        "Access-Control-Expose-Headers": EXPOSED_HEADERS,
    }
    return allowed | ({"Vary": "Origin"} if len(allow_origins) > 1 else {})
