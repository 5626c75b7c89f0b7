"""Quotas: what a project may have and has, and the creates that keep them."""

from collections.abc import Callable
from typing import Any

from landbridge import config


def _quotas(api: Any) -> dict[str, tuple[int, int]]:
    resources = api.get("vpn/quotas")["quotas"]["resources"]
    return {each["type"]: (each["quota"], each["used"]) for each in resources}


def test_used_is_what_is_there_and_without_a_limit_the_quota_is_minus_1(api: Any):
    gateway = api.gateway()
    made = [api.connection(gateway) for _ in range(2)]
    assert _quotas(api) == {"customer_gateway": (-1, 2), "vpn_connection": (-1, 2), "vpn_gateway": (-1, 1)}
    api.delete(f"vpn-connection/{made[0]['id']}")
    api.gone(f"vpn-connection/{made[0]['id']}")
    api.delete(f"customer-gateways/{made[0]['cgw_id']}")
    assert _quotas(api) == {"customer_gateway": (-1, 1), "vpn_connection": (-1, 1), "vpn_gateway": (-1, 1)}


def test_a_create_beyond_the_quota_is_refused_and_one_after_a_delete_is_not(open_service: Callable[..., Any]):
    service = open_service(quotas=config.Quotas(vpn_gateway=1, customer_gateway=2, vpn_connection=1))
    api = service.api()
    gateway, peer, other = api.gateway(), api.customer_gateway(), api.customer_gateway()
    made = api.connection(gateway, peer)
    wishes = {
        "vpn_gateway": ("vpn-gateways", {"vpc_id": gateway["vpc_id"], "local_subnets": ["10.1.0.0/24"]}),
        "customer_gateway": ("customer-gateways", {"id_value": "192.0.2.1"}),
        "vpn_connection": ("vpn-connection", api.connection_body(gateway, other)),
    }
    for kind, (path, wish) in wishes.items():
        assert set(api.refused(path, kind, wish)) == {kind}
        assert set(api.refused(path, kind, wish | {"name": ""})) == {kind, "name"}
    assert _quotas(api) == {"customer_gateway": (2, 2), "vpn_connection": (1, 1), "vpn_gateway": (1, 1)}
    api.delete(f"vpn-connection/{made['id']}")
    api.gone(f"vpn-connection/{made['id']}")
    api.connection(gateway, other)


def test_each_project_has_its_own(open_service: Callable[..., Any]):
    service = open_service(quotas=config.Quotas(customer_gateway=1))
    one, other = service.api(), service.api()
    one.customer_gateway()
    assert (_quotas(one)["customer_gateway"], _quotas(other)["customer_gateway"]) == ((1, 1), (1, 0))
    other.customer_gateway()
