"""The list of connections cut to a gateway, an endpoint, or enterprise projects: pages, markers and total_count of the cut."""

from types import SimpleNamespace
from typing import Any

import pytest

PATH = "vpn-connection"
ENTERPRISE = "0aad99bc-f5f6-4f78-8404-c598d76b0ed2"
NOBODY = "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"


@pytest.fixture
def world(api: Any) -> SimpleNamespace:
    """Two gateways of two enterprise projects, their connections made by turns on both endpoints."""
    gateways = [api.gateway(), api.gateway(enterprise_project_id=ENTERPRISE)]
    made = []
    for number in range(8):
        gateway = gateways[number % 2]
        endpoint = gateway[f"eip{1 + number // 2 % 2}"]["id"]
        made.append(api.connection(gateway, vgw_ip=endpoint))
    return SimpleNamespace(api=api, gateways=gateways, made=made)


def _walk(api: Any, query: str, limit: int) -> tuple[list[str], set[int]]:
    """The ids on all pages, and what each page says of their number."""
    found, totals, marker = [], set(), ""
    while True:
        page = api.get(f"{PATH}?limit={limit}&marker={marker}&{query}")
        found += [each["id"] for each in page["vpn_connections"]]
        totals.add(page["total_count"])
        marker = page["page_info"].get("next_marker")
        if marker is None:
            return found, totals


def _wanted(world: Any, **fields: str) -> list[str]:
    return [each["id"] for each in world.made if all(each[name] == value for name, value in fields.items())]


@pytest.mark.parametrize("limit", [1, 3, 2000])
@pytest.mark.parametrize("name", ["vgw_id", "vpn_id"])
def test_of_one_gateway(world: Any, name: str, limit: int):
    for gateway in world.gateways:
        wanted = _wanted(world, vgw_id=gateway["id"])
        assert _walk(world.api, f"{name}={gateway['id'].upper()}", limit) == (wanted, {4})


@pytest.mark.parametrize("limit", [1, 2000])
@pytest.mark.parametrize("name", ["vgw_ip", "eip_id"])
def test_of_one_endpoint(world: Any, name: str, limit: int):
    for gateway in world.gateways:
        for endpoint in (gateway["eip1"]["id"], gateway["eip2"]["id"]):
            wanted = _wanted(world, vgw_ip=endpoint)
            assert len(wanted) == 2
            assert _walk(world.api, f"{name}={endpoint}", limit) == (wanted, {2})


def test_of_the_endpoint_of_a_private_gateway(api: Any):
    gateway = api.gateway(
        network_type="private", access_private_ip_1="198.19.241.5", access_private_ip_2="198.19.241.6"
    )
    made = [api.connection(gateway, vgw_ip=address)["id"] for address in ("198.19.241.5", "198.19.241.6")]
    assert _walk(api, "vgw_ip=198.19.241.6", 2000) == ([made[1]], {1})


@pytest.mark.parametrize("limit", [1, 3, 2000])
def test_of_enterprise_projects(world: Any, limit: int):
    of_it = _wanted(world, vgw_id=world.gateways[1]["id"])
    default = _wanted(world, vgw_id=world.gateways[0]["id"])
    everything = [each["id"] for each in world.made]
    assert _walk(world.api, f"enterprise_project_id={ENTERPRISE.upper()}", limit) == (of_it, {4})
    assert _walk(world.api, "enterprise_project_id=0", limit) == (default, {4})
    both = f"enterprise_project_id=0&enterprise_project_id={ENTERPRISE}"
    assert _walk(world.api, both, limit) == (everything, {8})
    assert _walk(world.api, f"enterprise_project_id={NOBODY}", limit) == ([], {0})


def test_filters_together_leave_what_fits_all_of_them(world: Any):
    one, two = world.gateways
    fitting = f"vgw_id={one['id']}&vgw_ip={one['eip2']['id']}&enterprise_project_id=0&vpn_id={one['id']}"
    assert _walk(world.api, fitting, 1) == (_wanted(world, vgw_ip=one["eip2"]["id"]), {2})
    for contradiction in (
        f"vgw_id={one['id']}&vpn_id={two['id']}",
        f"vgw_id={one['id']}&vgw_ip={two['eip1']['id']}",
        f"vgw_ip={one['eip1']['id']}&eip_id={one['eip2']['id']}",
        f"vgw_id={one['id']}&enterprise_project_id={ENTERPRISE}",
    ):
        assert _walk(world.api, contradiction, 2000) == ([], {0}), contradiction


@pytest.mark.parametrize("query", [f"vgw_id={NOBODY}", f"vgw_ip={NOBODY}", "vgw_ip=192.0.2.1"])
def test_of_what_is_not_there_is_nothing(world: Any, query: str):
    assert _walk(world.api, query, 2000) == ([], {0})


def test_another_projects_gateway_and_endpoint_have_nothing_here(world: Any, shared_service: Any):
    stranger, gateway = shared_service.api(), world.gateways[0]
    for query in (f"vgw_id={gateway['id']}", f"vgw_ip={gateway['eip1']['id']}", "enterprise_project_id=0"):
        assert _walk(stranger, query, 2000) == ([], {0})


def test_an_empty_filter_is_none(world: Any):
    names = ("vgw_id", "vpn_id", "vgw_ip", "eip_id", "enterprise_project_id")
    assert _walk(world.api, "&".join(f"{name}=" for name in names), 2000) == ([each["id"] for each in world.made], {8})


@pytest.mark.parametrize("name", ["vgw_id", "vpn_id", "vgw_ip", "eip_id"])
@pytest.mark.parametrize("value", ["x", "1.2.3", "1.2.3.256", "1.2.3.4.5"])
def test_a_malformed_filter_is_refused_by_its_name(api: Any, name: str, value: str):
    answer = api.send("GET", f"{PATH}?{name}={value}")
    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.json()["details"]] == [name]
