"""The log, the timeline and the store have each change of a BGP session, and no more."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import specs
from landbridge import bootstrap, model, site_file
from landbridge.operations import nodes, status_changes
from landbridge.server import heartbeat
from landbridge.store import bgp_changes, connections

CHILD = specs.child_sa(local_ts=("0.0.0.0/0",), remote_ts=("0.0.0.0/0",), installed_at=datetime(2026, 1, 1, tzinfo=UTC))
LONG_AGO = datetime.now(UTC) - timedelta(hours=1)
OTHER_ASN = model.BgpFault(code="wrong_device_asn", text="BGP Error: Bad peer AS: 65010", asn=65010, at=LONG_AGO)
HOLD_TIMER = model.BgpFault(code="hold_timer", text="BGP Error: Hold timer expired")
WRONG = "the device's ASN is 65010, this connection's customer gateway says 65000"


def _session(state: model.BgpState, routes: int = 0, fault: model.BgpFault | None = None) -> model.BgpSession:
    counts = {"received": routes, "accepted": routes, "announced": 1}
    return model.BgpSession(state=state, since=datetime.now(UTC), fault=fault, **counts)


class Source:
    """The agent of a service with one connection of style bgp, and what it makes of sessions."""

    def __init__(self, service: Any, lines: pytest.LogCaptureFixture) -> None:
        lines.set_level(logging.INFO, status_changes.__name__)
        self._lines, self.service, self.api = lines, service, service.api()
        self.made = self.api.connection(self.api.gateway(), style="bgp", name="hq-branch")
        self.api.connection_as(self.made["id"], "ACTIVE")
        service.agent.stop()
        service.data.database.write(self._forget)
        self.source: nodes.StoreSource = bootstrap.make_source(service.data, site_file.default(), heartbeat.Heartbeat())

    def _forget(self, tx: Any) -> None:
        """Removes what the running agent has kept."""
        tx.run(bgp_changes._PRUNE, connection_seq=self._seq(tx), kept=0)

    def _seq(self, tx: Any) -> int:
        row = connections.find(tx, self.api.project_id, self.made["id"])
        assert row is not None
        return row.seq

    def report(self, *sessions: model.BgpSession) -> list[str]:
        """A look at each session. Returns the lines of the log about sessions."""
        self._lines.clear()
        for session in sessions:
            self._report(session)
        found = [one.getMessage() for one in self._lines.records if one.name == status_changes.__name__]
        return [line for line in found if ": BGP " in line]

    def _report(self, session: model.BgpSession) -> None:
        wanted = self.source.desired(self.made["vgw_id"])
        assert wanted is not None
        blank = model.ConnectionObservation(connection_id=self.made["id"], expected_children=1, bgp=session)
        seen = [replace(blank, applied_generation=one.generation, children=(CHILD,)) for one in wanted.connections]
        self.source.report(
            model.Observation(
                gateway_id=self.made["vgw_id"],
                seen_at=datetime.now(UTC),
                exists=True,
                applied_generation=wanted.generation,
                failure=None,
                present=frozenset(one.id for one in wanted.connections),
                connections=tuple(seen),
            )
        )

    def kept(self) -> tuple[model.BgpChange, ...]:
        return self.service.data.database.read(lambda tx: bgp_changes.of_connection(tx, self._seq(tx)))

    def causes(self) -> list[str]:
        path = f"/landbridge/v1/{self.api.project_id}/vpn-connections/{self.made['id']}/diagnosis"
        return [one["code"] for one in self.api.get(path)["diagnosis"]["causes"]]

    def timeline(self) -> list[Any]:
        path = f"/landbridge/v1/{self.api.project_id}/vpn-connections/{self.made['id']}/timeline"
        return [one for one in self.api.get(path)["timeline"] if one["kind"] == "bgp"]


@pytest.fixture
def source(open_service: Any, caplog: pytest.LogCaptureFixture) -> Source:
    return Source(open_service(), caplog)


def test_each_change_is_one_line_with_its_reason(source: Source):
    assert source.report(_session("idle"), _session("connect")) == []
    assert source.report(_session("established", 2)) == ["hq-branch: BGP established: 2 routes received"]
    assert source.report(_session("established", 3), _session("established", 1)) == []
    assert source.report(_session("idle", fault=OTHER_ASN)) == [f"hq-branch: BGP established -> idle: {WRONG}"]
    assert source.report(_session("active", fault=OTHER_ASN), _session("connect", fault=OTHER_ASN)) == []
    assert source.report(_session("established")) == ["hq-branch: BGP idle -> established: 0 routes received"]
    assert source.report(_session("established", 4)) == ["hq-branch: BGP established: 4 routes received"]


def test_the_timeline_has_the_changes_newest_first(source: Source):
    source.report(_session("established", 2), _session("idle", fault=OTHER_ASN))
    fallen, risen = source.timeline()
    assert fallen == {
        "kind": "bgp",
        "at": fallen["at"],
        "state": "idle",
        "cause": "bgp_asn_mismatch",
        "reason": WRONG,
        "routes_received": 0,
    }
    assert (risen["state"], risen["routes_received"], "cause" in risen) == ("established", 2, False)


def test_a_restarted_agent_repeats_no_change(source: Source):
    source.report(_session("established", 2))
    source.source = bootstrap.make_source(source.service.data, site_file.default(), heartbeat.Heartbeat())
    assert source.report(_session("established", 2)) == []
    assert len(source.kept()) == 1


def test_a_session_without_a_route_that_ends_again_and_again_is_a_path_mtu(source: Source):
    up, ended = _session("established"), _session("idle", fault=HOLD_TIMER)
    source.report(up, ended)
    assert source.causes() == ["bgp_hold_timer"]
    source.report(up, ended)
    assert source.causes() == ["bgp_path_mtu", "bgp_hold_timer"]
    source.report(_session("established", 1), ended)
    assert source.causes() == ["bgp_hold_timer"]


def test_the_last_changes_of_a_session_are_kept(source: Source):
    for number in range(bgp_changes.KEPT + 4):
        source.report(_session("established", number % 2))
    kept = source.kept()
    assert len(kept) == bgp_changes.KEPT
    assert [one.received for one in kept[-2:]] == [0, 1]


def test_a_deleted_connection_leaves_no_change(source: Source):
    source.report(_session("established", 2))
    database = source.service.data.database
    seq = database.read(source._seq)
    assert database.read(lambda tx: bgp_changes.of_connection(tx, seq))
    source.api.delete(f"vpn-connection/{source.made['id']}")
    gone = model.Observation(
        gateway_id=source.made["vgw_id"],
        seen_at=datetime.now(UTC),
        exists=True,
        applied_generation=1,
        failure=None,
        present=frozenset(),
        connections=(),
    )
    source.source.report(gone)
    source.api.gone(f"vpn-connection/{source.made['id']}")
    assert not database.read(lambda tx: bgp_changes.of_connection(tx, seq))
