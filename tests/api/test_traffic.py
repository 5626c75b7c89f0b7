"""What a connection carried over the last hour, day and month."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from landbridge.model.samples import RINGS, EchoSample, Sample
from landbridge.operations import sampler

ECHOES = EchoSample(120, 6, 1_140_000, 8_000, 21_500)


def _path(api: Any, connection_id: str, query: str = "") -> str:
    return f"/landbridge/v1/{api.project_id}/vpn-connections/{connection_id}/traffic{query}"


def _store(service: Any, connection_id: str, pieces: dict[int, Sample]) -> int:
    """As if an agent had collected them. The slots are minutes before the present one. Returns the present minute."""
    now = int(time.time()) // 60
    collected = {connection_id: {now - ago: one for ago, one in pieces.items()}}
    service.data.database.write(partial(sampler.write, collected=collected))
    return now


def _at(minute: int) -> str:
    return f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def test_a_minute_has_its_bytes_rates_and_echoes(api: Any, shared_service: Any):
    made = api.connection(api.gateway())
    pieces = {
        5: Sample(60_000, 45_000, 7_500_000, 1_500, nqa=ECHOES),
        3: Sample(30_000, 0, 0, 0, monitor=EchoSample(60, 60)),
        2: Sample(nqa=EchoSample(10, 0, 50_000, 5_000, 5_000)),
    }
    now = _store(shared_service, made["id"], pieces)
    found = api.get(_path(api, made["id"]))["traffic"]
    assert (found["last"], found["slot_seconds"]) == ("hour", 60)
    assert datetime.fromisoformat(found["until"]) - datetime.fromisoformat(found["since"]) == timedelta(hours=1)
    assert found["samples"] == [
        {
            "at": _at(now - 5),
            "observed_seconds": 60.0,
            "up_seconds": 45.0,
            "bytes_in": 7_500_000,
            "bytes_out": 1_500,
            "bits_per_second_in": 1_000_000,
            "bits_per_second_out": 200,
            "nqa": {"sent": 120, "lost": 6, "rtt_min_ms": 8.0, "rtt_average_ms": 10.0, "rtt_max_ms": 21.5},
        },
        {
            "at": _at(now - 3),
            "observed_seconds": 30.0,
            "up_seconds": 0.0,
            "bytes_in": 0,
            "bytes_out": 0,
            "bits_per_second_in": 0,
            "bits_per_second_out": 0,
            "monitor": {"sent": 60, "lost": 60},
        },
        {
            "at": _at(now - 2),
            "observed_seconds": 0.0,
            "up_seconds": 0.0,
            "bytes_in": 0,
            "bytes_out": 0,
            "nqa": {"sent": 10, "lost": 0, "rtt_min_ms": 5.0, "rtt_average_ms": 5.0, "rtt_max_ms": 5.0},
        },
    ]


@pytest.mark.parametrize("ring", RINGS, ids=lambda ring: ring.name)
def test_each_time_has_slots_of_its_own_length_and_the_same_bytes(api: Any, shared_service: Any, ring: Any):
    made = api.connection(api.gateway())
    now = _store(shared_service, made["id"], {ago: Sample(60_000, 60_000, 600, 60) for ago in range(10)})
    found = api.get(_path(api, made["id"], f"?last={ring.name}"))["traffic"]
    assert (found["last"], found["slot_seconds"]) == (ring.name, ring.seconds)
    assert sum(one["bytes_in"] for one in found["samples"]) == 6000
    assert {one["bits_per_second_out"] for one in found["samples"]} == {8}
    times = [one["at"] for one in found["samples"]]
    assert times == sorted(set(times))
    assert times[0] == _at((now - 9) * 60 // ring.seconds * ring.seconds // 60)
    slots = (datetime.fromisoformat(found["until"]) - datetime.fromisoformat(found["since"])) / timedelta(
        seconds=ring.seconds
    )
    assert slots == ring.slots


def test_nothing_is_said_of_a_connection_that_nobody_looked_at_yet(api: Any):
    made = api.connection(api.gateway())
    assert api.get(_path(api, made["id"]))["traffic"]["samples"] == []


def test_a_wrong_query_is_refused_by_its_word(api: Any):
    made = api.connection(api.gateway())
    answer = api.send("GET", _path(api, made["id"], "?last=year"))
    assert answer.status_code == 400
    assert answer.json()["details"][0]["field"] == "last"
    assert "hour or day or month" in answer.text


def test_another_project_finds_nothing(api: Any, shared_service: Any):
    made = api.connection(api.gateway())
    other = shared_service.api()
    assert other.send("GET", _path(other, made["id"])).status_code == 404
