"""Creating a VPN gateway: words, attachment, subnets, zones, EIPs and private addresses, against the site."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from landbridge import model, site_file
from landbridge.rules import fields, gateway
from landbridge.wire import gateways

VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
ER = "f5741286-8f4e-4b06-a4b8-2c82bd9ee114"
UNKNOWN = "dddddddd-0000-4000-8000-00000000000d"
EIPS = tuple(f"e{n}e{n}e{n}e{n}-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
GENERATED = fields.Generated(
    id="98c5af8a-6ee2-4482-99a2-ae2280a6f4c3",
    now=datetime(2026, 1, 2, tzinfo=UTC),
    suffix="2abf",
    other_ids=("aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"),
)
SITE = model.Site(
    eips=tuple(model.Eip(id=id_, address=f"203.0.113.{n}") for n, id_ in enumerate(EIPS, 1)),
    networks=(
        model.Network(
            id=VPC, cidr="10.1.0.0/24", address="10.1.0.254/24", gateway_addresses=("10.1.0.5", "10.1.0.253")
        ),
        model.Network(id=ER),
    ),
    zones=("zone-1", "zone-2", "zone-3"),
    any_network=False,
)
FACTS = gateway.SiteFacts(site=SITE, taken={})
BODY = {"vpc_id": VPC, "local_subnets": ["10.1.0.0/24"]}
PRIVATE = {"network_type": "private"}
TO_ER = {"attachment_type": "er", "er_id": ER, "vpc_id": None, "local_subnets": None}


def _ask(changes: dict[str, Any]) -> model.GatewayRequest:
    return gateways.CreateGateway.model_validate({**BODY, **changes}).request()


def _told(changes: dict[str, Any], facts: gateway.SiteFacts) -> gateway.SiteFacts:
    """The facts as the store gives them: of what is taken only what the rules ask about."""
    asked = gateway.endpoints_asked(_ask(changes), facts.site)
    return replace(facts, taken={key: user for key, user in facts.taken.items() if asked is None or key in asked})


def _refusals(changes: dict[str, Any], facts: gateway.SiteFacts = FACTS) -> list[str]:
    return [str(v) for v in gateway.check(_ask(changes), _told(changes, facts))]


def _made(changes: dict[str, Any], facts: gateway.SiteFacts = FACTS) -> model.VpnGateway:
    assert _refusals(changes, facts) == []
    return gateway.complete(_ask(changes), _told(changes, facts), GENERATED, "p1")


def _taken(*what: str) -> gateway.SiteFacts:
    return replace(FACTS, taken=dict.fromkeys(what, "another-gateway"))


def test_the_smallest_request_becomes_a_complete_public_gateway():
    def endpoint(number: int) -> model.Endpoint:
        return model.Endpoint(
            number=number,
            address=f"203.0.113.{number}",
            eip_id=EIPS[number - 1],
            type="5_bgp",
            charge_mode="bandwidth",
            bandwidth_id=GENERATED.other_ids[number - 1],
            bandwidth_name=f"vpngw-bandwidth-{'ab'[number - 1] * 4}",
            bandwidth_size=300,
        )

    assert _made({}) == model.VpnGateway(
        id=GENERATED.id,
        project_id="p1",
        name="vpngw-2abf",
        network_type="public",
        attachment_type="vpc",
        er_id=None,
        vpc_id=VPC,
        local_subnets=("10.1.0.0/24",),
        connect_subnet=None,
        access_vpc_id=VPC,
        access_subnet_id=None,
        bgp_asn=64512,
        flavor="Professional1",
        availability_zone_ids=("zone-1", "zone-2"),
        enterprise_project_id="0",
        ha_mode="active-active",
        endpoints=(endpoint(1), endpoint(2)),
        certificate_id=None,
        connection_number=200,
        tags=(),
        created_at=GENERATED.now,
        updated_at=GENERATED.now,
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"network_type": "public"}, {"network_type": "public"}, id="public"),
        pytest.param(TO_ER, {"er_id": ER, "vpc_id": None, "local_subnets": ()}, id="er"),
        pytest.param({"ip_version": "ipv4"}, {}, id="ipv4"),
        pytest.param({"flavor": "Basic"}, {"connection_number": 20}, id="basic"),
        pytest.param({"flavor": "GM"}, {"flavor": "GM", "connection_number": 200}, id="gm"),
        pytest.param({"ha_mode": "active-standby"}, {"ha_mode": "active-standby"}, id="active-standby"),
        pytest.param({"bgp_asn": 1}, {"bgp_asn": 1}, id="asn"),
        pytest.param({"connect_subnet": ER.upper()}, {"connect_subnet": ER, "access_subnet_id": ER}, id="subnet"),
        pytest.param({"availability_zone_ids": ["zone-3"]}, {"availability_zone_ids": ("zone-3",)}, id="one-zone"),
        pytest.param({"enterprise_project_id": UNKNOWN}, {"enterprise_project_id": UNKNOWN}, id="enterprise-project"),
        pytest.param({"vpc_id": VPC.upper()}, {"vpc_id": VPC, "access_vpc_id": VPC}, id="upper-case-id"),
        pytest.param({"access_vpc_id": UNKNOWN}, {"vpc_id": VPC, "access_vpc_id": UNKNOWN}, id="access-vpc"),
    ],
)
def test_what_is_asked_is_kept(changes: dict[str, Any], expected: dict[str, Any]):
    made = _made(changes)
    assert expected == {field: getattr(made, field) for field in expected}


@pytest.mark.parametrize(
    ("changes", "taken", "expected"),
    [
        pytest.param({}, (), (EIPS[0], EIPS[1]), id="first-two-of-the-pool"),
        pytest.param({}, (EIPS[0],), (EIPS[1], EIPS[2]), id="those-that-are-free"),
        pytest.param({"eip1": {"id": EIPS[1]}}, (), (EIPS[1], EIPS[0]), id="the-other-from-the-pool"),
        pytest.param({"eip1": {"id": EIPS[2].upper()}, "eip2": {"id": EIPS[0]}}, (), (EIPS[2], EIPS[0]), id="named"),
        pytest.param(
            {"master_eip": {"id": EIPS[2]}, "slave_eip": {"id": EIPS[1]}}, (), (EIPS[2], EIPS[1]), id="older-names"
        ),
    ],
)
def test_eips_are_named_or_taken_from_the_pool(
    changes: dict[str, Any], taken: tuple[str, ...], expected: tuple[str, str]
):
    made = _made(changes, _taken(*taken))
    assert expected == tuple(endpoint.eip_id for endpoint in made.endpoints)


@pytest.mark.parametrize(
    ("changes", "taken", "expected"),
    [
        pytest.param({}, (), ("10.1.0.253", "10.1.0.252"), id="highest-but-ours"),
        pytest.param({}, ("10.1.0.253",), ("10.1.0.252", "10.1.0.251"), id="those-that-are-free"),
        pytest.param(
            {"access_private_ip_1": "10.1.0.5", "access_private_ip_2": "10.1.0.6"},
            (),
            ("10.1.0.5", "10.1.0.6"),
            id="named",
        ),
    ],
)
def test_private_addresses_are_named_or_chosen(
    changes: dict[str, Any], taken: tuple[str, ...], expected: tuple[str, str]
):
    made = _made(PRIVATE | changes, _taken(*taken))
    assert expected == tuple(endpoint.address for endpoint in made.endpoints)
    assert tuple(endpoint.eip_id for endpoint in made.endpoints) == (None, None)


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        pytest.param({"name": "a b"}, "name", "is not a name", id="name"),
        pytest.param({"network_type": "vpn"}, "network_type", "one of public, private", id="network-type"),
        pytest.param({"attachment_type": "cc"}, "attachment_type", "one of vpc, er", id="attachment-type"),
        pytest.param({"ip_version": "ipv6"}, "ip_version", "(wanted: ipv4)", id="ip-version"),
        pytest.param({"flavor": "Mega"}, "flavor", "one of Basic", id="flavor"),
        pytest.param({"ha_mode": "none"}, "ha_mode", "one of active-active, active-standby", id="ha-mode"),
        pytest.param({"vpc_id": None}, "vpc_id", "is mandatory", id="no-vpc"),
        pytest.param({"vpc_id": "x"}, "vpc_id", "is not an id", id="vpc-no-uuid"),
        pytest.param({"vpc_id": UNKNOWN}, "vpc_id", f"one of its networks: {VPC}, {ER}", id="vpc-not-of-the-site"),
        pytest.param({"er_id": ER}, "er_id", "if attachment_type is not er", id="er-with-vpc"),
        pytest.param(TO_ER | {"er_id": None}, "er_id", "is mandatory", id="no-er"),
        pytest.param(TO_ER | {"er_id": UNKNOWN}, "er_id", "is not in the site file", id="er-not-of-the-site"),
        pytest.param(TO_ER | {"vpc_id": "x"}, "vpc_id", "is not an id", id="er-with-a-malformed-vpc"),
        pytest.param(TO_ER | BODY | {"vpc_id": None}, "local_subnets", "the router knows them", id="er-with-subnets"),
        pytest.param({"access_vpc_id": "x"}, "access_vpc_id", "is not an id", id="access-vpc"),
        pytest.param({"local_subnets": None}, "local_subnets", "is mandatory", id="no-subnets"),
        pytest.param({"local_subnets": []}, "local_subnets", "has 0 entries", id="empty-subnets"),
        pytest.param(
            {"local_subnets": ["10.1.0.9/24"]}, "local_subnets[0]", "its block is 10.1.0.0/24", id="host-bits"
        ),
        pytest.param({"local_subnets_v6": ["2001:db8::/32"]}, "local_subnets_v6", "IPv6 is not carried yet", id="v6"),
        pytest.param({"connect_subnet": "x"}, "connect_subnet", "is not an id", id="connect-subnet"),
        pytest.param({"access_subnet_id": "x"}, "access_subnet_id", "is not an id", id="access-subnet"),
        pytest.param({"bgp_asn": 0}, "bgp_asn", "0 is out of range", id="asn"),
        pytest.param(
            {"flavor": "Basic"} | PRIVATE, "flavor", "does not go with network_type private", id="basic-private"
        ),
        pytest.param({"flavor": "Basic"} | TO_ER, "flavor", "does not go with attachment_type er", id="basic-er"),
        pytest.param({"availability_zone_ids": []}, "availability_zone_ids", "1 or 2 zones", id="no-zones"),
        pytest.param(
            {"availability_zone_ids": ["zone-1", "zone-2", "zone-3"]},
            "availability_zone_ids",
            "3 entries",
            id="3-zones",
        ),
        pytest.param(
            {"availability_zone_ids": ["zone-1", "zone-9"]},
            "availability_zone_ids[1]",
            "one of zone-1, zone-2, zone-3",
            id="unknown-zone",
        ),
        pytest.param(
            {"availability_zone_ids": ["zone-1"] * 2}, "availability_zone_ids[1]", "is given twice", id="zone-twice"
        ),
        pytest.param({"enterprise_project_id": "1"}, "enterprise_project_id", "or 0", id="enterprise-project"),
        pytest.param(PRIVATE | {"eip1": {}}, "eip1", "if network_type is private", id="private-with-eip"),
        pytest.param(
            PRIVATE | {"access_private_ip_1": "10.1.0.5"}, "access_private_ip_2", "both or neither", id="one-private"
        ),
        pytest.param(
            PRIVATE | {"access_private_ip_1": "10.1.0.5", "access_private_ip_2": "10.1.0.5"},
            "access_private_ip_2",
            "two different addresses",
            id="private-twice",
        ),
        pytest.param(
            PRIVATE | {"access_private_ip_1": "10.1.0.5", "access_private_ip_2": "x"},
            "access_private_ip_2",
            "is not an IPv4 address",
            id="private-no-address",
        ),
        pytest.param(
            PRIVATE | {"access_private_ip_1": "10.1.0.5", "access_private_ip_2": "10.9.0.5"},
            "access_private_ip_2",
            "an address of 10.1.0.5-10.1.0.253",
            id="private-elsewhere",
        ),
        pytest.param(PRIVATE | TO_ER, "network_type", 'writes gateway_addresses = "FIRST-LAST"', id="private-no-range"),
        pytest.param(
            PRIVATE | {"access_vpc_id": UNKNOWN},
            "access_vpc_id",
            f"one of its networks: {VPC}, {ER}",
            id="access-unknown",
        ),
        pytest.param({"access_private_ip_1": "10.1.0.5"}, "access_private_ip_1", "is public", id="public-with-private"),
        pytest.param({"eip1": {}, "master_eip": {}}, "master_eip", "is the older name of eip1", id="both-names"),
        pytest.param({"eip1": {"id": "x"}}, "eip1.id", "is not an id", id="eip-no-uuid"),
        pytest.param({"eip2": {"id": UNKNOWN}}, "eip2.id", f"EIP {UNKNOWN} does not exist", id="unknown-eip"),
        pytest.param({"slave_eip": {"id": UNKNOWN}}, "slave_eip.id", "does not exist", id="older-name-is-blamed"),
        pytest.param(
            {"eip1": {"id": EIPS[0]}, "eip2": {"id": EIPS[0]}}, "eip2.id", "two different EIPs", id="eip-twice"
        ),
        pytest.param({"eip1": {"charge_mode": "free"}}, "eip1.charge_mode", "one of bandwidth, traffic", id="charge"),
        pytest.param({"eip1": {"bandwidth_name": ""}}, "eip1.bandwidth_name", "is not a name", id="bandwidth-name"),
        pytest.param({"eip1": {"type": "a b"}}, "eip1.type", "is not a name", id="eip-type"),
        pytest.param({"eip1": {"bandwidth_id": "x"}}, "eip1.bandwidth_id", "is not an id", id="bandwidth-id"),
        pytest.param({"eip1": {"bandwidth_size": 0}}, "eip1.bandwidth_size", "1 to 300", id="bandwidth-0"),
        pytest.param({"eip1": {"bandwidth_size": 301}}, "eip1.bandwidth_size", "1 to 300", id="bandwidth-301"),
        pytest.param({"tags": [{"key": "k"}]}, "tags[0].value", "is mandatory", id="tags"),
    ],
)
def test_an_unsound_request_is_refused(changes: dict[str, Any], field: str, text: str):
    found = _refusals(changes)
    assert [field] == [one.split(": ")[0] for one in found], found
    assert text in found[0]


@pytest.mark.parametrize(
    ("changes", "taken", "field", "text"),
    [
        pytest.param(
            {"eip1": {"id": EIPS[0]}}, EIPS[:1], "eip1.id", "is used by VPN gateway another-gateway", id="eip"
        ),
        pytest.param({}, EIPS[:2], "eip2", "1 free one is left", id="pool-has-one"),
        pytest.param({"eip1": {"id": EIPS[0]}}, EIPS[1:], "eip2", "0 free ones are left", id="pool-has-none"),
        pytest.param(
            PRIVATE | {"access_private_ip_1": "10.1.0.5", "access_private_ip_2": "10.1.0.6"},
            ("10.1.0.5",),
            "access_private_ip_1",
            "is used by VPN gateway another-gateway",
            id="private-address",
        ),
        pytest.param(
            PRIVATE,
            tuple(f"10.1.0.{n}" for n in range(5, 253)),
            "access_private_ip_1",
            "no address is free to choose from",
            id="network-is-full",
        ),
    ],
)
def test_what_is_taken_is_refused(changes: dict[str, Any], taken: tuple[str, ...], field: str, text: str):
    found = _refusals(changes, _taken(*taken))
    assert [field] == [one.split(": ")[0] for one in found], found
    assert text in found[0]


def test_an_unlisted_network_is_fine_where_the_site_allows_any():
    anywhere = replace(FACTS, site=replace(SITE, any_network=True))
    assert _made({"vpc_id": UNKNOWN}, anywhere).vpc_id == UNKNOWN


def test_a_private_gateway_of_an_unlisted_network_is_refused():
    anywhere = replace(FACTS, site=replace(SITE, any_network=True))
    (found,) = _refusals(PRIVATE | {"vpc_id": UNKNOWN, "local_subnets": ["10.7.0.0/24"]}, anywhere)
    assert found.startswith(f"network_type: network {UNKNOWN} has no addresses for private gateways")


def test_a_private_gateway_of_the_default_site_has_addresses_that_are_in_no_network():
    made = _made(PRIVATE | {"vpc_id": UNKNOWN, "access_vpc_id": None}, replace(FACTS, site=site_file.default()))
    assert tuple(endpoint.address for endpoint in made.endpoints) == ("198.19.255.254", "198.19.255.253")


def test_a_private_gateway_has_addresses_of_the_access_vpc():
    made = _made(PRIVATE | TO_ER | {"access_vpc_id": VPC.upper()})
    assert tuple(endpoint.address for endpoint in made.endpoints) == ("10.1.0.253", "10.1.0.252")


def test_a_connection_limit_of_the_site_beats_the_flavor():
    assert _made({}, replace(FACTS, connection_limit=7)).connection_number == 7


def test_all_violations_come_at_once():
    wrong = {"name": "", "flavor": "x", "vpc_id": "y", "local_subnets": ["z"], "bgp_asn": 0, "eip1": {"id": "w"}}
    found = [one.split(": ")[0] for one in _refusals(wrong)]
    assert found == ["name", "flavor", "vpc_id", "local_subnets[0]", "bgp_asn", "eip1.id"]


def test_one_eip_in_two_cases_is_still_one_eip():
    found = _refusals({"eip1": {"id": EIPS[0]}, "eip2": {"id": EIPS[0].upper()}})
    assert [one.split(": ")[0] for one in found] == ["eip2.id"]


def test_a_private_address_is_held_to_the_network_in_any_case_of_its_id():
    found = _refusals(
        PRIVATE | {"vpc_id": VPC.upper(), "access_private_ip_1": "10.9.0.5", "access_private_ip_2": "10.1.0.6"}
    )
    assert [one.split(": ")[0] for one in found] == ["access_private_ip_1"]


#: What no private gateway may have in SITE, whoever asks: (address, what is said).
NOT_FOR_GATEWAYS = {
    "10.1.0.254": "not among the network's addresses",  # the address of the gateway in its network
    "10.1.0.0": "not among the network's addresses",
    "10.1.0.255": "not among the network's addresses",
    "10.1.0.1": "not among the network's addresses",  # the network's router, which the range leaves out
    "203.0.113.1": "not among the network's addresses",  # an EIP
    "127.0.0.1": "not among the network's addresses",
    "169.254.169.254": "not among the network's addresses",
    "9.9.9.9": "not among the network's addresses",
    "10.1.0.7": "is not free",  # the machine's own
    "10.1.0.8": "is not free",  # a device or a router
    "10.1.0.9": "is not free",  # another project's
    "10.1.0.10": "is used by VPN gateway ours",
}
BUSY = replace(
    FACTS,
    site=replace(
        SITE, machine_addresses=frozenset({"10.1.0.7"}), unavailable_addresses=frozenset({"10.1.0.8", "10.1.0.253"})
    ),
    taken={"10.1.0.9": None, "10.1.0.10": "ours", "10.1.0.252": None},
)


@pytest.mark.parametrize("address", NOT_FOR_GATEWAYS)
def test_a_private_address_is_one_that_the_site_keeps_for_gateways(address: str):
    (found,) = _refusals(PRIVATE | {"access_private_ip_1": "10.1.0.6", "access_private_ip_2": address}, BUSY)
    assert found.startswith("access_private_ip_2: ")
    assert NOT_FOR_GATEWAYS[address] in found


def test_no_private_address_that_something_else_has_is_chosen():
    made = _made(PRIVATE, BUSY)
    assert tuple(endpoint.address for endpoint in made.endpoints) == ("10.1.0.251", "10.1.0.250")


OURS, THEIRS = "a" * 32, "b" * 32
SHARED = replace(
    SITE,
    eips=(replace(SITE.eips[0], projects=(OURS,)), replace(SITE.eips[1], projects=(THEIRS,)), SITE.eips[2]),
    networks=(replace(SITE.networks[0], projects=(OURS, THEIRS)), replace(SITE.networks[1], projects=(THEIRS,))),
)


def _without_id(found: list[str], id_: str) -> list[str]:
    return [one.replace(id_, "ID") for one in found]


@pytest.mark.parametrize(
    ("changes", "id_", "taken"),
    [
        pytest.param({"eip1": {"id": EIPS[1]}}, EIPS[1], {}, id="eip-of-another-project"),
        pytest.param({"eip1": {"id": EIPS[2]}}, EIPS[2], {EIPS[2]: None}, id="eip-that-another-project-has"),
        pytest.param(TO_ER, ER, {}, id="network-of-another-project"),
        pytest.param({"vpc_id": ER}, ER, {}, id="network-of-another-project-as-vpc"),
        pytest.param(PRIVATE | {"access_vpc_id": ER}, ER, {}, id="access-vpc-of-another-project"),
    ],
)
def test_what_is_another_projects_is_as_if_it_were_not_there(
    changes: dict[str, Any], id_: str, taken: dict[str, str | None]
):
    def asked(known: str) -> list[str]:
        facts = gateway.SiteFacts(site=SHARED.for_project(OURS), taken=taken)
        wish = json.loads(json.dumps(changes).replace(id_, known))
        return _without_id([one for one in _refusals(wish, facts) if known in one], known)

    assert asked(id_) == asked(UNKNOWN) != []


def test_a_network_that_another_project_is_plugged_into_is_as_if_it_were_not_there():
    facts = replace(FACTS, taken={f"leg {VPC}": None})
    theirs, unknown = _refusals({}, facts), _refusals({"vpc_id": UNKNOWN}, facts)
    assert _without_id(theirs, VPC) == _without_id(unknown, UNKNOWN) != []
    assert f"one of its networks: {ER}" in unknown[0]


@pytest.mark.parametrize(
    ("project", "eips", "networks"),
    [
        pytest.param(OURS, (EIPS[0], EIPS[2]), (VPC,), id="one"),
        pytest.param(THEIRS, (EIPS[1], EIPS[2]), (VPC, ER), id="another"),
        pytest.param("c" * 32, (EIPS[2],), (), id="a-third"),
    ],
)
def test_a_project_has_what_names_it_and_what_names_nobody(
    project: str, eips: tuple[str, ...], networks: tuple[str, ...]
):
    mine = SHARED.for_project(project)
    assert (tuple(eip.id for eip in mine.eips), tuple(network.id for network in mine.networks)) == (eips, networks)


def test_the_pool_gives_no_address_of_the_machine_itself():
    site = replace(SITE, machine_addresses=frozenset({"203.0.113.1"}))
    assert [end.eip_id for end in _made({}, replace(FACTS, site=site)).endpoints] == [EIPS[1], EIPS[2]]


def test_the_pool_gives_a_project_its_own_eips():
    made = _made({}, gateway.SiteFacts(site=SHARED.for_project(THEIRS), taken={}))
    assert [end.eip_id for end in made.endpoints] == [EIPS[1], EIPS[2]]


def test_an_enterprise_project_is_stored_in_lower_case():
    assert _made({"enterprise_project_id": UNKNOWN.upper()}).enterprise_project_id == UNKNOWN


def _mixed() -> gateway.SiteFacts:
    """The first EIP is on a macvlan, the other two are routed."""
    first, *rest = SITE.eips
    return replace(FACTS, site=replace(SITE, eips=(replace(first, attach="macvlan", interface="eth0"), *rest)))


def test_eips_of_one_gateway_have_one_uplink():
    asked = {"eip1": {"id": EIPS[0]}, "eip2": {"id": EIPS[1]}}
    assert "eip2.id" in _refusals(asked, _mixed())[0]
    assert "two EIPs on one of: macvlan eth0, routed" in _refusals(asked, _mixed())[0]


def _lack(refusals: list[str]) -> tuple[str, str]:
    """The field, and how many there are."""
    (said,) = refusals
    field, _, what = said.partition(": a gateway takes 2 EIPs that are attached in the same way; ")
    return field, what.partition(" (")[0]


@pytest.mark.parametrize(
    ("changes", "taken", "lack"),
    [
        pytest.param({}, EIPS, ("eip1", "0 free ones are left for this project"), id="none"),
        pytest.param({}, EIPS[1:], ("eip2", "1 free one is left for this project"), id="one"),
        pytest.param(
            {"eip1": {"id": EIPS[0]}}, EIPS[1:], ("eip2", "0 free ones are left for this project"), id="second"
        ),
        pytest.param(
            {"eip2": {"id": EIPS[0]}}, EIPS[1:], ("eip1", "0 free ones are left for this project"), id="first"
        ),
        pytest.param(
            {"master_eip": {"charge_mode": "traffic"}},
            EIPS,
            ("master_eip", "0 free ones are left for this project"),
            id="older",
        ),
    ],
)
def test_an_endpoint_that_gets_no_eip_is_named(changes: dict[str, Any], taken: tuple[str, ...], lack: tuple[str, str]):
    assert _lack(_refusals(changes, _taken(*taken))) == lack


def test_two_free_eips_that_are_attached_in_two_ways_make_no_gateway():
    facts = replace(_mixed(), taken={EIPS[2]: "another-gateway"})
    assert _lack(_refusals({}, facts)) == ("eip2", "1 free one is left for this project")


def test_the_pool_gives_eips_that_go_together():
    assert [end.eip_id for end in _made({}, _mixed()).endpoints] == [EIPS[1], EIPS[2]]
    assert _lack(_refusals({"eip1": {"id": EIPS[0]}}, _mixed())) == ("eip2", "0 free ones are left for this project")
    assert [end.eip_id for end in _made({"eip2": {"id": EIPS[2]}}, _mixed()).endpoints] == [EIPS[1], EIPS[2]]


@pytest.mark.parametrize(
    ("subnets", "outside"),
    [
        pytest.param(("10.1.0.0/24",), [], id="the-network"),
        pytest.param(("10.1.0.128/25", "10.1.0.7/32"), [], id="parts"),
        pytest.param(("10.1.0.0/16",), ["local_subnets[0]"], id="wider"),
        pytest.param(
            ("10.1.0.0/25", "10.2.0.0/24", "10.3.0.0/24"), ["local_subnets[1]"], id="others-and-one-of-before"
        ),
    ],
)
def test_local_subnets_that_are_not_in_the_network_are_told(subnets: tuple[str, ...], outside: list[str]):
    told = list(gateway.outside_network(subnets, SITE.network(VPC), {"10.3.0.0/24"}))
    assert [warning.field for warning in told] == outside
    assert all("is not in 10.1.0.0/24, which is all that the gateway reaches" in warning.text for warning in told)
    assert list(gateway.outside_network(subnets, SITE.network(ER))) == []  # the site file does not say what it has
