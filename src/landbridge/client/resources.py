"""The kinds of resources that commands name, and the id of a name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from landbridge.client import failures
from landbridge.client.api import Api

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
#: A shorter text is no prefix of an id, since it could match another resource by accident.
_PREFIX = re.compile(r"[0-9a-f][0-9a-f-]{3,35}", re.ASCII)
#: Resources of a page: the largest pages that the API gives.
PAGE, STATUS_PAGE = 2000, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`word`: in commands. `path`: of the collection below /v5. `tagged`: in the paths of tags. `statuses`: of our list with statuses."""

    word: str
    title: str
    path: str
    envelope: str
    tagged: str
    statuses: str = ""

    @property
    def collection(self) -> str:
        return f"{self.envelope}s"


GATEWAY = Kind(
    word="gateway",
    title="VPN gateway",
    path="vpn-gateways",
    envelope="vpn_gateway",
    tagged="vpn-gateway",
    statuses="vpn-gateways",
)
CUSTOMER_GATEWAY = Kind(
    word="customer-gateway",
    title="customer gateway",
    path="customer-gateways",
    envelope="customer_gateway",
    tagged="customer-gateway",
)
CONNECTION = Kind(
    word="connection",
    title="connection",
    path="vpn-connection",
    envelope="vpn_connection",
    tagged="vpn-connection",
    statuses="vpn-connections",
)
KINDS = {kind.word: kind for kind in (GATEWAY, CUSTOMER_GATEWAY, CONNECTION)}


def is_id(text: str) -> bool:
    return bool(_ID.fullmatch(text.lower()))


def find(api: Api, kind: Kind, given: str) -> str:
    """The id that `given` names: a whole id, a whole name, or the first four or more digits of an id. Raises NotFound and, when several
    resources are meant, Usage.
    """
    if is_id(given):
        return given.lower()
    named = api.send(
        "POST",
        api.v5(kind.tagged, "resource-instances", "filter"),
        {"matches": [{"key": "resource_name", "value": given}]},
    )["resources"]
    ids = [resource["resource_id"] for resource in named]
    if not ids and _PREFIX.fullmatch(given.lower()):
        ids = [resource["id"] for resource in list_all(api, kind) if resource["id"].startswith(given.lower())]
    if not ids:
        raise failures.NotFound(f"no {kind.title} has the name {given}, or an id that begins with it")
    if len(ids) > 1:
        raise failures.Usage(f"{given} is ambiguous, give the id: {len(ids)} {kind.title}s are {', '.join(ids)}")
    return str(ids[0])


def list_all(api: Api, kind: Kind, **query: object) -> Iterator[dict[str, Any]]:
    """All resources of a kind, as the API lists them."""
    if kind is GATEWAY:  # a list without pages
        yield from api.get(api.v5(kind.path), **query)[kind.collection]
    else:
        yield from api.pages(api.v5(kind.path), kind.collection, PAGE, **query)


def list_statuses(api: Api, kind: Kind, **query: object) -> Iterator[dict[str, Any]]:
    """The statuses of all resources of a kind, each with its time and its reason."""
    yield from api.pages(api.ours(kind.statuses), kind.collection, STATUS_PAGE, **query)


def names(api: Api, kind: Kind) -> dict[str, str]:
    """id -> name of all resources of a kind."""
    return {resource["id"]: resource["name"] for resource in list_all(api, kind)}
