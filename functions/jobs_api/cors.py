"""What lets a page in a browser read an answer (CORS). The gateway adds the same to its own: modules/api/cors.tf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

EXPOSED_HEADERS = "ETag, Location, Retry-After, x-amzn-RequestId"
"""What a page may read of an answer beside its body."""


def headers(allow_origins: Sequence[str], sent: Mapping[str, str]) -> dict[str, str]:
    """The headers for the answer to a request.

    A header names one origin. An origin that is not allowed is answered with one that is, which its browser refuses.

    Args:
        allow_origins: the origins whose pages may call, or `("*",)`; none when no page may.
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
