"""BGP sessions of connections on the wire: `bgp_peer` of the API, and the session in a diagnosis (an extension of ours)."""

from typing import Any, get_args

from pydantic import Field

from landbridge import model
from landbridge.wire import schema, shapes

STATES = get_args(model.BgpState)
#: Learned routes that a diagnosis has. The routing table of the VPN gateway has all of them, in pages.
ROUTES = 100
#: The names of RFC 4271, 8.2.2. A session that was ended on this side is Idle too.
_NAMES = {
    "idle": "Idle",
    "connect": "Connect",
    "active": "Active",
    "open_sent": "OpenSent",
    "open_confirm": "OpenConfirm",
    "established": "Established",
    "down": "Idle",
}


class PeerAnswer(schema.Answer):
    """BgpPeer. The numbers of messages are absent: the routing daemon does not count them."""

    peer_ip_address: str
    peer_asn: int | None = Field(None, description="of the customer gateway")
    state: str = Field(json_schema_extra={"enum": list(dict.fromkeys(_NAMES.values()))})
    state_duration: str | None = Field(
        None, description="how long the session has been in its state: hours:minutes:seconds"
    )
    num_received_routes: int


def peer(value: model.BgpPeer) -> dict[str, Any]:
    return shapes.without_none(
        peer_ip_address=value.address,
        peer_asn=value.asn,
        state=_NAMES[value.state],
        state_duration=None if value.lasts is None else _duration(value.lasts),
        num_received_routes=value.received,
    )


def _duration(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


class LearnedRoute(schema.Answer):
    prefix: str
    next_hop: str
    as_path: list[int] = Field(description="AS numbers, that of the device first")


class FaultAnswer(schema.Answer):
    at: str | None = None
    line: str = Field(description="the line of the routing daemon; the cause explains it")


class SessionAnswer(schema.Answer):
    """The BGP session of a connection of style bgp."""

    state: str = Field(json_schema_extra={"enum": list(STATES)}, description="down: ended on this side")
    since: str | None = None
    local_address: str = Field(description="of the VPN gateway in the tunnel")
    peer_address: str
    local_asn: int | None = None
    peer_asn: int | None = Field(None, description="of the customer gateway")
    hold_time: int | None = Field(None, description="seconds, as both sides agreed")
    bfd: str | None = Field(
        None, json_schema_extra={"enum": ["up", "down"]}, description="absent: the device does none"
    )
    routes_received: int
    routes_accepted: int
    routes_announced: int
    route_limit: int | None = Field(None, description="the most routes that may be received")
    fault: FaultAnswer | None = Field(None, description="the last fault; absent while nothing is wrong")
    routes: list[LearnedRoute] = Field(
        description=f"at most {ROUTES} of the accepted routes; the routing table of the VPN gateway has more"
    )


def session(
    value: model.BgpSession, connection: model.Connection, asn: int | None, peer_asn: int | None
) -> dict[str, Any]:
    """`asn`: that of the VPN gateway, `peer_asn`: that of the customer gateway."""
    return shapes.without_none(
        state=value.state,
        since=shapes.time(value.since) if value.since else None,
        local_address=_host(connection.tunnel_local_address),
        peer_address=_host(connection.tunnel_peer_address),
        local_asn=asn,
        peer_asn=peer_asn,
        hold_time=value.hold_time,
        bfd=value.bfd,
        routes_received=value.received,
        routes_accepted=value.accepted,
        routes_announced=value.announced,
        route_limit=value.limit,
        fault=_fault(value.fault) if value.fault else None,
        routes=[
            {"prefix": route.prefix, "next_hop": route.next_hop, "as_path": route.as_path}
            for route in value.routes[:ROUTES]
        ],
    )


def _host(address: str | None) -> str:
    return (address or "").split("/")[0]


def _fault(value: model.BgpFault) -> dict[str, Any]:
    return shapes.without_none(at=shapes.time(value.at) if value.at else None, line=value.text)
