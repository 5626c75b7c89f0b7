"""A connection, a child and an observation of it, for judging."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from landbridge import model

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CONNECTION = model.Connection(
    id="c1",
    project_id="p1",
    name="vpn-1",
    gateway_id="g1",
    endpoint=1,
    gateway_endpoint="e1",
    style="static",
    customer_gateway_id="cgw1",
    peer_subnets=("10.2.0.0/24",),
    tunnel_local_address="169.254.56.225/30",
    tunnel_peer_address="169.254.56.226/30",
    enable_nqa=False,
    enable_hub=None,
    policy_rules=(),
    ike_policy=model.IkePolicy(
        version="v2",
        negotiation_mode=None,
        authentication_algorithm="sha2-256",
        encryption_algorithm="aes-128",
        dh_group="group15",
        authentication_method="pre-share",
        lifetime_seconds=86400,
        local_id_type="ip",
        local_id="10.9.0.1",
        peer_id_type="fqdn",
        peer_id="branch.example",
        dpd=model.Dpd(interval=30, timeout=15, msg="seq-hash-notify"),
    ),
    ipsec_policy=model.IpsecPolicy(
        authentication_algorithm="sha2-256",
        encryption_algorithm="aes-128",
        pfs="group15",
        transform_protocol="esp",
        lifetime_seconds=3600,
        encapsulation_mode="tunnel",
    ),
    ha_role="master",
    enterprise_project_id="0",
    monitor_id=None,
    tags=(),
    created_at=NOW,
    updated_at=NOW,
)


def child(peer: str = "10.2.0.0/24", spi: str = "c0000001") -> model.ChildSa:
    return model.ChildSa(
        rule="0",
        local_ts=("10.1.0.0/24",),
        remote_ts=(peer,),
        spi_in=spi,
        spi_out="c0000002",
        proposal="AES_CBC_128/HMAC_SHA2_256_128",
        bytes_in=0,
        bytes_out=0,
        packets_in=0,
        packets_out=0,
        installed_seconds=1,
    )


def lines(*said: str) -> tuple[model.Evidence, ...]:
    """Lines of a log, oldest first."""
    return tuple(model.Evidence(at=NOW, line=line) for line in said)


def seen(**words: Any) -> model.ConnectionObservation:
    return model.ConnectionObservation(connection_id="c1", **words)


@pytest.fixture(scope="session")
def given() -> SimpleNamespace:
    """The functions of this file, by their names."""
    return SimpleNamespace(connection=CONNECTION, now=NOW, child=child, lines=lines, seen=seen)
