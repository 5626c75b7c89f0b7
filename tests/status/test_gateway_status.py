"""What a gateway's status is."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from lab import specs
from landbridge import model
from landbridge.status import gateway

SEEN = datetime(2026, 1, 2, tzinfo=UTC)
UNSEEN_AFTER = timedelta(seconds=90)


def _expected(*, deleting: bool, failure: str | None, applied: int | None) -> str:
    rows = [
        (deleting, "PENDING_DELETE"),
        (failure is not None, "FAULT"),
        (applied is None, "PENDING_CREATE"),
        (applied == 1, "PENDING_UPDATE"),
        (True, "ACTIVE"),
    ]
    return next(word for fits, word in rows if fits)


@pytest.mark.parametrize(
    ("deleting", "failure", "applied", "seen_at"),
    list(product([True, False], [None, "the bridge is missing"], [None, 1, 2], [None, SEEN])),
)
def test_the_status_of_a_gateway(*, deleting: bool, failure: str | None, applied: int | None, seen_at: datetime | None):
    known = model.KnownGateway(specs.gateway(), 2, deleting, applied, failure, seen_at)
    status = gateway.derive(known, SEEN, UNSEEN_AFTER)
    assert _expected(deleting=deleting, failure=failure, applied=applied) == status.status
    assert (failure, seen_at) == (status.explanation.reason if status.explanation else None, status.seen_at)
