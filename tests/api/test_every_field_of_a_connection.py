"""Every field of a create request, with a value that is not its default, through create, an unrelated update, show and the store.

The fields are read off the shape. A field without a case here fails, also one that is added later.
"""

import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from landbridge.model import allowed_values
from landbridge.store import codec
from landbridge.wire import connection_requests, connections
from landbridge.wire.body import Shape

PATH, ENVELOPE = "vpn-connection", "vpn_connection"
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


def _fields(shape: type[Shape], before: str = "") -> Iterator[str]:
    """The place of every field that holds no shape itself; `[]` stands for an item of a list."""
    for name, described in shape.model_fields.items():
        place = before + (described.alias or name)
        inner = [(each, found) for each in _parts(described.annotation) for found in [_shape_in(each)] if found]
        if not inner:
            yield place
        for annotation, found in inner:
            yield from _fields(found, f"{place}{'[]' if typing.get_origin(annotation) is tuple else ''}.")


def _parts(annotation: Any) -> tuple[Any, ...]:
    """`A | None` -> A and None."""
    return (annotation,) if typing.get_origin(annotation) is tuple else typing.get_args(annotation) or (annotation,)


def _shape_in(annotation: Any) -> type[Shape] | None:
    candidates = (annotation, *typing.get_args(annotation))
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, Shape)), None)


FIELDS = [place for place in _fields(connection_requests.CreateConnection) if place.split("[]")[0] not in REFUSED]


def _put(body: dict[str, Any], place: str, value: Any) -> None:
    first, _, rest = place.partition(".")
    if not rest:
        body[first] = value
    elif first.endswith("[]"):
        _put(body.setdefault(first[:-2], [{}])[0], rest, value)
    else:
        _put(body.setdefault(first, {}), rest, value)


def _at(body: Any, place: str) -> Any:
    """What stands at a place; None where nothing does."""
    for part in place.split("."):
        body = body.get(part.removesuffix("[]")) if body is not None else None
        body = body[0] if body and part.endswith("[]") else body
    return body


@dataclass(frozen=True)
class Made:
    """A gateway with another endpoint than a usual request names, and another device."""

    api: Any
    data: Any
    gateway: Any
    peer: Any

    def value(self, name: Any) -> Any:
        given = {"gateway": self.gateway["id"], "endpoint": self.gateway["eip2"]["id"], "peer": self.peer["id"]}
        return given.get(GIVEN.get(name, name) if isinstance(name, str) else "", name)

    def create(self, peer: Any, *cases: dict[str, Any]) -> Any:
        body = self.api.wish(self.gateway, peer)
        for case in cases:
            for place, value in case.items():
                _put(body, place, self.value(value))
        return self.api.create(PATH, ENVELOPE, body)

    def stored(self, connection_id: str) -> tuple[Any, str]:
        """What the row has, as an answer would say it, and its PSK."""

        def read(tx: Any) -> Any:
            query = "SELECT spec, psk FROM connection WHERE id = ?"
            return tx.cursor.execute(query, (connection_id,)).fetchone()

        spec, psk = self.data.database.read(read)
        return connections.connection(codec.connection.validate_json(spec)), self.data.vault.open(
            psk, connection_id
        ).decode()


@pytest.fixture
def made(shared_service: Any) -> Made:
    api = shared_service.api()
    return Made(api, shared_service.data, api.gateway(), api.customer_gateway())


def test_every_field_of_the_request_has_a_case():
    assert set(FIELDS) == set(CASES)
    assert set(REFUSED) == {place.split("[]")[0] for place in _fields(connection_requests.CreateConnection)} - {
        place.split("[]")[0] for place in FIELDS
    }


@pytest.mark.parametrize("place", [place for place in CASES if CASES[place].value is ONLY])
def test_a_field_without_another_value_has_one_alone(place: str):
    table = allowed_values.IKE if place.startswith("ike") else allowed_values.IPSEC
    allowed = getattr(table, place.split(".")[1])
    assert allowed.values == (allowed.default,)


@pytest.mark.parametrize("place", [place for place in CASES if CASES[place].value is not ONLY])
def test_a_value_that_is_not_the_default_goes_all_the_way(made: Made, place: str):
    case = CASES[place]
    others = {name: value for name, value in case.others.items() if name != place}
    answer = made.create(made.peer, others, {place: case.value})
    expected = case.answered or made.value(case.value)
    unrelated = {"enable_hub": True} if place != "enable_hub" else {"name": "another"}
    updated = made.api.send("PUT", f"{PATH}/{answer['id']}", {ENVELOPE: unrelated})
    assert updated.status_code == 200, updated.text
    shown = made.api.get(f"{PATH}/{answer['id']}")[ENVELOPE]
    connections.ConnectionAnswer.model_validate(shown, extra="forbid")  # the document names the field
    stored, psk = made.stored(answer["id"])
    looks = (answer, updated.json()[ENVELOPE], shown, stored)
    if place == "psk":
        assert psk == expected
        assert expected not in str(looks)
        return
    if place == "enable_health_check":
        assert len({_at(look, "connection_monitor_id") for look in looks} - {None}) == 1
        return
    said = [_at(look, place) for look in looks]
    assert [list(each) if isinstance(each, tuple) else each for each in said] == [expected] * len(looks)


@pytest.mark.parametrize("place", [place for place in CASES if CASES[place].value is not ONLY])
def test_the_value_of_a_case_is_not_the_default(made: Made, place: str):
    case = CASES[place]
    plain = made.create(made.api.customer_gateway())
    if place != "vgw_id":
        assert _at(plain, place) != (case.answered or made.value(case.value))


@pytest.mark.parametrize("place", REFUSED)
def test_what_is_not_carried_yet_is_refused(made: Made, place: str):
    body = made.api.wish(made.gateway, made.peer, **{place: REFUSED[place]})
    assert set(made.api.refused(PATH, ENVELOPE, body)) == {place}
