"""The connection monitor: asks that a connection be probed from one inner tunnel address to the other."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AskMonitor:
    connection_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionMonitor:
    """`source_ip` and `destination_ip` are the connection's inner addresses, without the mask."""

    id: str
    connection_id: str
    source_ip: str
    destination_ip: str
