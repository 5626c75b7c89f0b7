"""What is loaded into charon, held against the tables of what the API offers."""

import dataclasses

import pytest

from lab import sites, specs
from landbridge import model
from landbridge.engine.strongswan import target
from landbridge.engine.strongswan.ike import messages, selectors, unsupported
from landbridge.model import strongswan_proposals

ENCRYPTION = ["aes-128", "aes-192", "aes-256", "3des", "aes-128-gcm-16", "aes-256-gcm-16"]
AUTHENTICATION = ["md5", "sha1", "sha2-256", "sha2-384", "sha2-512"]
GROUPS = ["group1", "group2", "group5", "group14", "group15", "group16", "group19", "group20", "group21"]


@pytest.mark.parametrize(
    ("encryption", "authentication", "group", "proposal"),
    [
        ("aes-128", "sha2-256", "group15", "aes128-sha256-modp3072"),
        ("aes-192", "sha2-384", "group14", "aes192-sha384-modp2048"),
        ("aes-256", "sha2-512", "group16", "aes256-sha512-modp4096"),
        ("3des", "md5", "group1", "3des-md5-modp768"),
        ("aes-128", "sha1", "group2", "aes128-sha1-modp1024"),
        ("aes-128", "sha1", "group5", "aes128-sha1-modp1536"),
        ("aes-128-gcm-16", "sha2-256", "group19", "aes128gcm16-prfsha256-ecp256"),
        ("aes-256-gcm-16", "sha2-384", "group20", "aes256gcm16-prfsha384-ecp384"),
        ("aes-256", "sha2-256", "group21", "aes256-sha256-ecp521"),
    ],
)
def test_an_ike_policy_becomes_one_proposal(encryption: str, authentication: str, group: str, proposal: str):
    policy = specs.ike_policy(encryption_algorithm=encryption, authentication_algorithm=authentication, dh_group=group)
    assert strongswan_proposals.ike_proposal(policy) == proposal


@pytest.mark.parametrize(
    ("encryption", "authentication", "pfs", "proposal"),
    [
        ("aes-128", "sha2-256", "group15", "aes128-sha256-modp3072"),
        ("aes-128", "sha2-256", "disable", "aes128-sha256"),
        ("3des", "sha1", "group2", "3des-sha1-modp1024"),
        ("aes-128-gcm-16", "sha2-256", "group19", "aes128gcm16-ecp256"),
        ("aes-256-gcm-16", "sha2-512", "disable", "aes256gcm16"),
    ],
)
def test_an_ipsec_policy_becomes_one_proposal(encryption: str, authentication: str, pfs: str, proposal: str):
    policy = specs.ipsec_policy(encryption_algorithm=encryption, authentication_algorithm=authentication, pfs=pfs)
    assert strongswan_proposals.esp_proposal(policy) == proposal


def test_every_combination_has_its_own_proposal():
    proposals = {
        strongswan_proposals.ike_proposal(
            specs.ike_policy(encryption_algorithm=encryption, authentication_algorithm=authentication, dh_group=group)
        )
        for encryption in ENCRYPTION
        for authentication in AUTHENTICATION
        for group in GROUPS
    }
    assert len(proposals) == len(ENCRYPTION) * len(AUTHENTICATION) * len(GROUPS)


def test_lifetimes_are_hard_limits():
    message = messages.ike_message(specs.connection())
    assert (message["rekey_time"], message["over_time"]) == ("77760s", "8640s")
    child = messages.child_message(
        specs.connection().connection, selectors.pairs(*_one(specs.connection()), "userland")[0]
    )
    assert (child["rekey_time"], child["life_time"]) == ("3240s", "3600s")


def test_nothing_starts_by_itself_on_a_load():
    spec = specs.connection()
    child = messages.child_message(spec.connection, selectors.pairs(*_one(spec), "userland")[0])
    assert child["start_action"] == child["close_action"] == "none"


@pytest.mark.parametrize(("mode", "aggressive"), [("main", "no"), ("aggressive", "yes")])
def test_ikev1_has_its_mode_and_its_own_dead_peer_timeout(mode: str, aggressive: str):
    message = messages.ike_message(specs.connection(ike_policy=specs.ike_policy(version="v1", negotiation_mode=mode)))
    assert message["version"] == "1"
    assert message["aggressive"] == aggressive
    assert message["dpd_timeout"] == "75s"


def test_a_name_as_identity_is_never_taken_for_something_else():
    policy = specs.ike_policy(local_id_type="fqdn", local_id="c=de", peer_id_type="fqdn", peer_id="10.1.2.3")
    spec = specs.connection(ike_policy=policy)
    config = _config(spec)
    assert config.conn["local"]["id"] == "fqdn:c=de"
    assert config.conn["remote"]["id"] == "fqdn:10.1.2.3"
    assert config.owners == ("fqdn:c=de", "fqdn:10.1.2.3")


def test_addresses_are_the_identities_when_none_are_given():
    assert messages.identities(specs.connection()) == ("203.0.113.10", "198.51.100.2")


def test_a_peer_without_address_is_waited_for():
    policy = specs.ike_policy(peer_id_type="fqdn", peer_id="branch.example")
    config = _config(specs.connection(None, ike_policy=policy))
    assert config.conn["remote_addrs"] == ["%any"]
    assert not config.initiates


def test_a_static_connection_has_a_child_per_pair_of_subnets_and_one_for_the_tunnel_addresses():
    spec = specs.connection(
        peer_subnets=("192.168.44.0/24", "192.168.45.0/24"),
        tunnel_local_address="169.254.70.1/30",
        tunnel_peer_address="169.254.70.2/30",
    )
    found = {(str(pair.local), str(pair.remote)) for pair in selectors.pairs(*_one(spec), "userland")}
    assert found == {
        ("10.0.0.0/24", "192.168.44.0/24"),
        ("10.0.0.0/24", "192.168.45.0/24"),
        ("169.254.70.1/32", "169.254.70.2/32"),
    }


