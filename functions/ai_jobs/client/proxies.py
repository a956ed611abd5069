"""The proxy that the environment names, for both clients."""

from __future__ import annotations

from urllib.parse import urlsplit

from ai_jobs.client.exceptions import InvalidArgumentError
from ai_jobs.client.urls import is_http_url


def proxy_for(url: str, job_id: str | None = None) -> str:
    """The proxy for a URL (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY); empty if there is none.

    Raises:
        InvalidArgumentError: if it is not one that both HTTP libraries support; it names the job.
    """
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    named = proxy if "://" in proxy else f"http://{proxy}"
    if not is_http_url(named):
        shown = named.rpartition("@")[2]  # without a password
        raise InvalidArgumentError(
            f"the environment's proxy is {shown!r}: it must be an http:// or https:// URL; correct HTTPS_PROXY, or add "
            "the API's host to NO_PROXY",
            job_id,
        )
    return named
