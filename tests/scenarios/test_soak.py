"""The short form of the soak (`make test-soak`): the cheap events, with few connections."""

from collections.abc import Iterator

import pytest

from lab import soak, soak_bed, soak_events
from lab.soak_bed import Bed, Size

pytestmark = pytest.mark.tunnel
SIZE = Size(plane="userland", gateways=2, connections=3, interval=0.05)


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with soak_bed.made(SIZE) as made:
        yield made


@pytest.mark.parametrize("event", [one for one in soak_events.EVENTS if one.short], ids=lambda one: one.name)
def test_the_others_feel_nothing(bed: Bed, event: soak_events.Event):
    outcome = soak.run(bed, event, linger=0.5)
    assert (outcome.wrong, outcome.others - outcome.dropped) == ("", 0)
    assert outcome.sent > 0
