"""The proxy that the environment names, for both clients alike."""

from __future__ import annotations

from urllib.parse import urlsplit


def proxy_for(url: str) -> str:
    """The proxy for a URL (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY); empty when there is none."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"
