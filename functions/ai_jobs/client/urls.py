"""What the client accepts as a URL."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# `urlsplit` silently drops some of these, and the HTTP libraries disagree about the others.
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f]")


def is_http_url(url: object) -> bool:
    """Is it an http or https URL whose host can be looked up, and whose port is valid?"""
    if not isinstance(url, str) or _NOT_IN_URLS.search(url):
        return False
    try:
        parts = urlsplit(url)
        # Otherwise, a label of the host that is empty or too long raises deep in the asynchronous resolver.
        return parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:  # such a label, brackets that do not match, a port that is not a number up to 65,535
        return False
