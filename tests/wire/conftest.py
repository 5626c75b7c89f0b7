"""A connection to render: the one of the page's first example answer, its masked ids filled in."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from landbridge import model

NOW = datetime(2022, 11, 26, 13, 41, 34, 626000, tzinfo=UTC)
STATIC = model.Connection(
    id="98c5af8a-6ee2-4482-99a2-ae2280a6f4c3",
    project_id="f" * 32,
    name="vpn-b2cb",
    gateway_id="b32d91a4-0c4b-4f57-8f3a-e907174eb11d",
    endpoint=1,
    gateway_endpoint="0c464dad-3a3b-4d0e-9ec4-c22bb0eb0bde",
    style="static",
    customer_gateway_id="5247ae10-9d3e-4f27-b8a7-dd36659a7f5d",
    peer_subnets=("192.168.44.0/24",),
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
        local_id="10.0.0.134",
        peer_id_type="ip",
        peer_id="88.0.0.164",
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


@pytest.fixture(scope="session")
def connection() -> Callable[..., model.Connection]:
    """The connection with changes; `ike` and `ipsec` change its policies."""

    def changed(*, ike: dict[str, Any] | None = None, ipsec: dict[str, Any] | None = None, **words: Any) -> Any:
        policies = {
            "ike_policy": replace(STATIC.ike_policy, **(ike or {})),
            "ipsec_policy": replace(STATIC.ipsec_policy, **(ipsec or {})),
        }
        return replace(STATIC, **(policies | words))

    return changed
