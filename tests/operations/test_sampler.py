"""Samples in the store: written by the minute, in rings, for connections that are there."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from lab import specs
from landbridge import bootstrap, model, site_file
from landbridge.model.samples import RINGS, Sample
from landbridge.operations import nodes, samples
from landbridge.server import heartbeat
from landbridge.store import samples as store
from landbridge.store import tables
from landbridge.store.statement import Statement

START = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
HOUR, DAY, MONTH = RINGS
_ROWS = Statement(
    select(*(tables.connection_sample.c[name] for name in ("step", "position", "connection_seq", "slot")))
)


class Looks:
    """An agent's looks at a gateway with some connections, at times that the test chooses."""

    def __init__(self, service: Any, connections: int = 1) -> None:
        self.service = service
        self.api = service.api()
        gateway = self.api.gateway()
        self.made = [self.api.connection(gateway)["id"] for _ in range(connections)]
        service.agent.stop()
        self.source = self.restart()
        self.at = START
        self.bytes = 0
        self.installed: dict[str, datetime] = {}

    def restart(self) -> nodes.StoreSource:
        self.source = bootstrap.make_source(self.service.data, site_file.default(), heartbeat.Heartbeat())
        return self.source

    def look(self, *, seconds: float = 30, carried: int = 0, is_up: bool = True, **words: Any) -> None:
        """`seconds` after the look before; the SA of every connection has carried `carried` bytes more each way."""
        self.at += timedelta(seconds=seconds)
        self.bytes += carried
        wanted = self.source.desired(self.service_gateway())
        assert wanted is not None
        seen = tuple(
            model.ConnectionObservation(
                connection_id=each.id,
                applied_generation=each.generation,
                children=(self._child(words.pop("spi", "1")),) if is_up else (),
                **words,
            )
            for each in wanted.connections
        )
        self.source.report(
            model.Observation(
                gateway_id=wanted.id,
                seen_at=self.at,
                exists=True,
                applied_generation=wanted.generation,
                failure=None,
                present=frozenset(each.id for each in wanted.connections),
                connections=seen,
            )
        )

    def service_gateway(self) -> str:
        (gateway_id,) = self.source.gateways()
        return gateway_id

    def _child(self, spi: str) -> model.ChildSa:
        return specs.child_sa(
            local_ts=("10.0.0.0/24",),
            remote_ts=("192.168.44.0/24",),
            spi_in=spi,
            spi_out=spi,
            bytes_in=self.bytes,
            bytes_out=self.bytes,
            packets_in=self.bytes,
            packets_out=self.bytes,
            installed_at=self.installed.setdefault(spi, self.at),
        )

    def seq(self, number: int = 0) -> int:
        found = self.service.data.database.read(lambda tx: store.seqs(tx, self.made))
        seq: int = found[self.made[number]]
        return seq

    def series(self, ring: model.samples.Ring = HOUR, number: int = 0) -> list[tuple[int, Sample]]:
        """What is stored, with slots counted from START."""
        seq = self.seq(number)
        newest = samples.slot_at(ring, int(self.at.timestamp() * 1000))
        first = samples.slot_at(ring, int(START.timestamp() * 1000))
        found = self.service.data.database.read(lambda tx: store.of_connection(tx, ring, seq, newest))
        return [(slot - first, one) for slot, one in found]

    def rows(self) -> list[tuple[int, ...]]:
        rows: list[tuple[int, ...]] = self.service.data.database.read(lambda tx: tx.all(_ROWS))
        return rows


@pytest.fixture
def looks(open_service: Any) -> Looks:
    return Looks(open_service())


def test_what_was_carried_is_in_all_rings(looks: Looks):
    looks.look()
    for _ in range(4):
        looks.look(carried=3000)
    looks.source.close()
    minutes = looks.series()
    assert [(slot, one.bytes_in, one.bytes_out) for slot, one in minutes] == [
        (0, 3000, 3000),
        (1, 6000, 6000),
        (2, 3000, 3000),
    ]
    assert [one.observed for _, one in minutes] == [30_000, 60_000, 30_000]
    assert samples.rate(minutes[1][1].bytes_in, minutes[1][1]) == 800
    for ring in (DAY, MONTH):
        ((_, whole),) = looks.series(ring)
        assert (whole.bytes_in, whole.observed, whole.up) == (12_000, 120_000, 120_000)


def test_a_slot_that_is_written_in_parts_is_the_sum_of_them(looks: Looks):
    looks.look()
    for _ in range(3):
        looks.look(seconds=10, carried=50)
        looks.source.close()
    ((slot, one),) = looks.series()
    assert (slot, one.bytes_in, one.observed) == (0, 150, 30_000)
    ((_, month),) = looks.series(MONTH)
    assert month.bytes_in == 150


