"""Every field of a request for a connection, with a value that is not its default. The fields are read off the shapes of the wire."""

import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from landbridge.wire import connection_requests
from landbridge.wire.body import Shape

#: The value of a field that allows one value.
ONLY = object()


@dataclass(frozen=True)
class Case:
    """`value` at the field's place; `others`: what the value needs beside it, by place; `answered`: how the answer says it."""

    value: Any
    others: dict[str, Any] = field(default_factory=dict)
    answered: Any = None


POLICY: dict[str, Any] = {
    "style": "policy",
    "policy_rules[].source": "10.0.0.0/25",
    "peer_subnets": ["192.168.44.0/24"],
}
RULE = POLICY | {"policy_rules[].destination": ["192.168.44.0/24"]}
V1 = {"ikepolicy.ike_version": "v1"}
FQDN = {"ikepolicy.local_id_type": "fqdn", "ikepolicy.local_id": "hq.example"}
PEER_FQDN = {"ikepolicy.peer_id_type": "fqdn", "ikepolicy.peer_id": "branch.example"}
#: Fields that name what is there before: the case has it from the fixture.
GIVEN = {"vgw_id": "gateway", "vgw_ip": "endpoint", "cgw_id": "peer"}
CASES = {
    "name": Case("site-7"),
    **{name: Case(name) for name in GIVEN},
    "style": Case("policy", RULE, answered="POLICY"),
    "peer_subnets": Case(["192.168.77.0/24", "192.168.78.0/24"]),
    "tunnel_local_address": Case("169.254.77.2/30"),
    "tunnel_peer_address": Case("169.254.77.2/30"),
    "enable_nqa": Case(value=True),
    "enable_hub": Case(value=True),
    "enable_health_check": Case(value=True),
    "psk": Case("Another-Key-7"),
    "ha_role": Case("slave", {"vgw_ip": "endpoint"}),
    "policy_rules[].rule_index": Case(7, RULE),
    "policy_rules[].source": Case("10.0.0.0/26", RULE),
    "policy_rules[].destination": Case(["192.168.44.0/25"], RULE),
    "tags[].key": Case("site", {"tags[].value": "berlin"}),
    "tags[].value": Case("berlin", {"tags[].key": "site"}),
    "ikepolicy.ike_version": Case("v1"),
    "ikepolicy.phase1_negotiation_mode": Case("aggressive", V1),
    "ikepolicy.authentication_algorithm": Case("sha2-512"),
    "ikepolicy.encryption_algorithm": Case("aes-256-gcm-16"),
    "ikepolicy.dh_group": Case("group21"),
    "ikepolicy.authentication_method": Case(ONLY),
    "ikepolicy.lifetime_seconds": Case(604799),
    "ikepolicy.local_id_type": Case("fqdn", FQDN),
    "ikepolicy.local_id": Case("hq.example", FQDN),
    "ikepolicy.peer_id_type": Case("fqdn", PEER_FQDN),
    "ikepolicy.peer_id": Case("branch.example", PEER_FQDN),
    "ikepolicy.dpd.interval": Case(3599),
    "ikepolicy.dpd.timeout": Case(59),
    "ikepolicy.dpd.msg": Case("seq-notify-hash"),
    "ipsecpolicy.authentication_algorithm": Case("sha2-512"),
    "ipsecpolicy.encryption_algorithm": Case("aes-256-gcm-16"),
    "ipsecpolicy.pfs": Case("disable"),
    "ipsecpolicy.transform_protocol": Case(ONLY),
    "ipsecpolicy.lifetime_seconds": Case(604799),
    "ipsecpolicy.encapsulation_mode": Case(ONLY),
}
#: Refused as a whole, until a later version carries IPv6.
REFUSED = {"peer_subnets_v6": ["2001:db8::/32"], "policy_rules_v6": [{}]}


def places(shape: type[Shape], before: str = "") -> Iterator[str]:
    """The place of every field that holds no shape itself; `[]` stands for an item of a list."""
    for name, described in shape.model_fields.items():
        place = before + (described.alias or name)
        inner = [(each, found) for each in _parts(described.annotation) for found in [_shape_in(each)] if found]
        if not inner:
            yield place
        for annotation, found in inner:
            yield from places(found, f"{place}{'[]' if typing.get_origin(annotation) is tuple else ''}.")


def _parts(annotation: Any) -> tuple[Any, ...]:
    """`A | None` -> A and None."""
    return (annotation,) if typing.get_origin(annotation) is tuple else typing.get_args(annotation) or (annotation,)


def _shape_in(annotation: Any) -> type[Shape] | None:
    candidates = (annotation, *typing.get_args(annotation))
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, Shape)), None)


def carried(shape: type[connection_requests.CreateConnection]) -> list[str]:
    """The places of all fields that the service carries."""
    return [place for place in places(shape) if place.split("[]")[0] not in REFUSED]


def put(body: dict[str, Any], place: str, value: Any) -> None:
    """Writes a value at a place of a body, and what is missing on the way to it."""
    first, _, rest = place.partition(".")
    if not rest:
        body[first] = value
    elif first.endswith("[]"):
        put(body.setdefault(first[:-2], [{}])[0], rest, value)
    else:
        put(body.setdefault(first, {}), rest, value)


def at(body: Any, place: str) -> Any:
    """What stands at a place; None where nothing does."""
    for part in place.split("."):
        body = body.get(part.removesuffix("[]")) if body is not None else None
        body = body[0] if body and part.endswith("[]") else body
    return body
