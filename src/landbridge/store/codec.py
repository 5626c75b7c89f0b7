"""Converts rows to models and back: the JSON of `spec` and `report`, and times in milliseconds."""

import dataclasses
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from pydantic_core import from_json

from landbridge import model
from landbridge.model import negotiation

SPEC_VERSION = 1

gateway: TypeAdapter[model.VpnGateway] = TypeAdapter(model.VpnGateway)
customer_gateway: TypeAdapter[model.CustomerGateway] = TypeAdapter(model.CustomerGateway)
connection: TypeAdapter[model.Connection] = TypeAdapter(model.Connection)
connections: TypeAdapter[list[model.Connection]] = TypeAdapter(list[model.Connection])
monitor: TypeAdapter[model.ConnectionMonitor] = TypeAdapter(model.ConnectionMonitor)
gateway_certificate: TypeAdapter[model.GatewayCertificate] = TypeAdapter(model.GatewayCertificate)
job: TypeAdapter[model.GatewayJob] = TypeAdapter(model.GatewayJob)
gateway_report: TypeAdapter[model.GatewayReport] = TypeAdapter(model.GatewayReport)
recorded_probe: TypeAdapter[model.RecordedProbe] = TypeAdapter(model.RecordedProbe)
probe_order: TypeAdapter[model.ProbeOrder] = TypeAdapter(model.ProbeOrder)
probe_result: TypeAdapter[model.ProbeResult] = TypeAdapter(model.ProbeResult)
observation: TypeAdapter[model.ConnectionObservation] = TypeAdapter(model.ConnectionObservation)
bgp_session: TypeAdapter[model.BgpSession] = TypeAdapter(model.BgpSession)
reachability: TypeAdapter[model.Reachability] = TypeAdapter(model.Reachability)
attempt: TypeAdapter[model.Attempt] = TypeAdapter(model.Attempt)
#: `kind` selects the type of a fact. Without it pydantic tries every type, which takes twenty times as long.
_facts: TypeAdapter[tuple[negotiation.Fact, ...]] = TypeAdapter(
    tuple[Annotated[negotiation.Fact, Field(discriminator="kind")], ...]
)


def dump(adapter: TypeAdapter[Any], value: Any) -> str:
    return adapter.dump_json(value).decode()


def dump_observation(observed: model.ConnectionObservation) -> str:
    """The JSON of an observation without its attempts, which have a table of their own."""
    return observation.dump_json(observed, exclude={"attempts"}).decode()


def dump_gateway_report(report: model.GatewayReport) -> str:
    """The JSON of a gateway report without its strangers, which have a table of their own."""
    return gateway_report.dump_json(report, exclude={"strangers"}).decode()


def load_attempt(text: str) -> model.Attempt:
    loaded = from_json(text)
    facts = _facts.validate_python(loaded.pop("facts"))
    return dataclasses.replace(attempt.validate_python(loaded), facts=facts)


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def times(changed_at: int | None, since: int | None) -> model.Times:
    return model.Times(
        changed_at=None if changed_at is None else moment(changed_at),
        state_since=None if since is None else moment(since),
    )
