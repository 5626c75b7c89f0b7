"""The routing table of a VPN gateway: what is installed, in pages, with and without the next hops' resources."""

from typing import Any

PATH = "vpn-gateways"


def _table(api: Any, gateway: Any, query: str = "") -> Any:
    return api.get(f"{PATH}/{gateway['id']}/routing-table{query}")


def test_routes_are_those_of_the_tunnels_that_are_up(api: Any):
    gateway = api.gateway()
    up = api.connection(gateway, peer_subnets=["192.168.44.0/24", "10.200.0.0/16"])
    down = api.connection(gateway, peer_subnets=["192.168.45.0/24"])
    api.simulate(down["id"], "down")
    api.connection_as(up["id"], "ACTIVE")
    api.connection_as(down["id"], "DOWN")
    table = _table(api, gateway)
    nexthop = up["tunnel_peer_address"].split("/")[0]
    assert table["routing_table"] == [
        {
            "destination": destination,
            "nexthop": nexthop,
            "outbound_interface_ip": gateway["eip1"]["ip_address"],
        }
        for destination in ("10.200.0.0/16", "192.168.44.0/24")
    ]
    assert (table["total_count"], table["page_info"]) == (2, {"current_count": 2})


def test_the_next_hops_resource_comes_when_it_is_asked_for(api: Any):
    gateway = api.gateway()
    made = api.connection(gateway)
    api.connection_as(made["id"], "ACTIVE")
    for query, expected in (("true", {"id": made["id"], "type": "vpn-connection"}), ("false", None)):
        (route,) = _table(api, gateway, f"?is_include_nexthop_resource={query}")["routing_table"]
        assert route.get("nexthop_resource") == expected
    assert api.send("GET", f"{PATH}/{gateway['id']}/routing-table?is_include_nexthop_resource=2").status_code == 400


def test_pages_by_marker_and_by_offset_meet(api: Any):
    gateway = api.gateway()
    subnets = [f"192.168.{n}.0/24" for n in range(7)]
    api.connection_as(api.connection(gateway, peer_subnets=subnets)["id"], "ACTIVE")
    marked, marker = [], ""
    while True:
        page = _table(api, gateway, f"?limit=3&marker={marker}")
        marked += [each["destination"] for each in page["routing_table"]]
        marker = page["page_info"].get("next_marker", "")
        if not marker:
            break
    by_offset = [
        each["destination"]
        for offset in range(0, 12, 3)
        for each in _table(api, gateway, f"?limit=3&offset={offset}")["routing_table"]
    ]
    assert marked == by_offset == subnets
    assert api.send("GET", f"{PATH}/{gateway['id']}/routing-table?offset=-1").status_code == 400


def test_a_gateway_without_connections_has_no_routes_and_a_missing_one_none_at_all(api: Any):
    assert _table(api, api.gateway())["routing_table"] == []
    assert api.send("GET", f"{PATH}/{'0' * 36}/routing-table").status_code == 404
