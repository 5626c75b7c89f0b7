"""Checks that a request comes from one of the console's own pages. No other request may change anything (cross-site request forgery).

A browser says with `Sec-Fetch-Site` who made a request, and an older one with `Origin`; no page of another site can change these headers. A request
without both comes from no browser, so it carries no cookie that somebody else could use.
Source: https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site and RFC 6454.
"""

from collections.abc import Mapping


def is_own(headers: Mapping[str, str]) -> bool:
    """Whether a request that changes something may do so. `headers`: names in lower case."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or (bool(headers.get("host")) and origin.partition("://")[2] == headers.get("host"))


def is_typed(headers: Mapping[str, str]) -> bool:
    """Whether a person opened the address itself: typed it, or opened it from a terminal. A redirect by a page of the console is not that."""
    return headers.get("sec-fetch-site") == "none"