def test_looks_write_no_row_of_samples(looks: Looks):
    for _ in range(10):
        looks.look(seconds=1, carried=1)
    assert looks.rows() == []


def test_a_time_without_a_look_is_a_gap(looks: Looks):
    looks.look()
    looks.look(carried=10)
    looks.look(seconds=600, carried=10**12)
    looks.look(carried=20)
    looks.source.close()
    assert [(slot, one.bytes_in) for slot, one in looks.series()] == [(0, 10), (11, 20)]


def test_a_restart_of_the_service_is_a_gap_and_no_burst(looks: Looks):
    looks.look()
    looks.look(carried=10)
    looks.source.close()
    looks.restart()
    looks.look(carried=10**12)
    looks.look(carried=20)
    looks.source.close()
    assert [(slot, one.bytes_in, one.observed) for slot, one in looks.series()] == [(0, 10, 30_000), (1, 20, 30_000)]


def test_a_rekey_and_a_time_down_lose_and_invent_nothing(looks: Looks):
    looks.look()
    looks.look(carried=1000)
    looks.bytes = 0
    looks.look(carried=70, spi="2")
    looks.look(is_up=False)
    looks.look(is_up=False)
    looks.bytes = 0
    looks.look(carried=5, spi="3")
    looks.source.close()
    found = looks.series()
    assert sum(one.bytes_in for _, one in found) == 1075
    assert sum(one.up for _, one in found) == 90_000
    assert sum(one.observed for _, one in found) == 150_000
    assert min(one.bytes_in for _, one in found) >= 0


def test_echoes_are_taken_once_a_minute(looks: Looks):
    """An engine says at each look what the last minute had: the echoes of two looks are not the sum of both."""
    echoes = model.Reachability(
        source="169.254.0.1", destination="169.254.0.2", sent=120, lost=12, rtt_min=1.0, rtt_average=2.0, rtt_max=9.5
    )
    looks.look(nqa=echoes)
    for _ in range(8):
        looks.look(nqa=echoes)
    looks.source.close()
    ((_, day),) = looks.series(DAY)
    assert day.nqa is not None
    assert (day.nqa.sent, day.nqa.lost, day.nqa.rtt_min, day.nqa.rtt_max) == (480, 48, 1000, 9500)
    assert day.nqa.rtt_average == 2000
    assert day.monitor is None


def test_a_ring_has_a_fixed_number_of_rows(looks: Looks):
    """Two days of looks, with a write each hour."""
    looks.source._sampler.unseen_after = timedelta(hours=1)
    looks.look()
    for _ in range(48):
        looks.look(seconds=3600, carried=3_600_000)
        looks.source.close()
    rows = looks.rows()
    assert {ring.seconds: sum(row[0] == ring.seconds for row in rows) for ring in RINGS} == {60: 60, 900: 96, 28800: 7}
    for ring in RINGS:
        slots = [slot for slot, _ in looks.series(ring)]
        assert slots == sorted(set(slots))
        assert len(slots) <= ring.slots
    assert {one.bytes_in for _, one in looks.series(DAY)[:-1]} == {900_000}
    assert sum(one.bytes_in for _, one in looks.series(MONTH)) == 48 * 3_600_000


def test_old_slots_are_not_shown_where_nothing_came_after_them(looks: Looks):
    looks.look()
    looks.look(carried=10)
    looks.source.close()
    assert len(looks.series()) == 1
    looks.at += timedelta(hours=2)
    assert looks.series() == []
    assert len(looks.series(DAY)) == 1


def test_the_samples_of_a_deleted_connection_go(open_service: Any):
    looks = Looks(open_service(), connections=2)
    looks.look()
    looks.look()
    looks.source.close()
    gone, stays = looks.seq(0), looks.seq(1)
    looks.look()
    looks.api.delete(f"vpn-connection/{looks.made[0]}")
    looks.look()
    assert {row[2] for row in looks.rows()} == {stays}
    looks.source.close()
    assert gone not in {row[2] for row in looks.rows()}


def test_connections_of_many_batches_are_all_written(open_service: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("landbridge.operations.sampler.BATCH", 2)
    looks = Looks(open_service(), connections=5)
    looks.look()
    looks.look(carried=7)
    looks.source.close()
    assert [looks.series(DAY, number)[0][1].bytes_in for number in range(5)] == [7] * 5


def test_samples_that_cannot_be_stored_are_logged_and_the_agent_goes_on(
    looks: Looks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    looks.look()
    looks.look(carried=1)
    with monkeypatch.context() as patched:
        patched.setattr(store, "put", lambda *_: 1 / 0)
        looks.source.close()
    assert "samples of 1 connections could not be stored" in caplog.text
    looks.look(carried=2)
    looks.source.close()
    assert sum(one.bytes_in for _, one in looks.series()) == 2
