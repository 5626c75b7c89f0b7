"""Rows to models and back: the JSON of `spec` and `report`, and times as milliseconds."""

from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from landbridge import model

SPEC_VERSION = 1

gateway: TypeAdapter[model.VpnGateway] = TypeAdapter(model.VpnGateway)
customer_gateway: TypeAdapter[model.CustomerGateway] = TypeAdapter(model.CustomerGateway)
connection: TypeAdapter[model.Connection] = TypeAdapter(model.Connection)
connections: TypeAdapter[list[model.Connection]] = TypeAdapter(list[model.Connection])
monitor: TypeAdapter[model.ConnectionMonitor] = TypeAdapter(model.ConnectionMonitor)
gateway_certificate: TypeAdapter[model.GatewayCertificate] = TypeAdapter(model.GatewayCertificate)
job: TypeAdapter[model.GatewayJob] = TypeAdapter(model.GatewayJob)
gateway_report: TypeAdapter[model.GatewayReport] = TypeAdapter(model.GatewayReport)
observation: TypeAdapter[model.ConnectionObservation] = TypeAdapter(model.ConnectionObservation)


def dump(adapter: TypeAdapter[Any], value: Any) -> str:
    return adapter.dump_json(value).decode()


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def times(changed_at: int | None, since: int | None) -> model.Times:
    return model.Times(
        changed_at=None if changed_at is None else moment(changed_at),
        state_since=None if since is None else moment(since),
    )
