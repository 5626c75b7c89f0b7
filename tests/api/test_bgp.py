"""A connection of style bgp: its peer, its session in the diagnosis, and the routes that it learned."""

from typing import Any

import pytest

from lab import specs
from landbridge import model
from landbridge.wire import bgp, routing_tables

SUBNETS = ["192.168.44.0/24", "10.200.0.0/16"]


@pytest.fixture
def made(api: Any) -> Any:
    gateway = api.gateway(bgp_asn=4200000000)
    peer = api.customer_gateway(bgp_asn=65001, name="branch-frr")
    made = api.connection(gateway, peer, style="bgp", peer_subnets=SUBNETS)
    api.connection_as(made["id"], "ACTIVE")
    return made


def _inner(made: Any) -> str:
    return str(made["tunnel_peer_address"].split("/")[0])


def test_the_peer_of_an_established_session_is_shown_and_listed(api: Any, made: Any):
    shown = api.get(f"vpn-connection/{made['id']}")["vpn_connection"]
    peer = shown["bgp_peer"]
    assert peer == {
        "peer_ip_address": _inner(made),
        "peer_asn": 65001,
        "state": "Established",
        "state_duration": peer["state_duration"],
        "num_received_routes": 2,
    }
    (listed,) = api.get(f"vpn-connection?vgw_id={made['vgw_id']}")["vpn_connections"]
    assert listed["bgp_peer"]["peer_asn"] == 65001


def test_a_session_changes_no_version(api: Any, made: Any):
    def version() -> str:
        return str(api.send("GET", f"vpn-connection/{made['id']}").headers["etag"])

    before = version()
    api.simulate(made["id"], "active")
    api.connection_as(made["id"], "ACTIVE")
    api.simulate(made["id"], None)
    api.connection_as(made["id"], "ACTIVE")
    assert version().partition("-")[2] == before.partition("-")[2]


def test_another_style_has_no_peer(api: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    assert "bgp_peer" not in api.get(f"vpn-connection/{made['id']}")["vpn_connection"]
    assert "bgp" not in api.diagnosis(made["id"])


def test_the_diagnosis_has_the_session_and_its_learned_routes(api: Any, made: Any):
    session = api.diagnosis(made["id"])["bgp"]
    assert session == {
        "state": "established",
        "since": session["since"],
        "local_address": made["tunnel_local_address"].split("/")[0],
        "peer_address": _inner(made),
        "local_asn": 4200000000,
        "peer_asn": 65001,
        "hold_time": 9,
        "routes_received": 2,
        "routes_accepted": 2,
        "routes_announced": 1,
        "route_limit": 10_000,
        "routes": [{"prefix": prefix, "next_hop": _inner(made), "as_path": [65001]} for prefix in sorted(SUBNETS)],
    }


def test_a_session_with_another_asn_is_down_with_both_values_and_the_words_of_the_device(
    api: Any, made: Any, until: Any
):
    api.simulate(made["id"], "down:bgp")
    api.connection_as(made["id"], "DOWN")
    until(lambda: api.diagnosis(made["id"])["causes"][0]["code"] == "bgp_asn_mismatch", "the cause")
    shown = api.diagnosis(made["id"])
    (cause,) = shown["causes"]
    assert (cause["ours"], cause["theirs"], cause["differs"]) == ("65001", "65011", ["bgp_asn"])
    assert shown["reason"] == "the device's ASN is 65011, this connection's customer gateway says 65001"
    assert shown["remedy"].endswith("; on frr: router bgp, and neighbor remote-as")
    assert shown["bgp"]["fault"]["line"] == "BGP Error: Bad peer AS: 65011"
    assert len(shown["sas"]) == 1
    assert api.get(f"vpn-connection/{made['id']}")["vpn_connection"]["bgp_peer"]["state"] == "Idle"


def test_the_routing_table_has_learned_routes_with_their_paths(api: Any, made: Any):
    found = api.get(f"vpn-gateways/{made['vgw_id']}/routing-table")["routing_table"]
    assert [(route["destination"], route["nexthop"], route["as_path"], route["origin"]) for route in found] == [
        ("10.200.0.0/16", _inner(made), "65001", "IGP"),
        ("192.168.44.0/24", _inner(made), "65001", "IGP"),
    ]


def test_a_learned_route_has_its_attributes_and_another_route_has_none():
    learned = model.BgpRoute(prefix="10.0.0.0/8", next_hop="169.254.70.2", as_path=(1, 2), origin="incomplete", med=0)
    shown = routing_tables.route("10.0.0.0/8", "169.254.70.2", "203.0.113.1", learned, None)
    assert (shown["origin"], shown["as_path"], shown["med"]) == ("Incomplete", "1 2", 0)
    plain = routing_tables.route("10.0.0.0/8", "169.254.70.2", "203.0.113.1", None, None)
    assert plain.keys() == {"destination", "nexthop", "outbound_interface_ip"}


def test_the_timeline_has_the_session(api: Any, made: Any, until: Any):
    def told() -> list[Any]:
        path = f"/landbridge/v1/{api.project_id}/vpn-connections/{made['id']}/timeline"
        return [(one["state"], one["routes_received"]) for one in api.get(path)["timeline"] if one["kind"] == "bgp"]

    until(lambda: told() == [("established", 2)], "the session in the timeline")
    api.simulate(made["id"], "down:bgp")
    until(lambda: told() == [("idle", 0), ("established", 2)], "its end in the timeline")


def test_a_connection_without_a_session_is_not_asked_for_one(api: Any):
    made = api.connection(api.gateway())
    answer = api.simulate(made["id"], "down:bgp")
    assert answer.status_code == 400
    (detail,) = answer.json()["details"]
    assert (detail["field"], "style static" in detail["message"]) == ("state", True)


def test_a_diagnosis_has_the_first_of_many_routes():
    routes = tuple(model.BgpRoute(prefix=f"10.{n}.0.0/16", next_hop="169.254.70.2") for n in range(bgp.ROUTES + 5))
    session = model.BgpSession(state="established", received=len(routes), accepted=len(routes), routes=routes)
    shown = bgp.session(session, specs.connection(style="bgp").connection, 64512, 65000)
    assert (len(shown["routes"]), shown["routes_accepted"]) == (bgp.ROUTES, bgp.ROUTES + 5)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "00:00:00"), (59, "00:00:59"), (3661, "01:01:01"), (200_000, "55:33:20")]
)
def test_a_duration_has_hours_minutes_and_seconds(seconds: int, shown: str):
    peer = model.BgpPeer(address="169.254.70.2", asn=65000, state="down", lasts=seconds, received=0)
    assert (bgp.peer(peer)["state_duration"], bgp.peer(peer)["state"]) == (shown, "Idle")
