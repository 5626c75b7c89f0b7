"""The short form of the soak (`make test-soak PLANE=kernel`), with few connections and few echoes."""

from collections.abc import Iterator

import pytest

from lab import soak, soak_bed, soak_events
from lab.soak_bed import Bed, Size

#: A start of the service takes minutes in this machine, and an event has several.
pytestmark = [pytest.mark.tunnel, pytest.mark.long, pytest.mark.timeout(1800)]
SIZE = Size(plane="kernel", gateways=2, connections=2, interval=0.2)


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with soak_bed.made(SIZE) as made:
        yield made


@pytest.mark.parametrize("event", [one for one in soak_events.EVENTS if one.short], ids=lambda one: one.name)
def test_the_others_feel_nothing(bed: Bed, event: soak_events.Event):
    outcome = soak.run(bed, event)
    assert (outcome.wrong, outcome.others) == ("", 0)
    assert outcome.sent > 0
