"""The log has one line for each change of a status, none for looks that find the same, and no flood."""

import logging
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import specs
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

    def report(
        self,
        *,
        at: datetime | None = None,
        strangers: tuple[model.Attempt, ...] = (),
        probes: tuple[model.ProbeResult, ...] = (),
        **words: Any,
    ) -> None:
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
                seen_at=at or datetime.now(UTC),
                exists=True,
                applied_generation=wanted.generation,
                failure=None,
                present=frozenset(one.id for one in wanted.connections),
                connections=connections,
                gateway=model.GatewayReport(strangers=strangers),
                probes=probes,
            )
        )

    def told_causes(self) -> set[str | None]:
        """The first cause in the diagnosis, in the list of statuses, in the metrics and in the timeline."""
        diagnosis = self.api.diagnosis(self.connection_id)
        first = next((each["code"] for each in (*diagnosis["causes"], *diagnosis["warnings"])), None)
        path = f"/landbridge/v1/{self.api.project_id}"
        [listed] = self.api.get(f"{path}/vpn-connections")["vpn_connections"]
        timeline = self.api.get(f"{path}/vpn-connections/{self.connection_id}/timeline")["timeline"]
        stored = next(each.get("cause") for each in timeline if each["kind"] == "status")
        key = {"Authorization": f"Bearer {self.api.key.token.reveal()}"}
        metrics = self.api.http.request("GET", "/metrics", headers=key).text
        measured = re.findall(r'^landbridge_connection_status{.*cause="(\w*)"', metrics, re.MULTILINE)
        return {first, listed.get("cause"), stored, *(each or None for each in measured)}

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
    child = specs.child_sa(
        local_ts=("10.0.0.0/24",),
        remote_ts=("192.168.44.0/24",),
        bytes_in=count,
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


def test_a_hundred_looks_that_find_the_same_are_no_line(source: Source):
    source.report(**_up())
    assert len(source.lines()) == 1
    for count in range(100):
        source.report(**_up(count))
    assert source.lines() == []


def test_a_new_source_tells_no_status_again(source: Source):
    source.report()
    assert len(source.lines()) == 1
    source.source = nodes.StoreSource(
        source.source._database, source.source._desired, site_file.default(), source.source.beat, timedelta(minutes=2)
    )
    source.report()
    assert source.lines() == []


def test_a_connection_that_comes_and_goes_has_a_bounded_number_of_lines(source: Source, monkeypatch: Any):
    for _ in range(2 * status_changes.LINES):
        source.report(**_up())
        source.report()
    assert len(source.lines()) == status_changes.LINES
    now = status_changes.time.monotonic()
    monkeypatch.setattr(status_changes.time, "monotonic", lambda: now + status_changes.WINDOW_SECONDS + 1)
    source.report(**_up())
    left_out = 3 * status_changes.LINES
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


STRANGER = model.Attempt(
    id="7",
    configuration="",
    began_at=datetime(2100, 1, 1, tzinfo=UTC),
    began_by="device",
    peer_address="192.0.2.1",
    is_named=False,
    outcome="refused_by_us",
    facts=(
        negotiation.NoConnection(at=datetime(2100, 1, 1, tzinfo=UTC), line="no IKE config found", reason="address"),
    ),
)


def _refused(notify: str) -> model.Attempt:
    fact = negotiation.Refusal(at=datetime.now(UTC), line=notify, sender="device", phase=1, notify=notify)
    return model.Attempt(
        id="1",
        configuration="",
        began_at=fact.at,
        began_by="us",
        outcome="refused_by_device",
        facts=(fact,),
    )


def _probed(source: Source) -> model.ProbeResult:
    """The device took another version."""
    return model.ProbeResult(
        id="p1",
        connection_id=source.connection_id,
        at=datetime.now(UTC),
        reason="automatic",
        configuration="",
        local_address="203.0.113.10",
        peer_address="198.51.100.2",
        answers=(model.ProbeAnswer(ike_version="v1", mode="main", outcome="chosen"),),
    )


def test_a_stranger_that_arrives_changes_the_cause_everywhere(source: Source):
    source.report()
    assert source.told_causes() == {"negotiating"}
    source.lines()
    source.report(strangers=(STRANGER,))
    assert source.told_causes() == {"unknown_peer"}
    assert source.lines() == ["hq-branch is still DOWN: unknown_peer"]
    source.report(strangers=(STRANGER,))
    assert source.lines() == []


def test_a_flood_of_strangers_is_compared_once_in_a_while_and_at_last(source: Source, monkeypatch: pytest.MonkeyPatch):
    source.report(strangers=(STRANGER,))
    found: list[int] = []
    find = status_changes.find
    monkeypatch.setattr(
        status_changes,
        "find",
        lambda tx, site, seen, of: found.append(len(seen.connections)) or find(tx, site, seen, of),
    )
    more = [replace(STRANGER, id=str(8 + number)) for number in range(3)]
    for stranger in more:
        source.report(strangers=(stranger,))
    assert found == [0, 0, 0]
    now = status_changes.time.monotonic()
    monkeypatch.setattr(status_changes.time, "monotonic", lambda: now + status_changes.STRANGERS_SECONDS)
    source.report(strangers=(more[-1],))
    source.report(strangers=(more[-1],))
    assert found == [0, 0, 0, 1, 0]


def test_a_probe_that_is_done_changes_the_cause_everywhere(source: Source):
    refused = _refused("NO_PROPOSAL_CHOSEN")
    source.report(attempts=(refused,))
    assert source.told_causes() == {"ike_proposal_mismatch"}
    source.lines()
    source.report(attempts=(refused,), probes=(_probed(source),))
    assert source.told_causes() == {"ike_version_mismatch"}
    assert source.lines() == ["hq-branch is still DOWN: ike_version_mismatch"]


@pytest.mark.parametrize("restarts", [False, True], ids=["one-process", "after-a-restart"])
def test_a_warning_that_ends_by_time_ends_everywhere(source: Source, *, restarts: bool):
    now = datetime.now(UTC)
    ended = [now - timedelta(minutes=9, seconds=second) for second in (2, 1)]
    attempts = tuple(
        model.Attempt(
            id=str(number),
            configuration="",
            began_at=at,
            began_by="device",
            within_sa=True,
            outcome="deleted",
            facts=(negotiation.Deleted(at=at, line="received DELETE", sender="device", phase=1),),
        )
        for number, at in enumerate(ended, 1)
    )
    source.report(attempts=attempts, **_up())
    assert source.told_causes() == {"device_deleted"}
    if restarts:
        source.source = nodes.StoreSource(
            source.source._database,
            source.source._desired,
            site_file.default(),
            source.source.beat,
            timedelta(minutes=2),
        )
        source.report(attempts=attempts, **_up())
    source.lines()
    source.report(attempts=attempts, at=now + timedelta(minutes=2), **_up())
    assert source.told_causes() == {None}
    assert source.lines() == ["hq-branch is still ACTIVE, its warning is over"]


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


def _checked(source: Source, outcome: model.PathOutcome) -> model.ProbeResult:
    return model.ProbeResult(
        id=str(uuid.uuid4()),
        connection_id=source.connection_id,
        at=datetime.now(UTC),
        reason="automatic",
        configuration="",
        local_address="203.0.113.10",
        peer_address="198.51.100.2",
        path=model.ProbePath(outcome=outcome, mtu=1438, passed=1117),
    )


def test_what_a_check_of_the_path_finds_is_a_line_until_another_check_finds_that_it_is_mended(source: Source):
    source.report()
    source.report(**_up())
    source.lines()
    source.report(probes=(_checked(source, "black_hole"),), **_up())
    assert source.lines() == ["hq-branch is still ACTIVE: path_mtu"]
    source.report(probes=(_checked(source, "unanswered"),), **_up())
    assert source.lines() == []
    source.report(probes=(_checked(source, "passes"),), **_up())
    assert source.lines() == ["hq-branch is still ACTIVE, its warning is over"]
