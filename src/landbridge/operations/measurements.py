"""Loads the values of connections and VPN gateways for `/metrics`."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from landbridge import model
from landbridge.status import connection as connection_status
from landbridge.status import redundancy
from landbridge.store import carriers, measurements, pauses
from landbridge.store.database import Transaction


class MeasuredConnection(NamedTuple):
    """The values of a connection for `/metrics`."""

    id: str
    name: str
    gateway_id: str
    project_id: str
    facts: model.StatusFacts
    #: Milliseconds since 1970, as in lists of statuses.
    since: int | None
    traffic: model.Traffic
    #: Status and cause at the last change of either.
    last_change: tuple[str | None, str | None] = (None, None)
    #: The BGP session, without its routes.
    bgp: model.BgpSession | None = None
    #: The results of echoes; None when none are sent, as for `monitor`.
    nqa: model.Reachability | None = None
    monitor: model.Reachability | None = None

    @property
    def status(self) -> model.ConnectionStatusName:
        return connection_status.name_from_facts(self.facts)

    @property
    def cause(self) -> str:
        """The code of the first cause of a connection that is DOWN, or of the first warning of one that is ACTIVE; otherwise empty."""
        status, cause = self.last_change
        return cause or "" if status == self.status else ""


class GatewayRow(NamedTuple):
    """The values of a VPN gateway for `/metrics`."""

    id: str
    name: str
    project_id: str
    is_fault: bool
    #: Milliseconds since 1970; None before the first observation.
    seen_at: int | None
    unknown_lines: int
    is_paused: bool
    #: Whether its redundancy is met now, and whether it would be met if all connections were up. None without a
    #: subnet, and when the connections have no series.
    redundant: tuple[bool, bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """`numbers`: the number of connections by project and status. `connections` is empty when there are more than the limit; `omitted` is
    then their number.
    """

    connections: list[MeasuredConnection]
    numbers: dict[tuple[str, model.ConnectionStatusName], int]
    omitted: int
    gateways: list[GatewayRow]


def load(tx: Transaction, project_id: str | None, limit: int) -> Measurements:
    """The measurements of one project, or of all projects (None). `limit`: the number of connections that can have series of their own."""
    numbers: Counter[tuple[str, model.ConnectionStatusName]] = Counter()
    for project, facts, number in measurements.counts(tx, project_id):
        numbers[project, connection_status.name_from_facts(facts)] += number
    living = sum(number for (_, status), number in numbers.items() if status != "PENDING_DELETE")
    omitted = living if living > limit else 0
    paused = pauses.list_all(tx)
    carrying = {} if omitted else carriers.of_project(tx, project_id)
    return Measurements(
        connections=[] if omitted else _connections(tx, project_id),
        numbers=dict(numbers),
        omitted=omitted,
        gateways=[
            GatewayRow(
                *row,
                is_paused=None in paused or row[0] in paused,
                redundant=redundancy.met(carrying.get(row[0], ())),
            )
            for row in measurements.gateways(tx, project_id)
        ],
    )


def _connections(tx: Transaction, project_id: str | None) -> list[MeasuredConnection]:
    sessions, echoes = measurements.sessions(tx, project_id), measurements.echoes(tx, project_id)
    return [
        MeasuredConnection(*row, sessions.get(row[0]), *echoes.get(row[0], ()))
        for row in measurements.connections(tx, project_id)
    ]
