"""Two tunnels of one gateway that could not be told apart on the wire."""

from typing import Any

import pytest

EIP2 = "e2e2e2e2-0000-4000-8000-000000000002"
PEER = "5247ae10-9d3e-4f27-b8a7-dd36659a7f5d"
WIRE = "198.51.100.2\nip:203.0.113.1\nip:198.51.100.2"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        pytest.param({"customer_gateway_id": PEER}, "already leads from this endpoint", id="same-customer-gateway"),
        pytest.param({"identity": WIRE}, "has the same endpoint, peer address and ids", id="same-identity"),
        pytest.param(
            {"customer_gateway_id": PEER, "deleting": True}, "which is still being deleted", id="same-but-leaving"
        ),
        pytest.param({"identity": WIRE, "deleting": True}, "which is still being deleted", id="identity-but-leaving"),
        pytest.param({"customer_gateway_id": PEER, "identity": WIRE}, "already leads", id="both-are-said-once"),
    ],
)
def test_a_twin_is_refused_with_its_id(given: Any, words: dict[str, Any], text: str):
    twin = given.neighbour(**words)
    found = given.refusals({}, neighbours=(twin,))
    given.only(found, "cgw_id", text)
    assert twin.id in found[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, {}, id="another-customer-gateway"),
        pytest.param({}, {"endpoint": 2, "customer_gateway_id": PEER, "identity": WIRE}, id="another-endpoint"),
        pytest.param({"vgw_ip": EIP2}, {"customer_gateway_id": PEER}, id="ours-on-the-other-endpoint"),
        pytest.param(
            {"ikepolicy": {"peer_id_type": "fqdn", "peer_id": "b"}}, {"identity": WIRE}, id="told-apart-by-peer-id"
        ),
        pytest.param(
            {"ikepolicy": {"local_id_type": "fqdn", "local_id": "a"}}, {"identity": WIRE}, id="told-apart-by-local-id"
        ),
    ],
)
def test_what_can_be_told_apart_is_allowed(given: Any, changes: dict[str, Any], words: dict[str, Any]):
    assert given.refusals(changes, neighbours=(given.neighbour(**words),)) == []


@pytest.mark.parametrize(
    ("changes", "peer", "expected"),
    [
        pytest.param({}, "ip", WIRE, id="addresses"),
        pytest.param({}, "fqdn", "any\nip:203.0.113.1\nfqdn:branch.example", id="no-fixed-address"),
        pytest.param(
            {"ikepolicy": {"peer_id_type": "fqdn", "peer_id": "198.51.100.2"}},
            "ip",
            "198.51.100.2\nip:203.0.113.1\nfqdn:198.51.100.2",
            id="an-fqdn-is-not-an-address",
        ),
        pytest.param(
            {"ikepolicy": {"peer_id_type": "fqdn", "peer_id": "Branch-1.Example"}},
            "ip",
            "198.51.100.2\nip:203.0.113.1\nfqdn:branch-1.example",
            id="names-without-case",
        ),
    ],
)
def test_the_identity_on_the_wire_is_the_address_and_both_ids(
    given: Any, changes: dict[str, Any], peer: str, expected: str
):
    assert expected == given.identity(given.request(changes), given.facts(peer=peer))
