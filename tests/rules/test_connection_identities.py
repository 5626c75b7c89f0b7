"""local_id and peer_id with their types: what they default to, what they may be, and devices without an address."""

from typing import Any

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

EIP2 = "e2e2e2e2-0000-4000-8000-000000000002"
SIDES = pytest.mark.parametrize("side", ["local_id", "peer_id"])


def _ike(side: str, id_type: str | None, value: str | None) -> dict[str, Any]:
    return {"ikepolicy": {f"{side}_type": id_type, side: value}}


@pytest.mark.parametrize(
    ("changes", "where", "local_id"),
    [
        pytest.param({}, {}, "203.0.113.1", id="first-eip"),
        pytest.param({"vgw_ip": EIP2}, {}, "203.0.113.2", id="second-eip"),
        pytest.param({"vgw_ip": "10.1.0.6"}, {"network_type": "private"}, "10.1.0.6", id="private-address"),
    ],
)
@pytest.mark.parametrize("id_type", [None, "ip"])
def test_ids_of_type_ip_are_the_two_addresses(
    given: Any, changes: dict[str, Any], where: dict[str, Any], local_id: str, id_type: str | None
):
    ike = given.made(changes | {"ikepolicy": {"local_id_type": id_type, "peer_id_type": id_type}}, **where).ike_policy
    assert ("ip", local_id) == (ike.local_id_type, ike.local_id)
    assert (ike.peer_id_type, ike.peer_id) == ("ip", "198.51.100.2")


@SIDES
@pytest.mark.parametrize("id_type", [None, "ip"])
def test_an_explicit_address_is_used_and_returned(given: Any, side: str, id_type: str | None):
    ike = given.made(_ike(side, id_type, "192.168.1.2")).ike_policy
    assert (getattr(ike, f"{side}_type"), getattr(ike, side)) == ("ip", "192.168.1.2")


@SIDES
@pytest.mark.parametrize("id_type", [None, "ip"])
@pytest.mark.parametrize("value", ["", "branch.example", "192.168.1.256", "192.168.1.2/32", "2001:db8::1"])
def test_an_id_of_type_ip_must_be_an_address(given: Any, side: str, id_type: str | None, value: str):
    given.only(given.refusals(_ike(side, id_type, value)), f"ikepolicy.{side}", f"or {side}_type fqdn")


@SIDES
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a", id="one-character"),
        pytest.param("x" * 255, id="255-characters"),
        pytest.param("Branch.Example", id="case-kept"),
        pytest.param("10.20.30.40", id="looks-like-an-address"),
        pytest.param("user@site", id="looks-like-mail"),
        pytest.param("!\"#$%'()*+,-./:;=?@^_`{|}~", id="every-special"),
    ],
)
def test_a_sound_fqdn_is_kept(given: Any, side: str, value: str):
    ike = given.made(_ike(side, "fqdn", value)).ike_policy
    assert ("fqdn", value) == (getattr(ike, f"{side}_type"), getattr(ike, side))


@SIDES
@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "_type is fqdn", id="absent"),
        pytest.param("", "1 to 255", id="empty"),
        pytest.param("x" * 256, "1 to 255", id="256-characters"),
        pytest.param("my site", "and the space", id="space"),
        pytest.param("site\n", "is not an identity", id="line-end"),
        pytest.param("sité", "is not an identity", id="accented-letter"),
        *(pytest.param(f"a{c}b", "except & < > [ ] \\", id=f"character-{ord(c)}") for c in "&<>[]\\"),
    ],
)
def test_an_unsound_fqdn_is_refused(given: Any, side: str, value: str | None, text: str):
    given.only(given.refusals(_ike(side, "fqdn", value)), f"ikepolicy.{side}", text)


@SIDES
@each(value=st.text(st.characters(exclude_categories=["Cs"]), max_size=3))
def test_an_fqdn_passes_exactly_when_its_characters_do(given: Any, side: str, value: str):
    sound = len(value) >= 1 and all("!" <= c <= "~" and c not in "&<>[]\\" for c in value) and value[0] not in "*#"
    assert sound == (given.refusals(_ike(side, "fqdn", value)) == [])


@pytest.mark.parametrize(
    ("id_type", "value", "kept"),
    [
        pytest.param(None, None, "branch.example", id="type-and-id-by-default"),
        pytest.param("fqdn", None, "branch.example", id="id-by-default"),
        pytest.param("fqdn", "other.example", "other.example", id="explicit"),
        pytest.param(None, "other.example", "other.example", id="explicit-id-only"),
    ],
)
def test_a_device_without_an_address_is_known_by_its_fqdn(
    given: Any, id_type: str | None, value: str | None, kept: str
):
    ike = given.made(_ike("peer_id", id_type, value), peer="fqdn").ike_policy
    assert ("fqdn", kept) == (ike.peer_id_type, ike.peer_id)
    assert (ike.local_id_type, ike.local_id) == ("ip", "203.0.113.1")


@pytest.mark.parametrize(
    ("id_type", "value", "field", "text"),
    [
        pytest.param("ip", None, "ikepolicy.peer_id_type", "has no fixed address (wanted: fqdn)", id="type-ip"),
        pytest.param(
            "ip", "192.0.2.1", "ikepolicy.peer_id_type", "has no fixed address (wanted: fqdn)", id="type-ip-and-id"
        ),
        pytest.param("fqdn", "a b", "ikepolicy.peer_id", "is not an identity", id="unsound-id"),
        pytest.param(None, "a b", "ikepolicy.peer_id", "is not an identity", id="unsound-id-only"),
    ],
)
def test_a_device_without_an_address_cannot_be_known_by_ip(
    given: Any, id_type: str | None, value: str | None, field: str, text: str
):
    given.only(given.refusals(_ike("peer_id", id_type, value), peer="fqdn"), field, text)


@pytest.mark.parametrize("identity", ["*", "*.example.com", "#726f75746572", "#"])
@pytest.mark.parametrize("side", ["local_id", "peer_id"])
def test_an_fqdn_that_charon_would_read_as_a_pattern_is_refused(given: Any, side: str, identity: str):
    found = given.refusals({"ikepolicy": {f"{side}_type": "fqdn", side: identity}})
    given.only(found, f"ikepolicy.{side}", "is not an identity")


@pytest.mark.parametrize("address", ["0.0.0.7", "127.0.0.1", "224.0.0.1", "255.255.255.255"])
@pytest.mark.parametrize("side", ["local_id", "peer_id"])
def test_an_ip_identity_is_the_address_of_a_device(given: Any, side: str, address: str):
    given.only(given.refusals({"ikepolicy": {side: address}}), f"ikepolicy.{side}", "not the address of a device")
