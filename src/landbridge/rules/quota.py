"""Checks the quotas of a project: how many resources of a kind it may have."""

from collections.abc import Iterator

from landbridge import model

#: The kinds, in the order of the page. A kind is the name of the resource in the body of a create.
KINDS = ("customer_gateway", "vpn_connection", "vpn_gateway")
WITHOUT_LIMIT = 0


def check(kind: str, limit: int, used: int) -> Iterator[model.Violation]:
    """Checks that there is room for one more resource of the kind."""
    if limit != WITHOUT_LIMIT and used >= limit:
        noun = kind.replace("_", " ").replace("vpn", "VPN")
        yield model.Violation(kind, f"the project has {used} {noun}s", f"its quota is {limit}")
