"""The answer of `/metrics`: the series of connections and gateways from the store, and the metrics of the service's processes.

Each series is a row of a table in this module, or a metric of `telemetry.shared_metrics`. docs/reference/metrics.md lists all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from landbridge import __version__, model
from landbridge.operations.measurements import GatewayRow, Measurements
from landbridge.operations.measurements import MeasuredConnection as Connection
from landbridge.telemetry import exposition, shared_metrics

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Series(Generic[Row]):
    """A series for each row. `labels` renders those of a row; `value` None: the row has no sample."""

    name: str
    kind: str
    text: str
    labels: Callable[[Row], str]
    value: Callable[[Row], float | None]

    def lines(self, rows: Iterable[Row]) -> Iterator[str]:
        samples = ((self.labels(row), self.value(row)) for row in rows)
        lines = (f"{self.name}{labels} {exposition.number(value)}\n" for labels, value in samples if value is not None)
        return exposition.family(self.name, self.kind, self.text, lines)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _of_connection(row: Connection, **more: str) -> str:
    named = {"connection_id": row.id, "name": row.name, "gateway_id": row.gateway_id, "project_id": row.project_id}
    return exposition.labels(named | more)


def _id(row: Connection) -> str:
    return f'{{connection_id="{row.id}"}}'


def _echoes(
    kind: str, answers: str, reachability_of: Callable[[Connection], model.Reachability | None]
) -> tuple[Series[Connection], ...]:
    """The series of echoes. They have no sample when no echoes are sent, and no state while the state is unknown."""

    def read_from(value: Callable[[model.Reachability], float | None]) -> Callable[[Connection], float | None]:
        return lambda row: value(reachability) if (reachability := reachability_of(row)) else None

    return (
        Series(
            f"landbridge_connection_{kind}_up",
            "gauge",
            f"1 while {answers} answers echoes, 0 while it does not.",
            _id,
            read_from(lambda reachability: None if reachability.state == "unknown" else reachability.state == "up"),
        ),
        Series(
            f"landbridge_connection_{kind}_lost_ratio",
            "gauge",
            f"Share of the echoes to {answers} that had no answer, of those of the minute before the last observation.",
            _id,
            read_from(lambda reachability: reachability.lost / reachability.sent if reachability.sent else None),
        ),
        Series(
            f"landbridge_connection_{kind}_rtt_seconds",
            "gauge",
            f"Average round-trip time of the answered echoes to {answers}, of those of the minute before the last observation.",
            _id,
            read_from(
                lambda reachability: None if reachability.rtt_average is None else reachability.rtt_average / 1000
            ),
        ),
    )


CONNECTIONS: tuple[Series[Connection], ...] = (
    Series(
        "landbridge_connection_up",
        "gauge",
        "1 while the tunnel of a connection is up, 0 while it is not.",
        _of_connection,
        lambda row: row.facts.state == "up",
    ),
    Series(
        "landbridge_connection_status",
        "gauge",
        "1, with the status of the connection, and the code of its first cause (DOWN) or of its first warning (ACTIVE).",
        lambda row: _of_connection(row, status=row.status, cause=row.cause),
        lambda _: 1,
    ),
    Series(
        "landbridge_connection_since_timestamp_seconds",
        "gauge",
        "When the tunnel came up or went down with the configuration that is applied now.",
        _id,
        lambda row: _seconds(row.since),
    ),
    Series(
        "landbridge_connection_received_bytes_total",
        "counter",
        "Bytes that came out of the tunnel.",
        _id,
        lambda row: row.traffic.bytes_in,
    ),
    Series(
        "landbridge_connection_sent_bytes_total",
        "counter",
        "Bytes that went into the tunnel.",
        _id,
        lambda row: row.traffic.bytes_out,
    ),
    Series(
        "landbridge_connection_received_packets_total",
        "counter",
        "Packets that came out of the tunnel.",
        _id,
        lambda row: row.traffic.packets_in,
    ),
    Series(
        "landbridge_connection_sent_packets_total",
        "counter",
        "Packets that went into the tunnel.",
        _id,
        lambda row: row.traffic.packets_out,
    ),
    Series(
        "landbridge_connection_received_timestamp_seconds",
        "gauge",
        "When the agent last saw that the number of received packets had grown.",
        _id,
        lambda row: row.traffic.received_at.timestamp() if row.traffic.received_at else None,
    ),
    Series(
        "landbridge_connection_rekeys_total",
        "counter",
        "CHILD_SAs that took the place of one with the same traffic selectors.",
        _id,
        lambda row: row.traffic.rekeys,
    ),
    Series(
        "landbridge_connection_bgp_established",
        "gauge",
        "1 while the BGP session of a connection of style bgp is established, 0 while it is not.",
        _id,
        lambda row: row.bgp.state == "established" if row.bgp else None,
    ),
    Series(
        "landbridge_connection_bgp_received_routes",
        "gauge",
        "Routes that the device announces.",
        _id,
        lambda row: row.bgp.received if row.bgp else None,
    ),
    Series(
        "landbridge_connection_bgp_accepted_routes",
        "gauge",
        "Routes of the device that the VPN gateway accepts.",
        _id,
        lambda row: row.bgp.accepted if row.bgp else None,
    ),
    Series(
        "landbridge_connection_bgp_announced_routes",
        "gauge",
        "Routes that the VPN gateway announces to the device.",
        _id,
        lambda row: row.bgp.announced if row.bgp else None,
    ),
    Series(
        "landbridge_connection_bgp_route_limit",
        "gauge",
        "The most routes that the device may announce before the session is ended.",
        _id,
        lambda row: row.bgp.limit if row.bgp else None,
    ),
    *_echoes("nqa", "the device's tunnel address (enable_nqa)", lambda row: row.nqa),
    *_echoes("monitor", "the device's outer address (connection monitor)", lambda row: row.monitor),
)


def _of_gateway(row: GatewayRow) -> str:
    return exposition.labels({"gateway_id": row.id, "name": row.name, "project_id": row.project_id})


GATEWAYS: tuple[Series[GatewayRow], ...] = (
    Series(
        "landbridge_gateway_fault",
        "gauge",
        "1 while a VPN gateway is FAULT, 0 while it is not.",
        _of_gateway,
        lambda row: row.is_fault,
    ),
    Series(
        "landbridge_gateway_paused",
        "gauge",
        "1 while the agent changes nothing of the VPN gateway, 0 otherwise.",
        _of_gateway,
        lambda row: row.is_paused,
    ),
    Series(
        "landbridge_gateway_seen_timestamp_seconds",
        "gauge",
        "When the agent last looked at the VPN gateway. The series of its connections have the values of that observation.",
        _of_gateway,
        lambda row: _seconds(row.seen_at),
    ),
    Series(
        "landbridge_gateway_unknown_lines_total",
        "counter",
        "Lines of the gateway's charon that no rule knows, since the service started.",
        _of_gateway,
        lambda row: row.unknown_lines,
    ),
    Series(
        "landbridge_gateway_redundant",
        "gauge",
        "1 while no connection and no endpoint carries a subnet of the VPN gateway alone, 0 otherwise.",
        _of_gateway,
        lambda row: row.redundant[0] if row.redundant else None,
    ),
    Series(
        "landbridge_gateway_redundancy_configured",
        "gauge",
        "1 when landbridge_gateway_redundant would be 1 if all connections were up, 0 otherwise.",
        _of_gateway,
        lambda row: row.redundant[1] if row.redundant else None,
    ),
)
_Sample = tuple[Mapping[str, str], float]


def _plain(name: str, text: str) -> Series[_Sample]:
    """A series whose samples come with their labels."""
    return Series(name, "gauge", text, lambda sample: exposition.labels(sample[0]), lambda sample: sample[1])


NUMBER = _plain("landbridge_connections", "Connections of a project, by their status.")
OMITTED = _plain(
    "landbridge_connections_without_series",
    "Connections without series of their own, because there are more than [metrics] connections.",
)
BUILD = _plain("landbridge_build_info", "1, with the version of the service.")
LOOK_AGE = _plain(
    "landbridge_agent_look_age_seconds", "Seconds since the agent last began to look at all VPN gateways."
)
#: All series that are no metrics of `telemetry.shared_metrics`.
STORED: tuple[Series[Any], ...] = (*CONNECTIONS, *GATEWAYS, NUMBER, OMITTED, BUILD, LOOK_AGE)


def render(measured: Measurements) -> bytes:
    """The series of connections and gateways."""
    numbers = [
        ({"project_id": project, "status": status}, number) for (project, status), number in measured.numbers.items()
    ]
    parts = (
        *(series.lines(measured.connections) for series in CONNECTIONS),
        *(series.lines(measured.gateways) for series in GATEWAYS),
        NUMBER.lines(numbers),
        OMITTED.lines([({}, measured.omitted)]),
    )
    return b"".join("".join(lines).encode() for lines in parts)


def render_service(agent_age: float | None) -> bytes:
    """The series of the service itself. `agent_age`: seconds since the agent's last observation; None without an agent."""
    age: list[_Sample] = [] if agent_age is None else [({}, agent_age)]
    parts = (
        BUILD.lines([({"version": __version__}, 1)]),
        LOOK_AGE.lines(age),
        exposition.counted(shared_metrics.REGISTRY),
    )
    return "".join(line for lines in parts for line in lines).encode()
