"""The operator's inventory: a good one, and what is said of wrong ones."""

import uuid
from pathlib import Path

import pytest

from landbridge import errors, model, site_file

EIP = "11111111-1111-4111-8111-111111111111"
OTHER_EIP = "22222222-2222-4222-8222-222222222222"
NETWORK = "33333333-3333-4333-8333-333333333333"
PROJECT = "0123456789abcdef0123456789abcdef"
GOOD = f"""\
# our site
[[eip]]
id = "{EIP}"
address = "203.0.113.7/24"
gateway = "203.0.113.1"
interface = "eth0"
attach = "routed"

[[eip]]
id = "{OTHER_EIP.upper()}"
address = "203.0.113.8"

[[network]]
id = "{NETWORK}"
cidr = "10.0.0.0/16"
bridge = "br-vpc"
address = "10.0.255.254/16"
gateway_addresses = "10.0.0.200-10.0.0.220"
project = ["{PROJECT}"]

[[zone]]
id = "north"

[[zone]]
id = "south"

[[node]]
id = "node-1"
zone = "south"
underlay = "fabric"
"""


def _site(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(text)
    return path


def _without(text: str) -> str:
    assert text in GOOD
    return GOOD.replace(text, "", 1)


def _with(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_a_good_file_is_read_whole(tmp_path: Path):
    expected = model.Site(
        eips=(
            model.Eip(id=EIP, address="203.0.113.7", prefix=24, gateway="203.0.113.1", interface="eth0"),
            model.Eip(id=OTHER_EIP, address="203.0.113.8"),
        ),
        networks=(
            model.Network(
                id=NETWORK,
                cidr="10.0.0.0/16",
                bridge="br-vpc",
                interface=None,
                address="10.0.255.254/16",
                gateway_addresses=("10.0.0.200", "10.0.0.220"),
                projects=(PROJECT,),
            ),
        ),
        zones=("north", "south"),
        any_network=False,
        underlay="fabric",
    )
    assert site_file.load(_site(tmp_path, GOOD)) == expected


def test_an_eip_behind_this_machines_address_has_one_of_its_own(tmp_path: Path):
    one, two = site_file.load(_site(tmp_path, GOOD.replace('"routed"', '"nat"'))).eips
    assert (one.attach, one.behind, one.uplink) == ("nat", "192.0.0.39", "routed")
    assert two.behind is None


def test_an_eip_on_a_macvlan_has_an_uplink_of_its_own(tmp_path: Path):
    one, two = site_file.load(_site(tmp_path, GOOD.replace('"routed"', '"macvlan"'))).eips
    assert (one.uplink, two.uplink) == ("macvlan eth0", "routed")


def test_an_empty_file_is_a_site_that_accepts_any_network(tmp_path: Path):
    site = site_file.load(_site(tmp_path, ""))
    assert (site.eips, site.networks, site.zones, site.any_network) == ((), (), ("zone-1", "zone-2"), True)


def test_a_site_with_networks_accepts_no_other(tmp_path: Path):
    site = site_file.load(_site(tmp_path, GOOD))
    assert site.network(NETWORK) is not None
    assert site.network(EIP) is None


def test_the_default_site_is_the_same_at_every_start():
    one, two = site_file.default(), site_file.default()
    assert one == two
    assert len({eip.id for eip in one.eips}) == len({eip.address for eip in one.eips}) == len(one.eips)
    assert all(str(uuid.UUID(eip.id)) == eip.id for eip in one.eips)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        pytest.param(
            _with('"203.0.113.1"', '"198.51.100.1"').replace('"routed"', '"macvlan"', 1),
            5,
            r"gateway: '198.51.100.1' is not the router",
            id="macvlan-gateway",
        ),
        pytest.param(
            _without('interface = "eth0"\n').replace('"routed"', '"macvlan"', 1),
            2,
            r"interface: is mandatory with attach = macvlan",
            id="macvlan-interface",
        ),
        pytest.param(
            _with('"routed"', '"vlan"'), 7, r"attach: 'vlan' is not known \(routed, macvlan, nat\)", id="attach"
        ),
        pytest.param(_with("gateway =", "router ="), 5, r"\[\[eip\]\] router: is not known", id="key"),
        pytest.param(_with(f'["{PROJECT}"]', "[]"), 19, r"project: \[\] is no list of ids", id="no-projects"),
        pytest.param(_with(f'["{PROJECT}"]', f'"{PROJECT}"'), 19, r"project: .* no list of ids", id="one-project"),
        pytest.param(_with(f'["{PROJECT}"]', '["default"]'), 19, r"'default' is not the id of a project", id="name"),
        pytest.param(
            _with('attach = "routed"', 'attach = "routed"\nproject = [7]'),
            8,
            r"project: 7 is not the id",
            id="eip-project",
        ),
        pytest.param(_with("[[zone]]", "[[zones]]"), 21, r"zones: is not known", id="table"),
        pytest.param(_with(EIP, "1"), 3, r"id: '1' is not an id", id="eip-id"),
        pytest.param(_with("203.0.113.7/24", "203.0.113"), 4, r"address: '203.0.113' is not an IPv4", id="eip-address"),
        pytest.param(_with('"203.0.113.1"', "7"), 5, r"gateway: 7 is not a string", id="type"),
        pytest.param(_with(OTHER_EIP, EIP), 10, rf"id: {EIP} stands in another \[\[eip\]\] too", id="eip-twice"),
        pytest.param(_with("10.0.0.0/16", "10.0.0.1/16"), 15, r"cidr: .*host bits", id="network-host-bits"),
        pytest.param(_with("10.0.0.0/16", "fd00::/8"), 15, r"\[\[network\]\] cidr", id="network-v6"),
        pytest.param(_without('cidr = "10.0.0.0/16"\n'), 13, r"cidr: is mandatory", id="no-cidr"),
        pytest.param(_with("10.0.255.254/16", "10.0.255/16"), 17, r"\[\[network\]\] address", id="network-address"),
        pytest.param(
            _with("10.0.255.254/16", "10.0.255.254"), 17, r"address: .* no prefix length \(such as", id="no-length"
        ),
        pytest.param(_with("10.0.255.254/16", "10.0.0.0/16"), 17, r"address: .* the network's own address", id="first"),
        pytest.param(_with("10.0.255.254/16", "10.0.255.255/16"), 17, r"address: .* broadcast address", id="last"),
        pytest.param(_with("br-vpc", "a-bridge-of-many"), 16, r"bridge: .*at most 15 characters", id="long-bridge"),
        pytest.param(_with('bridge = "br-vpc"', 'interface = "eth1 "'), 16, r"interface: .*no space", id="space"),
        pytest.param(_with("eth0", "a-link-with-16-c"), 6, r"interface: .*at most 15 characters", id="long-interface"),
        pytest.param(_without('address = "10.0.255.254/16"\n'), 13, r"address: goes with bridge", id="no-address"),
        pytest.param(
            _with('bridge = "br-vpc"', 'bridge = "br-vpc"\ninterface = "eth1"'), 17, r"interface: .*bridge", id="both"
        ),
        pytest.param(_with('zone = "south"', 'zone = "west"'), 29, r"zone: is no \[\[zone\]\]", id="zone"),
        pytest.param(GOOD + '\n[[node]]\nid = "node-2"\n', 33, r"more than one node", id="two-nodes"),
        pytest.param(_with('id = "north"', "id = 1"), 22, r"\[\[zone\]\] id: 1 is not a string", id="zone-id"),
        pytest.param(
            _with('id = "north"\n', ""),
            21,
            r"\[\[zone\]\] id: is mandatory",
            id="key-that-a-later-table-has",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_key(tmp_path: Path, text: str, line: int, said: str):
    path = _site(tmp_path, text)
    with pytest.raises(errors.ConfigError, match=said) as refused:
        site_file.load(path)
    assert str(refused.value).startswith(f"{path}, line {line}: ")


RANGE = "10.0.0.200-10.0.0.220"
#: The file, and a second network and an EIP that lie near.
NEAR = (
    GOOD
    + """
[[network]]
id = "55555555-5555-4555-8555-555555555555"
cidr = "10.0.7.0/24"

[[eip]]
id = "66666666-6666-4666-8666-666666666666"
address = "10.0.9.9"
gateway = "10.0.9.1"
"""
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("10.0.0.200", "is no range", id="one-address"),
        pytest.param("10.0.0.220-10.0.0.200", "ends before it begins", id="backwards"),
        pytest.param("10.0.0.200-10.0.0.200", "fewer than two", id="one"),
        pytest.param("10.0.0.200-x", "is no range", id="no-address"),
        pytest.param("10.0.0.200/24", "is no range", id="block-with-host-bits"),
        pytest.param("10.1.0.200-10.1.0.220", "is not in 10.0.0.0/16", id="elsewhere"),
        pytest.param("10.0.0.0/24", "the first or the last address", id="first-of-the-network"),
        pytest.param("10.0.255.255-10.0.255.255", "fewer than two", id="last-alone"),
        pytest.param("10.0.255.0/24", "the first or the last address", id="last-of-the-network"),
        pytest.param("10.0.255.250-10.0.255.254", "the gateway's own address 10.0.255.254/16", id="own-address"),
        pytest.param("10.0.9.9-10.0.9.10", "10.0.9.9, which is an EIP's", id="eip"),
        pytest.param("10.0.9.0-10.0.9.2", "10.0.9.1, which is an EIP's or a router's", id="router"),
        pytest.param(
            "10.0.6.200-10.0.7.0", "overlaps with network 55555555-5555-4555-8555-555555555555", id="other-network"
        ),
    ],
)
def test_a_range_has_no_address_that_something_else_of_the_site_has(tmp_path: Path, text: str, said: str):
    with pytest.raises(errors.ConfigError, match=said) as refused:
        site_file.load(_site(tmp_path, NEAR.replace(RANGE, text)))
    assert ", line 18: [[network]] gateway_addresses: " in str(refused.value)


def test_a_range_is_not_of_addresses_that_are_nobodys(tmp_path: Path):
    text = GOOD.replace("10.0.0.0/16", "127.0.0.0/8").replace("10.0.255.254/16", "127.0.255.254/8")
    with pytest.raises(errors.ConfigError, match=r"overlaps with 127.0.0.0/8, which is kept"):
        site_file.load(_site(tmp_path, text.replace(RANGE, "127.0.0.5-127.0.0.9")))


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        pytest.param(RANGE, ("10.0.0.200", "10.0.0.220"), id="range"),
        pytest.param("10.0.0.200 - 10.0.1.3", ("10.0.0.200", "10.0.1.3"), id="spaces"),
        pytest.param("10.0.4.0/24", ("10.0.4.0", "10.0.4.255"), id="block"),
        pytest.param("10.0.4.0/31", ("10.0.4.0", "10.0.4.1"), id="two"),
    ],
)
def test_a_range_is_written_in_either_form(tmp_path: Path, text: str, ends: tuple[str, str]):
    (network,) = site_file.load(_site(tmp_path, _with(RANGE, text))).networks
    assert network.gateway_addresses == ends


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("[[eip]\n", ", line 1: Expected", id="no-toml"),
        pytest.param("[[eip]]\naddress = 203.0.113.7\n", r", line 2: .* \(texts stand in quotes\)$", id="no-quotes"),
        pytest.param("[[eip]]\nattach = nat\n", r", line 2: .* \(texts stand in quotes\)$", id="word-without-quotes"),
        pytest.param('[[eip]]\nid = "x\n', ", line 2: Illegal character", id="open-quote"),
        pytest.param("eip = 1\n", "line 1: eip: is not known", id="number"),
        pytest.param('[eip]\nid = "x"\n', "eip: is not known", id="table-for-array"),
        pytest.param(
            "eip = [1]\n",
            "line 1",
            id="array-of-numbers",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str, said: str):
    with pytest.raises(errors.ConfigError, match=said):
        site_file.load(_site(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(_with("203.0.113.8", "203.0.113.7"), id="address-of-two-eips"),
        pytest.param(_with("203.0.113.7/24", "203.0.113.7/99"), id="prefix-that-is-none"),
        pytest.param(GOOD + '\n[[zone]]\nid = "north"\n', id="zone-twice"),
        pytest.param(_with("203.0.113.1", "router.example"), id="gateway-that-is-no-address"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path, text: str):
    with pytest.raises(errors.ConfigError):
        site_file.load(_site(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(errors.ConfigError, match="No such file"):
        site_file.load(tmp_path / "none.toml")


def test_two_forwarded_eips_that_would_share_an_inner_address_are_told(tmp_path: Path):
    near = f"203.0.{113 + len(site_file.NAT_INNER_ADDRESSES) // 256}.{7 + len(site_file.NAT_INNER_ADDRESSES) % 256}"
    text = GOOD.replace("203.0.113.8", near).replace(f'"{near}"', f'"{near}"\nattach = "nat"').replace("routed", "nat")
    with pytest.raises(
        errors.ConfigError, match=f"line 11: .*{near} and 203.0.113.7 would have the same inner address"
    ):
        site_file.load(_site(tmp_path, text))
