"""Whether a VPN gateway is redundant: in its diagnosis, in the list of statuses, and as a metric."""

import dataclasses
from typing import Any

import pytest

from lab import specs
from landbridge import model
from landbridge.store import carriers, connections, gateways, observations, overview

LAN = "192.168.44.0/24"


def _diagnosis(api: Any, gateway: Any) -> Any:
    path = f"/landbridge/v1/{api.project_id}/vpn-gateways/{gateway['id']}/diagnosis"
    return api.get(path)["diagnosis"].get("redundancy")


def _listed(api: Any, gateway: Any) -> Any:
    rows = api.get(f"/landbridge/v1/{api.project_id}/vpn-gateways")["vpn_gateways"]
    return next(row.get("redundant") for row in rows if row["id"] == gateway["id"])


def _metrics(api: Any, gateway: Any) -> list[str]:
    """The values of `redundant` and `redundancy_configured`."""
    lines = [line for line in api.send("GET", "/metrics").text.splitlines() if gateway["id"] in line]
    return [line.split()[-1] for line in lines if line.startswith("landbridge_gateway_redundan")]


def _pair(api: Any, gateway: Any, **fields: Any) -> list[Any]:
    """Two connections to one customer gateway, one of each endpoint, both up."""
    peer = api.customer_gateway(name="branch")
    made = [
        api.connection(gateway, peer, name=f"hq-{number}", vgw_ip=gateway[f"eip{number}"]["id"], **fields)
        for number in (1, 2)
    ]
    for one in made:
        api.connection_as(one["id"], "ACTIVE")
    return made


def test_a_tunnel_that_goes_down_ends_the_redundancy_and_the_other_one_is_named(api: Any):
    gateway = api.gateway()
    first, second = _pair(api, gateway, peer_subnets=[LAN])
    met = _diagnosis(api, gateway)
    assert (met["met"], met["configured"], _listed(api, gateway), _metrics(api, gateway)) == (
        True,
        True,
        True,
        ["1", "1"],
    )
    assert [one["kind"] for one in met["single_failures"]] == ["customer_gateway", "machine"]
    assert [(row["subnet"], [one["id"] for one in row["connections"]]) for row in met["subnets"]] == [
        (LAN, [first["id"], second["id"]])
    ]

    api.simulate(first["id"], "down:psk")
    api.connection_as(first["id"], "DOWN")

    lost = _diagnosis(api, gateway)
    assert lost["summary"] == (
        f"redundancy is not met: {LAN} is reached through hq-2 alone; it is met when all connections are up"
    )
    assert (lost["met"], lost["configured"], _listed(api, gateway), _metrics(api, gateway)) == (
        False,
        True,
        False,
        ["0", "1"],
    )
    failure = lost["single_failures"][0]
    assert (failure["kind"], failure["id"], failure["subnets"], failure["subnet_count"]) == (
        "connection",
        second["id"],
        [LAN],
        1,
    )
    endpoint = lost["single_failures"][1]
    assert endpoint == {
        "kind": "endpoint",
        "name": f"endpoint 2 ({gateway['eip2']['ip_address']})",
        "subnets": [LAN],
        "subnet_count": 1,
    }


def test_policies_back_each_other_up_by_the_pair(api: Any):
    gateway = api.gateway()
    rules = [{"rule_index": 1, "source": "10.0.0.0/24", "destination": [LAN]}]
    _pair(api, gateway, style="policy", peer_subnets=[LAN], policy_rules=rules)
    found = _diagnosis(api, gateway)
    assert (found["met"], [row["subnet"] for row in found["subnets"]]) == (True, [f"10.0.0.0/24 - {LAN}"])
    assert _listed(api, gateway) is True


def test_a_gateway_without_connections_says_nothing_of_redundancy(api: Any):
    gateway = api.gateway()
    assert (_diagnosis(api, gateway), _listed(api, gateway), _metrics(api, gateway)) == (None, None, [])


@pytest.mark.parametrize(
    ("style", "changes", "up", "learned"),
    [
        pytest.param("static", {}, True, None, id="up"),
        pytest.param(
            "static", {"nqa": model.Reachability(source="", destination="", state="down")}, False, None, id="nqa"
        ),
        pytest.param("static", {"children": ()}, False, None, id="down"),
        pytest.param("static", {"refused": "no"}, False, None, id="refused"),
        pytest.param("bgp", {"bgp": model.BgpSession(state="idle")}, False, (), id="bgp without a session"),
        pytest.param("bgp", {"bgp": model.BgpSession(state="established")}, False, (), id="bgp without a route"),
        pytest.param("bgp", {}, True, None, id="bgp that nobody reports"),
        pytest.param("bgp", {"children": ()}, False, (), id="bgp without a tunnel"),
        pytest.param(
            "bgp",
            {"bgp": model.BgpSession(state="established", routes=(model.BgpRoute(prefix="10.9.0.0/16", next_hop=""),))},
            True,
            ("10.9.0.0/16",),
            id="bgp with a learned route",
        ),
    ],
)
def test_what_a_connection_carries_is_what_was_observed(
    open_service: Any, style: str, changes: dict[str, Any], up: bool, learned: tuple[str, ...] | None
):
    service = open_service()
    api = service.api()
    gateway = api.gateway()
    made = api.connection(gateway, style=style, peer_subnets=[LAN])
    service.agent.stop()

    def record(tx: Any) -> list[Any]:
        row = gateways.find(tx, api.project_id, gateway["id"])
        known = connections.find(tx, api.project_id, made["id"])
        assert row is not None
        assert known is not None
        assert row.seen_at is not None
        child = specs.child_sa(local_ts=(), remote_ts=(), spi_in="", spi_out="", proposal="", installed_at=row.seen_at)
        seen = model.ConnectionObservation(connection_id=made["id"], applied_generation=1, children=(child,))
        observation = model.Observation(
            gateway_id=gateway["id"],
            seen_at=row.seen_at,
            exists=True,
            applied_generation=1,
            failure=None,
            present=frozenset({made["id"]}),
            connections=(dataclasses.replace(seen, **changes),),
        )
        observations.record(tx, observation)
        return [
            *carriers.of_gateway(tx, row.seq),
            *overview.tunnels(tx, api.project_id),
            *overview.tunnels(tx, api.project_id, row.seq),
        ]

    found = service.data.database.write(record)
    assert [(one.style, one.up, one.subnets, one.learned) for one in found] == [(style, up, (LAN,), learned)] * 3
