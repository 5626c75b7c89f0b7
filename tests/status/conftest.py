"""A connection, a child and an observation of it."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lab import specs
from landbridge import model

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONNECTION = specs.connection(
    id="c1",
    peer_subnets=("10.2.0.0/24",),
    ike_policy=specs.ike_policy(local_id="10.9.0.1", peer_id_type="fqdn", peer_id="branch.example"),
).connection


def child(peer: str = "10.2.0.0/24", spi: str = "c0000001") -> model.ChildSa:
    return specs.child_sa(
        local_ts=("10.1.0.0/24",),
        remote_ts=(peer,),
        spi_in=spi,
        spi_out="c0000002",
        proposal="AES_CBC_128/HMAC_SHA2_256_128",
        installed_at=NOW,
    )


def seen(**words: Any) -> model.ConnectionObservation:
    return model.ConnectionObservation(connection_id="c1", **words)


@pytest.fixture(scope="session")
def given() -> SimpleNamespace:
    """The functions of this file, by their names."""
    return SimpleNamespace(connection=CONNECTION, now=NOW, child=child, seen=seen)
