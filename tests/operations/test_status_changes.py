"""The log has one line for each change of a status, none for looks that find the same, and no flood."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from landbridge import bootstrap, model, site_file
from landbridge.model import negotiation
from landbridge.operations import nodes, status_changes
from landbridge.server import heartbeat
from landbridge.store import connection_states, connections


class Source:
    """The agent of a service with one connection, and the lines of what it reports."""

    def __init__(self, service: Any, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, status_changes.__name__)
        self._lines = caplog
        self.source: nodes.StoreSource = bootstrap.make_source(service.data, site_file.default(), heartbeat.Heartbeat())
        self.api = service.api()
        body = {"vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": ["10.0.0.0/24"]}
        self.gateway_id = self.api.create("vpn-gateways", "vpn_gateway", body)["id"]
        self.report()
        gateway = self.api.gateway_as(self.gateway_id, "ACTIVE")
        self.connection_id = self.api.connection(gateway, name="hq-branch")["id"]

    def report(self, **words: Any) -> None:
        """A look that finds everything applied. The connection is as `words` say."""
        wanted = self.source.desired(self.gateway_id)
        assert wanted is not None
        connections = tuple(
            replace(model.ConnectionObservation(connection_id=one.id, applied_generation=one.generation), **words)
            for one in wanted.connections
        )
        self.source.report(
            model.Observation(
                gateway_id=self.gateway_id,
                seen_at=datetime.now(UTC),
                exists=True,
                applied_generation=wanted.generation,
                failure=None,
                present=frozenset(one.id for one in wanted.connections),
                connections=connections,
            )
        )

    def lines(self) -> list[str]:
        """Those since the last call."""
        found = [record.getMessage() for record in self._lines.records if record.name == status_changes.__name__]
        self.fields = [
            vars(record)["fields"] for record in self._lines.records if record.name == status_changes.__name__
        ]
        self._lines.clear()
        return found


@pytest.fixture
def source(open_service: Any, caplog: pytest.LogCaptureFixture) -> Source:
    service = open_service()
    service.agent.stop()
    return Source(service, caplog)


def _up(count: int = 0) -> dict[str, Any]:
    child = model.ChildSa(
        rule="0",
        local_ts=("10.0.0.0/24",),
        remote_ts=("192.168.44.0/24",),
        spi_in="1",
        spi_out="2",
        proposal="x",
        bytes_in=count,
        bytes_out=0,
        packets_in=0,
        packets_out=0,
        installed_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return {"ike_established": True, "children": (child,)}


def test_each_change_is_one_line_with_its_ids(source: Source):
    source.report()
    assert source.lines() == ["hq-branch PENDING_CREATE -> DOWN: negotiating"]
    assert source.fields == [
        {
            "connection_id": source.connection_id,
            "gateway_id": source.gateway_id,
            "project_id": source.api.project_id,
            "before": "PENDING_CREATE",
            "status": "DOWN",
            "cause": "negotiating",
        }
    ]
    source.report(**_up())
    assert source.lines() == ["hq-branch DOWN -> ACTIVE"]
    source.report(refused="not carried yet")
    assert source.lines() == ["hq-branch ACTIVE -> ERROR"]
    source.report(**_up())
    assert source.lines() == ["hq-branch ERROR -> ACTIVE"]
    source.api.delete(f"vpn-connection/{source.connection_id}")
    source.report()
    assert source.lines() == ["hq-branch PENDING_DELETE -> deleted"]


def test_a_thousand_looks_that_find_the_same_are_no_line(source: Source):
    source.report(**_up())
    assert len(source.lines()) == 1
    for count in range(1000):
        source.report(**_up(count))
    assert source.lines() == []


def test_a_new_source_tells_no_status_again(source: Source):
    source.report()
    assert len(source.lines()) == 1
    source.source = nodes.StoreSource(
        source.source._database, source.source._desired, site_file.default(), source.source.beat
    )
    source.report()
    assert source.lines() == []


def test_a_connection_that_comes_and_goes_has_a_bounded_number_of_lines(source: Source, monkeypatch: Any):
    for _ in range(200):
        source.report(**_up())
        source.report()
    assert len(source.lines()) == status_changes.LINES
    now = status_changes.time.monotonic()
    monkeypatch.setattr(status_changes.time, "monotonic", lambda: now + status_changes.WINDOW_SECONDS + 1)
    source.report(**_up())
    left_out = 2 * 200 - status_changes.LINES
    assert source.lines() == [f"hq-branch DOWN -> ACTIVE ({left_out} changes before were not logged)"]


def test_a_new_cause_of_what_is_down_is_a_line_and_the_same_one_is_none(source: Source):
    source.report()
    source.lines()
    began = datetime.now(UTC)
    refused = negotiation.KeyMismatch(at=began, line="x", problem="differs")
    attempt = model.Attempt(
        id="1", configuration="", began_at=began, began_by="us", outcome="refused_by_us", facts=(refused,)
    )
    for _ in range(3):
        source.report(attempts=(attempt,))
        source.source._reported.clear()  # what a new agent knows
    assert source.lines() == ["hq-branch is still DOWN: psk_mismatch"]
    source.report(attempts=(attempt,), **_up())
    assert source.lines()[0].startswith("hq-branch DOWN -> ACTIVE")


def test_what_is_told_is_kept(source: Source):
    source.report()
    source.report(**_up())
    source.report(refused="no")
    rows = source.source._database.read(
        lambda tx: connection_states.of_connection(
            tx, connections.find(tx, source.api.project_id, source.connection_id).seq
        )  # type: ignore[union-attr]
    )
    assert [(row.status, row.cause) for row in rows] == [("DOWN", "negotiating"), ("ACTIVE", None), ("ERROR", None)]


def test_a_fault_in_a_diagnosis_does_not_stop_the_agent(source: Source, monkeypatch: Any, caplog: Any):
    source.report()

    def fail(*_: Any) -> None:
        raise LookupError("no such cause")

    monkeypatch.setattr(status_changes, "find", fail)
    source.report(**_up())
    assert "changes of statuses could not be kept" in caplog.text
    assert source.api.get(f"vpn-connection/{source.connection_id}")["vpn_connection"]["status"] == "ACTIVE"
