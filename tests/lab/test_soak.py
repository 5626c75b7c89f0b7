"""The soak's table of events is whole, and its echoes count what is lost."""

import secrets
import subprocess
import time
from collections.abc import Iterator

import pytest

from lab import connection_fields, pings, sites, soak_events, testbed
from landbridge.wire import connection_requests

PLACES = connection_fields.places(connection_requests.UpdateConnection)


@pytest.mark.parametrize("place", [place for place in PLACES if place not in soak_events.FIXED])
def test_each_field_of_an_update_has_another_value(place: str):
    assert place in connection_fields.CASES
    assert connection_fields.CASES[place].value is not connection_fields.ONLY


def test_each_event_has_a_name_of_its_own():
    names = [one.name for one in soak_events.EVENTS]
    assert len(names) == len(set(names))


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"t{secrets.token_hex(3)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    sites.ip(name, "link set lo up")
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.tunnel
def test_echoes_that_are_dropped_are_lost_and_no_others(namespace: str):
    flows = [pings.Flow(namespace, "127.0.0.1"), pings.Flow(namespace, "127.0.0.2")]
    with pings.pinging(flows, 0.01) as running:
        began = time.monotonic()
        sites.wait_for(lambda: all(running.answers(flow, 10, began) for flow in (0, 1)), "answers")
        assert [running.lost(flow, running.numbers(began, time.monotonic() - 0.5)) for flow in (0, 1)] == [0, 0]
        drops = "chain input { type filter hook input priority 0; ip daddr 127.0.0.2 drop; }"
        testbed.nft(namespace, f"table ip cut {{\n{drops}\n}}\n")
        dropped = time.monotonic()
        sites.wait_for(lambda: len(running.numbers(dropped, time.monotonic() - 0.5)) > 10, "more echoes")
        rounds = running.numbers(dropped, time.monotonic() - 0.5)
        assert running.lost(0, rounds) == 0
        assert running.lost(1, rounds) == len(rounds)
        assert not running.answers(1, 10, dropped)
