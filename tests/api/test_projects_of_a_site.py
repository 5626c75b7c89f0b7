"""Networks and EIPs that belong to projects: what one project hears of another one's."""

import json
import uuid
from typing import Any

import pytest

from landbridge import model
from landbridge.operations import clock
from landbridge.store import keys
from tests import conftest

THEIRS, SHARED, UNKNOWN = (str(uuid.UUID(int=number)) for number in (1, 2, 99))
EIPS = tuple(str(uuid.UUID(int=number)) for number in range(11, 17))
PATH = "vpn-gateways"
PRIVATE = {"network_type": "private", "vpc_id": SHARED}


def _site(owner: str) -> model.Site:
    """A network and two EIPs of `owner`; a network, and four EIPs that are for all."""
    return model.Site(
        eips=tuple(
            model.Eip(id=id_, address=f"203.0.113.{number}", projects=(owner,) if number < 2 else ())
            for number, id_ in enumerate(EIPS)
        ),
        networks=(
            model.Network(
                id=THEIRS, cidr="10.1.0.0/24", gateway_addresses=("10.1.0.200", "10.1.0.209"), projects=(owner,)
            ),
            model.Network(id=SHARED, cidr="10.2.0.0/24", gateway_addresses=("10.2.0.200", "10.2.0.209")),
        ),
        zones=("zone-1",),
        any_network=False,
    )


@pytest.fixture
def two(open_service: Any) -> Any:
    """The owner's caller, and another project's."""
    owner = uuid.uuid4().hex
    service = open_service(site=_site(owner))
    service.data.database.write(lambda tx: keys.add_project(tx, owner, "owner", clock.now()))
    return service.api(owner), service.api()


def _said(api: Any, **fields: Any) -> str:
    body = {"local_subnets": ["10.0.0.0/24"]} | fields
    return json.dumps(api.refused(PATH, "vpn_gateway", body))


@pytest.mark.parametrize(
    ("there", "unknown"),
    [
        pytest.param({"vpc_id": THEIRS}, {"vpc_id": UNKNOWN}, id="network"),
        pytest.param(
            {"vpc_id": SHARED, "eip1": {"id": EIPS[0]}}, {"vpc_id": SHARED, "eip1": {"id": UNKNOWN}}, id="eip"
        ),
        pytest.param(
            {"vpc_id": SHARED, "eip1": {"id": EIPS[2]}}, {"vpc_id": SHARED, "eip1": {"id": UNKNOWN}}, id="eip-in-use"
        ),
        pytest.param(PRIVATE | {"access_vpc_id": THEIRS}, PRIVATE | {"access_vpc_id": UNKNOWN}, id="access-vpc"),
    ],
)
def test_a_project_sees_nothing_of_another_ones_networks_and_eips(
    two: tuple[conftest.Api, conftest.Api], there: dict[str, Any], unknown: dict[str, Any]
):
    owner, other = two
    theirs = owner.gateway(vpc_id=THEIRS, eip1={"id": EIPS[2]}, eip2={"id": EIPS[0]})
    said = _said(other, **there)
    ids = {THEIRS, EIPS[0], EIPS[2]} & set(json.dumps(there).split('"'))
    for one in ids:
        said = said.replace(one, UNKNOWN)
    assert said == _said(other, **unknown)
    assert theirs["id"] not in said
    assert THEIRS not in said


def test_a_private_address_that_another_project_has_is_not_free_and_nobodys(two: tuple[conftest.Api, conftest.Api]):
    owner, other = two
    had = {"access_private_ip_1": "10.2.0.201", "access_private_ip_2": "10.2.0.202"}
    theirs = owner.gateway(**PRIVATE, **had)
    said = _said(other, **PRIVATE, **had)
    assert "10.2.0.201 is not free" in said
    assert theirs["id"] not in said
    assert other.gateway(**PRIVATE)["access_private_ip_1"] == "10.2.0.209"


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("10.2.0.1", id="the-networks-router"),
        pytest.param("10.1.0.201", id="another-networks-range"),
        pytest.param("203.0.113.4", id="an-eip"),
        pytest.param("9.9.9.9", id="a-resolver"),
        pytest.param("198.51.100.2", id="a-customers-device"),
    ],
)
def test_no_private_gateway_takes_an_address_that_the_site_does_not_keep_for_gateways(
    two: tuple[conftest.Api, conftest.Api], address: str
):
    _, other = two
    said = _said(other, **PRIVATE, access_private_ip_1=address, access_private_ip_2="10.2.0.205")
    assert f"{address} is not among the network's addresses for gateways" in said
    refused = other.refused("customer-gateways", "customer_gateway", {"id_value": "10.2.0.205"})
    assert set(refused) == {"id_value"}