def test_a_policy_connection_has_a_child_per_source_and_destination():
    rules = (
        specs.policy(1, "10.0.0.0/25", "192.168.44.0/24", "192.168.45.0/24"),
        specs.policy(2, "10.0.0.128/25", "192.168.44.0/24"),
    )
    config = _config(specs.connection(style="policy", peer_subnets=None, policy_rules=rules))
    assert [name.split(".")[1] for name in config.children] == ["1", "1", "2"]


def test_the_same_pair_in_two_rules_is_one_child():
    rules = (specs.policy(1, "10.0.0.0/24", sites.LAN), specs.policy(2, "10.0.0.0/24", sites.LAN))
    config = _config(specs.connection(style="policy", peer_subnets=None, policy_rules=rules))
    assert [name.split(".")[1] for name in config.children] == ["1"]


def test_an_enterprise_router_gateway_takes_its_networks_whole_cidr():
    of = specs.gateway(attachment_type="er", er_id="er-1", vpc_id=None, local_subnets=())
    desired = specs.desired(specs.connection(), network=model.Network(id="er-1", cidr="10.8.0.0/16"), of=of)
    assert [str(pair.local) for pair in selectors.pairs(desired, desired.connections[0], "userland")] == ["10.8.0.0/16"]


def test_a_reset_renames_the_children_and_loads_the_same_configuration():
    spec = specs.connection()
    before, once, twice = (_config(dataclasses.replace(spec, resets=count)) for count in (0, 1, 2))
    assert len({each.ike for each in (before, once, twice)}) == 3
    assert before.secret_id == once.secret_id
    loaded = [({**each.conn, "children": None}, list(each.conn["children"].values())) for each in (before, once, twice)]
    assert loaded[0] == loaded[1] == loaded[2]


def test_only_what_changed_changes_its_name():
    one, two = "192.168.44.0/24", "192.168.45.0/24"
    spec = specs.connection(peer_subnets=(one,))
    before, after = _config(spec), _config(specs.changed(spec, peer_subnets=(one, two)))
    assert before.children[0] == after.children[0]
    assert before.secret_id == after.secret_id


def test_a_change_of_the_ike_policy_renames_every_child():
    spec = specs.connection()
    after = specs.changed(spec, ike_policy=specs.ike_policy(dh_group="group19"))
    assert _config(spec).ike != _config(after).ike


def test_a_psk_is_in_no_name_and_in_no_conn():
    config = _config(specs.connection(psk="Very-Secret-1"))
    assert "Very-Secret-1" not in repr(config)
    assert _config(specs.connection(psk="Very-Secret-1")).conn["local"] == config.conn["local"]


def test_a_subnet_without_an_address_of_the_gateway_gets_its_own_address():
    spec = specs.connection(tunnel_local_address="169.254.70.1/30", tunnel_peer_address="169.254.70.2/30")
    desired = specs.desired(spec)
    assert target.prepare(desired, "userland").network.addresses == {
        ("wan", "203.0.113.10/32"),
        ("wan", "203.0.113.11/32"),
        ("lo", "10.0.0.0/32"),
        ("lo", "169.254.70.1/32"),
    }


def test_an_address_of_the_gateway_in_the_subnet_is_enough():
    network = model.Network(id="vpc-1", bridge="br0", address="10.0.0.1/24")
    spec = specs.connection()
    prepared = target.prepare(specs.desired(spec, network=network), "userland")
    assert prepared.network.addresses == {
        ("wan", "203.0.113.10/32"),
        ("wan", "203.0.113.11/32"),
        ("lan", "10.0.0.1/24"),
    }


def _one(spec: model.DesiredConnection) -> tuple[model.DesiredGateway, model.DesiredConnection]:
    return specs.desired(spec), spec


def _config(spec: model.DesiredConnection) -> messages.DesiredConfig:
    desired = specs.desired(spec)
    pairs_of = selectors.pairs_of(desired, "userland")
    assert unsupported.refusals(desired, "userland", pairs_of) == {}
    return messages.desired_configs(desired, {}, pairs_of)[0]


@pytest.mark.parametrize(
    ("local", "remote", "missing"),
    [
        pytest.param(("10.0.0.0/24",), ("192.168.44.0/24", "192.168.45.0/24"), [], id="both in one"),
        pytest.param(("0.0.0.0/0",), ("0.0.0.0/0",), [], id="everything"),
        pytest.param(("10.0.0.0/24",), ("192.168.44.0/24",), ["192.168.45.0/24"], id="narrowed to one"),
        pytest.param(("10.0.0.0/24",), ("192.168.46.0/23",), ["192.168.44.0/24", "192.168.45.0/24"], id="another net"),
        pytest.param(("10.0.0.0/25",), ("0.0.0.0/0",), ["192.168.44.0/24", "192.168.45.0/24"], id="half of ours"),
        pytest.param(("10.0.0.0/24[tcp/80]",), ("0.0.0.0/0",), ["192.168.44.0/24", "192.168.45.0/24"], id="one port"),
    ],
)
def test_a_pair_is_missing_when_no_child_carries_it_whole(
    local: tuple[str, ...], remote: tuple[str, ...], missing: list[str]
):
    desired, spec = _one(specs.connection(peer_subnets=("192.168.44.0/24", "192.168.45.0/24")))
    intended = selectors.intended(desired, spec)
    assert [str(pair.remote) for pair in selectors.missing(intended, [(local, remote)])] == missing
