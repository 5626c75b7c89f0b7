"""What an engine has loaded for a gateway, as plain JSON that does not change when the engine's own classes do.

`to_json` is for the maker of a fixture (`lab.compatibility`), `from_json` for every later version: where the engine's view of a
gateway changes, `from_json` still reads the JSON of before.
"""

from datetime import UTC, datetime
from typing import Any

from landbridge.engine.strongswan import state
from landbridge.engine.strongswan.bgp import state as bgp_state
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.network import links, tunnels
from landbridge.engine.strongswan.network import state as network_state

Loaded = dict[str, Any]


def to_json(current: state.GatewayState, messages: dict[str, Any]) -> Loaded:
    """`messages`: connection -> the message that it was loaded with."""
    return {
        "plane": current.plane,
        "wan": current.network.uplink,
        "router": current.network.next_hop,
        "wan_end": current.network.uplink_peer,
        "lan": current.network.vpc_link,
        "addresses": sorted(map(list, current.network.addresses)),
        "rules": sorted(map(list, current.network.rules)),
        "guard": current.network.filter_table,
        "forward": current.network.nat_table,
        "restarts": current.ike.restarts,
        "tunnels": {name: _tunnel_to_json(tunnel) for name, tunnel in sorted(current.network.tunnels.items())},
        "connections": {name: sorted(children) for name, children in sorted(current.ike.conns.items())},
        "secrets": sorted(current.ike.secrets),
        "sas": [[sa.name, [child.name for child in sa.children]] for sa in current.ike.sas],
        "bird": current.bgp.fingerprint,
        "learned_routes": sorted(map(list, current.network.learned_routes)),
        "learned_sources": sorted(map(list, current.network.learned_sources)),
        "shared_routes": sorted([net, list(if_ids)] for net, if_ids in current.network.shared_routes),
        "hashes_ports": current.network.hashes_ports,
        "messages": messages,
    }


def _tunnel_to_json(tunnel: tunnels.Tunnel) -> Loaded:
    return {
        "connection": tunnel.connection_id,
        "if_id": tunnel.if_id,
        "mtu": tunnel.mtu,
        "address": tunnel.address,
        "routes": sorted(map(list, tunnel.routes)),
        "rules": sorted(map(list, tunnel.pairs)),
        "route_protocol": links.ROUTE_PROTOCOL,
    }


def from_json(loaded: Loaded) -> state.GatewayState:
    """The gateway as a look finds it: whole, its charon running, every SA installed."""
    return state.GatewayState(
        at=datetime(2026, 1, 1, tzinfo=UTC),
        plane=loaded["plane"],
        folder=True,
        network=network_state.NetworkState(
            namespace=True,
            uplink=loaded["wan"],
            uplink_ready=True,
            next_hop=loaded["router"],
            uplink_peer=loaded["wan_end"],
            vpc_link=loaded["lan"],
            addresses=frozenset((link, address) for link, address in loaded["addresses"]),
            rules=frozenset((priority, network, table) for priority, network, table in loaded["rules"]),
            filter_table=loaded["guard"],
            nat_table=loaded["forward"],
            tunnels={name: _tunnel_from_json(tunnel) for name, tunnel in loaded["tunnels"].items()},
            learned_routes=frozenset((link, net) for link, net in loaded.get("learned_routes", ())),
            learned_sources=frozenset((link, net) for link, net in loaded.get("learned_sources", ())),
            shared_routes=frozenset((net, tuple(if_ids)) for net, if_ids in loaded.get("shared_routes", ())),
            hashes_ports=loaded.get("hashes_ports", False),
        ),
        ike=ike_state.IkeState(
            alive=True,
            restarts=loaded["restarts"],
            conns={name: frozenset(children) for name, children in loaded["connections"].items()},
            secrets=frozenset(loaded["secrets"]),
            sas=tuple(_sa(number, *each) for number, each in enumerate(loaded["sas"])),
        ),
        bgp=bgp_state.BgpState(alive=True, started=True, fingerprint=loaded["bird"])
        if loaded.get("bird")
        else bgp_state.BgpState(),
    )


def _tunnel_from_json(tunnel: Loaded) -> tunnels.Tunnel:
    return tunnels.Tunnel(
        connection_id=tunnel["connection"],
        if_id=tunnel["if_id"],
        mtu=tunnel["mtu"],
        address=tunnel["address"],
        routes=frozenset((network, metric) for network, metric in tunnel["routes"]),
        pairs=frozenset((priority, source, network) for priority, source, network in tunnel["rules"]),
        has_older_routes="route_protocol" not in tunnel,
    )


def _sa(number: int, connection_id: str, children: list[str]) -> ike_state.IkeSa:
    made = (
        ike_state.Child(name=name, unique_id=f"{number}{at}", state="INSTALLED") for at, name in enumerate(children)
    )
    return ike_state.IkeSa(connection_id, str(number), "ESTABLISHED", children=tuple(made))
