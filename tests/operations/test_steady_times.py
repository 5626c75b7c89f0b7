"""The times of a CHILD_SA do not move with the second in which a look comes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lab import specs
from landbridge import model
from landbridge.operations import steady_times

THEN = datetime(2026, 1, 1, tzinfo=UTC)
CHILD = specs.child_sa(local_ts=("10.0.0.0/24",), remote_ts=("192.168.1.0/24",), installed_at=THEN, last_in_at=THEN)


def _at(seconds: int) -> datetime:
    return THEN + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        pytest.param({"installed_at": _at(1)}, {}, id="a second later"),
        pytest.param({"installed_at": _at(-2), "last_in_at": _at(2)}, {}, id="two seconds"),
        pytest.param({"last_in_at": _at(3)}, {"last_in_at": _at(3)}, id="a packet came"),
        pytest.param({"last_out_at": _at(0)}, {"last_out_at": _at(0)}, id="the first packet went"),
        pytest.param({"last_in_at": None}, {"last_in_at": None}, id="the engine no longer knows"),
        pytest.param({"bytes_in": 9}, {"bytes_in": 9}, id="what is no time"),
        pytest.param(
            {"spi_in": "3", "installed_at": _at(1)}, {"spi_in": "3", "installed_at": _at(1)}, id="another CHILD_SA"
        ),
    ],
)
def test_a_time_is_the_one_of_the_look_before(found: dict[str, object], kept: dict[str, object]):
    before = model.ConnectionObservation(connection_id="c", children=(CHILD,))
    now = replace(before, children=(replace(CHILD, **found),))
    assert steady_times.keep(before, now).children == (replace(CHILD, **kept),)
    assert steady_times.keep(None, now) == now
