"""The diagnosis of a VPN gateway on the wire: an extension of ours."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from landbridge import model
from landbridge.wire import attempts, schema, shapes

#: Rows of a redundancy; the counts beside them are of all.
SHOWN_SUBNETS, SHOWN_FAILURES = 100, 100


class CauseCountAnswer(schema.Answer):
    cause: str = Field(description="a section of docs/reference/causes.md")
    count: int


class StatusCountAnswer(schema.Answer):
    """The number of connections with a status, and with each cause. A connection without a known cause is in no count of a cause."""

    status: str
    count: int
    causes: list[CauseCountAnswer] = Field(description="the most frequent one first")


class CarrierAnswer(schema.Answer):
    """A connection that is configured to carry a subnet."""

    id: str
    name: str
    endpoint: int = Field(description="the number of its endpoint of the VPN gateway")
    cgw_id: str
    up: bool = Field(description="whether it carries the subnet now, or would as a standby")


class CarriedSubnetAnswer(schema.Answer):
    subnet: str = Field(
        description="a CIDR block behind the device; of a connection of style policy source - destination; "
        "`what BGP announces in` a peer subnet while no session has learned a prefix in it"
    )
    connections: list[CarrierAnswer]


class SingleFailureAnswer(schema.Answer):
    """What cuts subnets when it fails alone."""

    kind: str = Field(description="connection, endpoint, customer_gateway or machine")
    name: str
    id: str | None = Field(None, description="of the connection or the customer gateway")
    subnets: list[str] = Field(description=f"the first {SHOWN_SUBNETS} that it cuts")
    subnet_count: int = Field(description="how many it cuts")


class RedundancyAnswer(schema.Answer):
    """Which single failure would cut which subnets, by the tunnels that are up now."""

    met: bool = Field(description="all subnets are reached, and no connection and no endpoint carries one alone")
    configured: bool = Field(description="the same, if all connections were up")
    summary: str
    subnets: list[CarriedSubnetAnswer] = Field(description=f"the first {SHOWN_SUBNETS}, in the order of their text")
    subnet_count: int
    single_failures: list[SingleFailureAnswer] = Field(
        description=f"the first {SHOWN_FAILURES}: connections, endpoints, customer gateways, and the machine"
    )


class GatewayDiagnosisAnswer(schema.Answer):
    """Why a gateway is in the state it is in."""

    id: str
    status: str
    reason: str | None = Field(None, description="what the engine could not do at its last attempt")
    remedy: str | None = Field(None, description="what to do about it")
    seen_at: str | None = Field(None, description="when the engine last looked")
    not_seen_since: str | None = Field(None, description="set when the last observation is too old to be trusted")
    paused_since: str | None = Field(None, description="set while the agent changes nothing (landbridge pause)")
    connections: list[StatusCountAnswer] = Field(description="its connections by status, the most frequent one first")
    redundancy: RedundancyAnswer | None = Field(None, description="absent while no connection has a subnet")
    strangers: list[attempts.AttemptAnswer] = Field(
        description="the last attempts from addresses that no connection of the endpoint has, newest first"
    )


class OneGatewayDiagnosis(schema.Answer):
    diagnosis: GatewayDiagnosisAnswer
    request_id: str


def diagnosis(
    value: model.VpnGateway,
    status: model.GatewayStatus,
    counts: Mapping[tuple[model.ConnectionStatusName, str | None], int],
    strangers: Sequence[model.Attempt],
    redundancy: model.Redundancy | None = None,
) -> dict[str, Any]:
    """`counts`: (status, cause or None) -> how many connections."""
    return shapes.without_none(
        id=value.id,
        status=status.status,
        reason=status.explanation.reason if status.explanation else None,
        remedy=status.explanation.remedy if status.explanation else None,
        seen_at=shapes.time(status.seen_at) if status.seen_at else None,
        not_seen_since=shapes.time(status.not_seen_since) if status.not_seen_since else None,
        paused_since=shapes.time(status.paused_since) if status.paused_since else None,
        connections=_status_counts(counts),
        redundancy=_redundancy(redundancy) if redundancy else None,
        strangers=[attempts.attempt(attempt) for attempt in reversed(strangers)],
    )


def _redundancy(value: model.Redundancy) -> dict[str, Any]:
    return {
        "met": value.is_met,
        "configured": value.is_configured,
        "summary": value.summary,
        "subnets": [
            {"subnet": carried.subnet, "connections": [_carrier(carrier) for carrier in carried.carriers]}
            for carried in value.subnets[:SHOWN_SUBNETS]
        ],
        "subnet_count": len(value.subnets),
        "single_failures": [
            shapes.without_none(
                kind=failure.kind,
                name=failure.name,
                id=failure.id,
                subnets=list(failure.subnets[:SHOWN_SUBNETS]),
                subnet_count=len(failure.subnets),
            )
            for failure in value.failures[:SHOWN_FAILURES]
        ],
    }


def _carrier(value: model.Carrier) -> dict[str, Any]:
    return {
        "id": value.connection_id,
        "name": value.connection,
        "endpoint": value.endpoint,
        "cgw_id": value.customer_gateway_id,
        "up": value.up,
    }


def _status_counts(counts: Mapping[tuple[model.ConnectionStatusName, str | None], int]) -> list[dict[str, Any]]:
    of_status: Counter[str] = Counter()
    for (status, _), count in counts.items():
        of_status[status] += count
    return [
        {
            "status": status,
            "count": count,
            "causes": [
                {"cause": cause, "count": number}
                for (other, cause), number in Counter(counts).most_common()
                if other == status and cause is not None
            ],
        }
        for status, count in of_status.most_common()
    ]
