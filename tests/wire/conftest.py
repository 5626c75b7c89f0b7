"""A connection to render: the one of the page's first example answer, its masked ids filled in."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lab import specs
from landbridge import model

NOW = datetime(2022, 11, 26, 13, 41, 34, 626000, tzinfo=UTC)
STATIC = specs.connection(
    id="98c5af8a-6ee2-4482-99a2-ae2280a6f4c3",
    name="vpn-b2cb",
    gateway_id="b32d91a4-0c4b-4f57-8f3a-e907174eb11d",
    gateway_endpoint="0c464dad-3a3b-4d0e-9ec4-c22bb0eb0bde",
    customer_gateway_id="5247ae10-9d3e-4f27-b8a7-dd36659a7f5d",
    peer_subnets=("192.168.44.0/24",),
    tunnel_local_address="169.254.56.225/30",
    tunnel_peer_address="169.254.56.226/30",
    ike_policy=specs.ike_policy(local_id="10.0.0.134", peer_id="88.0.0.164"),
    created_at=NOW,
    updated_at=NOW,
).connection


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
