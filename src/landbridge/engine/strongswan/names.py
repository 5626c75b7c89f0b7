"""Names of what a gateway has on this machine: its folder, namespace, links and tables. Pure."""

import re

from landbridge import paths

#: The routing table of learned routes in a gateway's namespace: BIRD fills it, and the network looks packets up in it.
LEARNED_TABLE = 194


def short(gateway_id: str) -> str:
    """12 hex digits, so that a prefix of two letters still fits into an interface name (15 bytes)."""
    return gateway_id.replace("-", "")[:12]


def namespace(gateway_id: str) -> str:
    return paths.NETNS_PREFIX + short(gateway_id)


def uplink_peer(gateway_id: str) -> str:
    """The underlay's end of the uplink."""
    return f"lw{short(gateway_id)}"


def is_uplink_peer(name: str) -> bool:
    """Whether a link has the name of the underlay's end of some gateway's uplink."""
    return re.fullmatch(r"lw[0-9a-f]{12}", name) is not None


def vpc_link_peer(gateway_id: str) -> str:
    """The underlay's end of the VPC link."""
    return f"ll{short(gateway_id)}"
