"""name, vgw_id, vgw_ip, cgw_id: Table 3 of the create page, and what they must refer to."""

from typing import Any

import pytest

UNKNOWN = "dddddddd-0000-4000-8000-00000000000d"
EIP1 = "e1e1e1e1-0000-4000-8000-000000000001"
EIP2 = "e2e2e2e2-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a", id="one-character"),
        pytest.param("n" * 64, id="64-characters"),
        pytest.param("Az09_-.", id="every-kind-of-character"),
        pytest.param(".", id="a-period-alone"),
    ],
)
def test_a_sound_name_is_kept(given: Any, name: str):
    assert given.made({"name": name}).name == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("n" * 65, id="65-characters"),
        pytest.param("my vpn", id="space"),
        pytest.param("vpn/1", id="slash"),
        pytest.param("vpné", id="accented-letter"),
        pytest.param("vpn\n", id="line-end"),
        pytest.param("vpn٣", id="arabic-digit"),
    ],
)
def test_an_unsound_name_is_refused(given: Any, name: str):
    given.only(given.refusals({"name": name}), "name", "1 to 64 of letters, digits, _ - and .")


def test_a_missing_name_is_drawn(given: Any):
    assert given.made({"name": None}).name == "vpn-13be"


@pytest.mark.parametrize(("field", "what"), [("vgw_id", "a VPN gateway"), ("cgw_id", "a customer gateway")])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "is mandatory", id="absent"),
        pytest.param("", "is not an id", id="empty"),
        pytest.param(UNKNOWN[:-1], "a UUID of 36 characters", id="35-characters"),
        pytest.param(UNKNOWN + "0", "a UUID of 36 characters", id="37-characters"),
        pytest.param(UNKNOWN.replace("-", "0"), "a UUID of 36 characters", id="no-hyphens"),
        pytest.param("g" + UNKNOWN[1:], "a UUID of 36 characters", id="not-hexadecimal"),
    ],
)
def test_a_malformed_reference_is_refused(given: Any, field: str, what: str, value: str | None, text: str):
    found = given.refusals({field: value})
    given.only(found, field, text)
    assert what in found[0]


@pytest.mark.parametrize(
    ("field", "where", "text"),
    [
        pytest.param("vgw_id", {"found": False}, f"VPN gateway {UNKNOWN} does not exist", id="gateway"),
        pytest.param("cgw_id", {"peer": None}, f"customer gateway {UNKNOWN} does not exist", id="customer-gateway"),
    ],
)
def test_a_reference_to_nothing_is_named_with_its_id(given: Any, field: str, where: dict[str, Any], text: str):
    given.only(given.refusals({field: UNKNOWN}, **where), field, text)


def test_ids_are_taken_in_any_case_and_given_back_in_lower_case(given: Any):
    shouted = given.made({"vgw_id": given.id.upper(), "vgw_ip": EIP1.upper(), "cgw_id": given.peer.upper()})
    assert (given.id, given.peer, 1) == (shouted.gateway_id, shouted.customer_gateway_id, shouted.endpoint)


@pytest.mark.parametrize("status", ["ACTIVE", "PENDING_UPDATE"])
def test_a_gateway_that_carries_takes_connections(given: Any, status: str):
    assert given.refusals({}, status=status) == []


@pytest.mark.parametrize("status", ["PENDING_CREATE", "PENDING_DELETE", "ERROR", "FAULT"])
def test_a_gateway_that_does_not_carry_is_refused_with_its_status(given: Any, status: str):
    given.only(given.refusals({}, status=status), "vgw_id", f"is {status}")


@pytest.mark.parametrize(("connections", "full"), [(0, False), (199, False), (200, True), (201, True)])
def test_a_full_gateway_is_refused(given: Any, connections: int, full: bool):
    expected = [f"vgw_id: VPN gateway {given.id} has {connections} connections (wanted: at most 200)"] if full else []
    assert expected == given.refusals({}, connections=connections)


@pytest.mark.parametrize(("following", "spent"), [(1, False), (2**29 - 1, False), (2**29, True), (2**32, True)])
def test_a_gateway_without_an_interface_id_left_is_refused(given: Any, following: int, spent: bool):
    words = (
        f"vgw_id: VPN gateway {given.id} has no interface id left for another connection (wanted: a new VPN gateway)"
    )
    assert given.refusals({}, next_if_id=following) == ([words] if spent else [])


@pytest.mark.parametrize(
    ("flavor", "ours", "theirs", "fields"),
    [
        pytest.param("GM", "cert", "cert", [], id="gm-both"),
        pytest.param("GM", None, "cert", ["vgw_id"], id="gm-gateway-without"),
        pytest.param("GM", "cert", None, ["cgw_id"], id="gm-customer-gateway-without"),
        pytest.param("GM", None, None, ["vgw_id", "cgw_id"], id="gm-both-without"),
        pytest.param("Basic", None, None, [], id="others-need-none"),
    ],
)
def test_gm_needs_certificates_on_both_sides(
    given: Any, flavor: str, ours: str | None, theirs: str | None, fields: list[str]
):
    peer = given.customer_gateway(certificate_id=theirs)
    found = given.refusals({}, flavor=flavor, certificate_id=ours, peer=peer)
    assert fields == [each.split(":")[0] for each in found]
    assert all("has no certificate" in each for each in found)


@pytest.mark.parametrize(
    ("network_type", "vgw_ip", "endpoint"),
    [
        pytest.param("public", EIP1, 1, id="public-first-eip"),
        pytest.param("public", EIP2, 2, id="public-second-eip"),
        pytest.param("private", "10.1.0.5", 1, id="private-first-address"),
        pytest.param("private", "10.1.0.6", 2, id="private-second-address"),
    ],
)
def test_vgw_ip_names_an_endpoint_and_is_echoed(given: Any, network_type: str, vgw_ip: str, endpoint: int):
    made = given.made({"vgw_ip": vgw_ip}, network_type=network_type)
    assert (endpoint, vgw_ip) == (made.endpoint, made.gateway_endpoint)


@pytest.mark.parametrize(
    ("network_type", "vgw_ip", "text"),
    [
        pytest.param("public", None, "is mandatory", id="absent"),
        pytest.param("public", "", "neither an EIP id nor an IPv4 address", id="empty"),
        pytest.param("public", "203.0.113.256", "neither an EIP id nor an IPv4 address", id="not-an-address"),
        pytest.param("public", "203.0.113.01", "neither an EIP id nor an IPv4 address", id="leading-zero"),
        pytest.param("public", "2001:db8::1", "neither an EIP id nor an IPv4 address", id="ipv6"),
        pytest.param("public", UNKNOWN, f"{EIP1} (EIP 203.0.113.1) or {EIP2}", id="public-another-eip"),
        pytest.param("public", "203.0.113.1", f"{EIP1} (EIP 203.0.113.1)", id="public-by-address"),
        pytest.param("private", "10.1.0.7", "10.1.0.5 or 10.1.0.6", id="private-another-address"),
        pytest.param("private", EIP1, "10.1.0.5 or 10.1.0.6", id="private-by-eip"),
    ],
)
def test_vgw_ip_elsewhere_is_refused_with_what_there_is(given: Any, network_type: str, vgw_ip: str | None, text: str):
    given.only(given.refusals({"vgw_ip": vgw_ip}, network_type=network_type), "vgw_ip", text)
