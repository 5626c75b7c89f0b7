"""Versions of resources: `ETag` of an answer, `If-Match` of a change (RFC 9110, sections 8.8.3 and 13.1.1)."""

import hashlib
from collections.abc import Callable

from landbridge import errors


def etag(generation: int, *shown: str | int) -> str:
    """The version of a resource. It changes with everything that a GET shows, except the status (decision 26).

    `shown`: the resource as JSON, and the other values that a GET shows.
    """
    content = "\n".join(map(str, shown)).encode()
    return f'"{generation}-{hashlib.sha256(content).hexdigest()[:16]}"'


def check_match(if_match: str | None, current: Callable[[], str]) -> None:
    """Raises Changed when `if_match` does not list the current version. `current` is called only when it lists versions."""
    if if_match is None or if_match.strip() == "*":
        return
    version = current()
    if version not in map(str.strip, if_match.split(",")):
        raise errors.Changed(f"If-Match is {if_match[:80]}, and the resource is {version} by now; read it again")
