"""Updating a VPN gateway and changing its specification: what is refused, what changes, and what an engine must do."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from landbridge import model
from landbridge.rules import fields, gateway, gateway_update
from landbridge.wire import gateways

VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
EIPS = tuple(f"e{n}e{n}e{n}e{n}-0000-4000-8000-00000000000{n}" for n in range(1, 6))
SITE = model.Site(
    eips=(
        *(model.Eip(id=id_, address=f"203.0.113.{n}") for n, id_ in enumerate(EIPS[:4], 1)),
        model.Eip(id=EIPS[4], address="203.0.113.5", attach="macvlan", interface="eth0"),
    ),
    networks=(),
    zones=("zone-1", "zone-2"),
    any_network=True,
    gateway_addresses=("10.0.0.8", "10.0.0.9"),
)
GENERATED = fields.Generated(
    id="98c5af8a-6ee2-4482-99a2-ae2280a6f4c3", now=datetime(2026, 1, 2, tzinfo=UTC), suffix="2abf", other_ids=EIPS[:2]
)


def _gateway(**words: Any) -> model.VpnGateway:
    request = model.GatewayRequest(**{"vpc_id": VPC, "local_subnets": ("10.0.0.0/24",)} | words)
    return gateway.complete(request, gateway.SiteFacts(site=SITE, taken={}), GENERATED, "p1")


PUBLIC = _gateway()
PRIVATE = _gateway(network_type="private", access_private_ip_1="10.0.0.8", access_private_ip_2="10.0.0.9")
TAKEN = {EIPS[0]: PUBLIC.id, EIPS[1]: PUBLIC.id, EIPS[3]: "another-gateway"}
FACTS = gateway_update.GatewayUpdateFacts(site=SITE, taken=TAKEN, connections=())


def _ask(body: dict[str, Any]) -> model.GatewayChange:
    return gateways.UpdateGateway.model_validate(body).change()


@pytest.mark.parametrize(
    ("present", "body", "field", "text"),
    [
        pytest.param(PUBLIC, {"name": ""}, "name", "is not a name", id="name"),
        pytest.param(PUBLIC, {"local_subnets": []}, "local_subnets", "has 0 entries", id="no-subnets"),
        pytest.param(
            PUBLIC, {"local_subnets": ["0.0.0.0/0"]}, "local_subnets[0]", "not the network of a VPC", id="all"
        ),
        pytest.param(PUBLIC, {"local_subnets": ["127.0.0.0/8"]}, "local_subnets[0]", "not the network", id="loopback"),
        pytest.param(PUBLIC, {"eip_id_1": "x"}, "eip_id_1", "is not an id", id="eip-form"),
        pytest.param(PUBLIC, {"eip_id_1": VPC}, "eip_id_1", "does not exist or is not free", id="eip-unknown"),
        pytest.param(PUBLIC, {"eip_id_2": EIPS[3]}, "eip_id_2", "another-gateway", id="eip-taken"),
        pytest.param(PUBLIC, {"eip_id_1": EIPS[1]}, "eip_id_1", "other endpoint", id="eip-twice"),
        pytest.param(PUBLIC, {"eip_id_2": EIPS[4]}, "eip_id_2", "in another way", id="eip-other-uplink"),
        pytest.param(PRIVATE, {"eip_id_2": EIPS[2]}, "eip_id_2", "network_type is private", id="private"),
        pytest.param(
            PUBLIC, {"policy_template": {"ike_policy": {}}}, "policy_template", "Professional1", id="template"
        ),
        pytest.param(PUBLIC, {"ha_mode": "active-standby"}, "ha_mode", "cannot be changed", id="ha-mode"),
        pytest.param(PUBLIC, {"network_type": "private"}, "network_type", "cannot be changed", id="network-type"),
        pytest.param(PUBLIC, {"ip_version": "ipv6"}, "ip_version", "cannot be changed", id="ip-version"),
        pytest.param(
            PUBLIC,
            {"access_private_ip_1": "10.0.0.1"},
            "access_private_ip_1",
            "it is not set",
            id="private-ip",
        ),
        pytest.param(PUBLIC, {"eip1": {"bandwidth_size": 5}}, "eip1.bandwidth_size", "it is 300", id="bandwidth"),
        pytest.param(
            PUBLIC, {"slave_eip": {"charge_mode": "x"}}, "slave_eip.charge_mode", "it is bandwidth", id="charge"
        ),
        pytest.param(PRIVATE, {"eip2": {"type": "x"}}, "eip2.type", "it is not set", id="private-eip-word"),
        pytest.param(
            PUBLIC,
            {"availability_zone_ids": ["nope"]},
            "availability_zone_ids",
            "to 'nope': it is zone-1, zone-2",
            id="zone",
        ),
        pytest.param(PUBLIC, {"master_eip": {"id": VPC}}, "master_eip.id", "eip_id_1 changes it", id="older-name"),
        pytest.param(PUBLIC, {"flavor": "GM"}, "flavor", "update-specification", id="flavor"),
        pytest.param(PUBLIC, {"tags": [{"key": "a", "value": "b"}]}, "tags", "tags/create", id="tags"),
    ],
)
def test_an_unsound_update_is_refused_by_its_field(
    present: model.VpnGateway, body: dict[str, Any], field: str, text: str
):
    (violation,) = gateway_update.check(_ask(body), present, FACTS)
    assert violation.field == field
    assert text in str(violation)


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"name": "other"}, {"name": "other"}, id="name"),
        pytest.param({"local_subnets": ["10.1.0.0/24"]}, {"local_subnets": ("10.1.0.0/24",)}, id="subnets"),
        pytest.param({"eip_id_1": EIPS[0].upper()}, {}, id="its-own-eip"),
        pytest.param({"vpc_id": VPC.upper(), "bgp_asn": 64512, "tags": []}, {}, id="what-was-read"),
    ],
)
def test_a_sound_update_changes_what_it_names(body: dict[str, Any], changes: dict[str, Any]):
    assert list(gateway_update.check(_ask(body), PUBLIC, FACTS)) == []
    assert gateway_update.complete(_ask(body), PUBLIC, SITE) == replace(PUBLIC, **changes)


def test_only_what_an_engine_carries_moves_it():
    assert not gateway_update.bumps_generation(PUBLIC, replace(PUBLIC, name="other"))
    assert gateway_update.bumps_generation(PUBLIC, replace(PUBLIC, local_subnets=("10.1.0.0/24",)))
    moved = gateway_update.complete(_ask({"eip_id_2": EIPS[2]}), PUBLIC, SITE)
    assert gateway_update.bumps_generation(PUBLIC, moved)
    assert (moved.endpoints[1].address, moved.endpoints[1].bandwidth_id) == (
        "203.0.113.3",
        PUBLIC.endpoints[1].bandwidth_id,
    )


def test_connections_that_only_the_old_address_told_apart_are_refused(given: Any):
    one, two = replace(given.made({}), id="one"), replace(given.made({}), id="two")
    found = list(gateway_update.check_identities(_ask({"eip_id_1": EIPS[2]}), [(one, "same"), (two, "same")]))
    assert [violation.field for violation in found] == ["eip_id_1"]
    assert "connection two" in found[0].wrong
    assert "connection one" in found[0].wrong
    assert list(gateway_update.check_identities(_ask({"eip_id_1": EIPS[2]}), [(one, "a"), (two, "b")])) == []


def test_a_flavor_must_carry_the_connections_that_there_are():
    basic = _gateway(flavor="Professional2")
    assert list(gateway_update.check_flavor("Professional1", basic, 200, 200)) == []
    (violation,) = gateway_update.check_flavor("Professional1", basic, 201, 200)
    assert (violation.field, violation.code) == ("flavor", "VPN.0517")


def test_an_eip_of_another_project_is_as_if_it_were_not_there():
    """Also one that the gateway may not have any more stays until it is given up."""
    theirs = ("b" * 32,)
    shared = replace(SITE, eips=tuple(replace(eip, projects=theirs) for eip in SITE.eips))
    has = {end.eip_id or "" for end in PUBLIC.endpoints}
    facts = replace(FACTS, site=shared.for_project("a" * 32, has), taken=TAKEN | {EIPS[3]: None})

    def asked(eip_id: str) -> list[str]:
        return [str(v).replace(eip_id, "ID") for v in gateway_update.check(_ask({"eip_id_1": eip_id}), PUBLIC, facts)]

    assert asked(EIPS[2]) == asked(EIPS[3]) == asked(VPC) != []
    assert asked(EIPS[0]) == []
