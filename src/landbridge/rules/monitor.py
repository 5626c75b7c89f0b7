"""Creating a connection monitor: one for a connection that has inner addresses to probe between."""

from collections.abc import Iterator
from dataclasses import dataclass

from landbridge import model
from landbridge.rules import fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The connection that the request names, if it is in the project, and whether it is on its way out."""

    connection: model.Connection | None
    deleting: bool = False


def check(ask: model.AskMonitor, facts: Facts) -> Iterator[model.Violation]:
    field, connection = "vpn_connection_id", facts.connection
    malformed = list(fields.check_uuid(field, ask.connection_id, "a VPN connection"))
    yield from malformed
    if malformed:
        return
    if connection is None:
        wrong = f"VPN connection {ask.connection_id} does not exist"
        yield model.Violation(field, wrong, "a VPN connection of this project")
    elif facts.deleting:
        yield model.Violation(field, f"VPN connection {connection.id} is being deleted", "one that stays")
    elif connection.monitor_id is not None:
        wrong = f"VPN connection {connection.id} already has connection monitor {connection.monitor_id}"
        yield model.Violation(field, wrong, "a VPN connection without one", "VPN.0381")
    elif connection.tunnel_local_address is None:
        wrong = f"VPN connection {connection.id} has no tunnel addresses, its style is {connection.style}"
        yield model.Violation(field, wrong, "a VPN connection of style static, policy or bgp")


def monitor(connection: model.Connection) -> model.ConnectionMonitor | None:
    """The connection's monitor as the connection is now; None when it has none."""
    local, peer = connection.tunnel_local_address, connection.tunnel_peer_address
    if connection.monitor_id is None or local is None or peer is None:
        return None
    return model.ConnectionMonitor(
        id=connection.monitor_id,
        connection_id=connection.id,
        source_ip=local.partition("/")[0],
        destination_ip=peer.partition("/")[0],
    )
