"""The abilities of an engine on its data plane, and the reasons why it does not carry a connection. Answers, printed configurations and the engine use this
module. Pure.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from landbridge.model.connection import Connection, Style
from landbridge.model.findings import Warning  # noqa: A004

#: What carries ESP and the packets in tunnels.
Plane = Literal["kernel", "userland"]
EVERY_STYLE = frozenset(get_args(Style))
NO_GM = "no packaged IKE daemon carries SM2/SM3/SM4"
NO_BIRD = "connections of style bgp need BIRD, which this machine lacks (the Debian package bird2)"
NO_DECLARED_SUBNETS = (
    "the userland data plane carries learned routes only within peer_subnets, and the connection has none"
)
NO_DEFAULT_ROUTE = "the userland data plane carries no default route (0.0.0.0/0): it has one device for all tunnels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """`styles`: the styles of connections that the engine carries. `gm`: whether it carries connections of GM gateways.
    `default_route`: whether it carries a default route into a tunnel. `undeclared_routes`: whether it carries learned routes that lie in
    no peer subnet of the connection.
    """

    styles: frozenset[str] = field(default=EVERY_STYLE)
    gm: bool = True
    default_route: bool = True
    undeclared_routes: bool = True


def abilities_of(engine: str, plane: Plane, *, bgp: bool = True) -> Abilities:
    """The abilities of an engine, by its name. An API without an engine of its own (`none`) refuses no connection. `bgp`: the machine has a
    routing daemon.
    """
    if engine == "strongswan":
        styles = frozenset({"policy", "policy-template", "static"}) | ({"bgp"} if bgp else set())
        in_kernel = plane == "kernel"
        return Abilities(styles=styles, gm=False, default_route=in_kernel, undeclared_routes=in_kernel)
    return Abilities(gm=engine != "simulated")


def uncarried(connection: Connection, abilities: Abilities) -> Warning | None:
    """Explains why an engine with these abilities does not carry the connection; None when it does. Other connections of the gateway make no
    difference.

    `field` is the field of the request that decides, `text` is the engine's reason.
    """
    if connection.ike_policy.authentication_method == "digital-envelope-v2" and not abilities.gm:
        return Warning("vgw_id", NO_GM)
    if connection.style == "bgp" and "bgp" not in abilities.styles:
        return Warning("style", NO_BIRD)
    if connection.style not in abilities.styles:
        return Warning("style", f"connections of style {connection.style} are not carried by this engine yet")
    if connection.style == "bgp" and not connection.peer_subnets and not abilities.undeclared_routes:
        return Warning("peer_subnets", NO_DECLARED_SUBNETS)
    if not abilities.default_route:
        return _default_route(connection)
    return None


def _default_route(connection: Connection) -> Warning | None:
    if connection.style == "policy":
        places = [
            ("policy_rules", subnet) for rule in connection.policy_rules for subnet in (rule.source, *rule.destinations)
        ]
    else:
        places = [("peer_subnets", subnet) for subnet in connection.peer_subnets or ()]
    return next((Warning(place, NO_DEFAULT_ROUTE) for place, subnet in places if subnet.endswith("/0")), None)
