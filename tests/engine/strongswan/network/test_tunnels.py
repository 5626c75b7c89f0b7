"""The tunnels of the kernel data plane: sizes by the RFCs' arithmetic, and which of several carries the traffic."""

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import state, target
from landbridge.engine.strongswan.ike import fingerprints
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.network import planning, steps, tunnels
from tests.engine.strongswan import small_world

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("encryption", "authentication", "plain", "in_udp"),
    [
        ("aes-128", "sha1", 1438, 1422),
        ("aes-256", "sha2-256", 1438, 1422),
        ("aes-256", "sha2-384", 1422, 1422),
        ("aes-256", "sha2-512", 1422, 1406),
        ("3des", "md5", 1446, 1438),
        ("aes-128-gcm-16", "md5", 1446, 1438),
    ],
)
def test_the_largest_packet_still_fits_when_it_has_been_through_esp(
    encryption: str, authentication: str, plain: int, in_udp: int
):
    policy = specs.ipsec_policy(encryption_algorithm=encryption, authentication_algorithm=authentication)
    assert tunnels.inner_mtu(1500, policy, encapsulated=False) == plain
    assert tunnels.inner_mtu(1500, policy, encapsulated=True) == in_udp


def test_only_the_tunnel_that_comes_first_leads():
    net, other = "192.168.1.0/24", "192.168.2.0/24"
    up, down = (tunnels.RouteMetric(if_id=7, down=down).pack() for down in (False, True))
    ours = tunnels.Tunnel("c", 7, 1400, routes=frozenset({(net, up), (other, down)}))
    standby = tunnels.RouteMetric(if_id=8, standby=True).pack()
    spare = tunnels.Tunnel("d", 8, 1400, routes=frozenset({(net, standby)}))
    first = tunnels.preferred_priorities([ours, spare])
    assert (tunnels.destinations_carried(ours, first), tunnels.destinations_carried(spare, first)) == ({net}, set())
    alone = tunnels.preferred_priorities([spare])
    assert tunnels.destinations_carried(spare, alone) == {net}


@given(
    st.builds(
        tunnels.RouteMetric,
        if_id=st.integers(1, model.IF_ID_END - 1),
        standby=st.booleans(),
        down=st.booleans(),
        by_rule=st.booleans(),
    )
)
def test_a_metric_is_unpacked_as_it_was_packed(metric: tunnels.RouteMetric):
    assert tunnels.RouteMetric.unpack(metric.pack()) == metric
    assert 0 < metric.pack() < 1 << 32


@given(
    st.builds(
        tunnels.RulePriority,
        width=st.integers(0, 33 * 33 - 1),
        standby=st.booleans(),
        down=st.booleans(),
        age=st.integers(0, tunnels.EQUALS - 1),
    )
)
def test_a_rules_priority_is_unpacked_as_it_was_packed(priority: tunnels.RulePriority):
    assert tunnels.RulePriority.unpack(priority.pack()) == priority


@pytest.mark.parametrize("if_id", [0, model.IF_ID_END])
def test_an_interface_id_that_does_not_fit_into_a_metric_is_refused(if_id: int):
    with pytest.raises(ValueError, match="if_id"):
        tunnels.RouteMetric(if_id=if_id).pack()


def test_routes_of_an_older_version_are_replaced_and_nothing_else():
    spec = specs.connection("198.51.100.2")
    current = _up(spec)
    [(connection_id, tunnel)] = _desired(current, spec).items()
    older = dataclasses.replace(tunnel, has_older_routes=True)
    standing = small_world.put(current, tunnels={tunnels.name(spec.if_id): older})
    assert list(planning.plan_tunnels({connection_id: tunnel}, standing.network)) == [
        steps.EnsureTunnel(connection_id, tunnel)
    ]
    assert tunnels.carries_all(older, tunnel)


def test_a_path_too_narrow_for_ip_is_not_believed():
    assert tunnels.inner_mtu(300, specs.ipsec_policy(), encapsulated=True) == 576


def _up(*wishes_up: model.DesiredConnection, encapsulated: bool = False) -> state.GatewayState:
    sas = tuple(
        ike_state.IkeSa(
            spec.id,
            "1",
            "ESTABLISHED",
            children=(
                ike_state.Child(
                    str(fingerprints.Child(spec.id, "0", "a", "b")), "1", "INSTALLED", encapsulated=encapsulated
                ),
            ),
        )
        for spec in wishes_up
    )
    return small_world.put(state.GatewayState(at=AT, plane="kernel"), sas=sas)


def _desired(current: state.GatewayState, *connections: model.DesiredConnection) -> dict[str, tunnels.Tunnel]:
    """Connection id -> its tunnel. None of the connections is refused."""
    prepared = target.prepare(specs.desired(*connections), current.plane)
    assert not prepared.refused
    return target.desired_tunnels(prepared, current)


def _metrics(current: state.GatewayState, *pair: model.DesiredConnection) -> list[int]:
    laid = _desired(current, *pair)
    return [next(iter(laid[spec.id].routes))[1] for spec in pair]


def test_of_a_pair_the_master_carries_while_it_is_up():
    master, slave = specs.connection("198.51.100.2"), specs.connection("198.51.100.6", ha_role="slave")
    for current, first in ((_up(), 0), (_up(master, slave), 0), (_up(master), 0), (_up(slave), 1)):
        metrics = _metrics(current, master, slave)
        assert metrics.index(min(metrics)) == first


def test_no_two_routes_to_one_network_are_equal():
    pair = specs.connection("198.51.100.2"), specs.connection("198.51.100.6")
    assert len(set(_metrics(_up(*pair), *pair))) == 2


def _policies(*roles: str) -> list[model.DesiredConnection]:
    rules = (specs.policy(1, "10.0.0.0/24", "192.168.44.0/24"), specs.policy(2, "10.0.0.0/24", "192.168.44.0/24"))
    return [
        specs.connection(f"198.51.100.{number}", style="policy", peer_subnets=None, policy_rules=rules, ha_role=role)
        for number, role in enumerate(roles, 1)
    ]


@pytest.mark.parametrize(
    ("roles", "up", "leads"),
    [
        (("master", "master", "slave"), (0, 1, 2), 0),
        (("master", "master", "slave"), (1, 2), 1),
        (("master", "master", "slave"), (2,), 2),
        (("slave", "master"), (0, 1), 1),
        (("slave", "master"), (), None),
    ],
)
def test_of_policies_with_one_pair_only_the_first_leads(roles: tuple[str, ...], up: tuple[int, ...], leads: int | None):
    """And no two of their rules are equal: the kernel would ask the one that came first."""
    policies = _policies(*roles)
    current = _up(*(policies[number] for number in up))
    laid = _desired(current, *reversed(policies))
    assert len({priority for one in laid.values() for priority, _, _ in one.pairs}) == len(policies)
    first = tunnels.preferred_priorities(laid.values())
    assert [number for number, spec in enumerate(policies) if tunnels.destinations_carried(laid[spec.id], first)] == (
        [] if leads is None else [leads]
    )


def test_the_narrower_pair_of_policies_is_asked_first():
    rules = (specs.policy(1, "10.0.0.0/24", "192.168.0.0/16"), specs.policy(2, "10.0.0.0/25", "192.168.44.0/24"))
    spec = specs.connection(style="policy", peer_subnets=None, policy_rules=rules)
    laid = _desired(_up(spec), spec)[spec.id]
    assert [destination for _, _, destination in sorted(laid.pairs)] == ["192.168.44.0/24", "192.168.0.0/16"]


def test_all_rules_of_policies_come_between_charons_and_the_main_table():
    widest, narrowest = ([specs.policy(1, net, net)] for net in ("0.0.0.0/0", "10.0.0.1/32"))
    for rules in (widest, narrowest):
        policies = [specs.changed(spec, policy_rules=rules) for spec in _policies(*["slave"] * 9)]
        laid = _desired(_up(), *policies)
        assert all(220 < priority < 32766 for one in laid.values() for priority, _, _ in one.pairs)


def test_a_path_that_a_router_called_narrow_narrows_the_tunnel():
    spec = specs.connection("198.51.100.2")
    wide = _up(spec)
    narrow = small_world.put(wide, learned_mtus={"198.51.100.2": 1400})
    sizes = [_desired(current, spec)[spec.id].mtu for current in (wide, narrow)]
    assert sizes == [1438, 1326]


def test_udp_around_esp_takes_its_share_and_before_an_sa_is_there_it_is_expected():
    spec = specs.connection("198.51.100.2")
    for current, size in ((_up(spec), 1438), (_up(spec, encapsulated=True), 1422), (_up(), 1422)):
        assert _desired(current, spec)[spec.id].mtu == size


def test_the_userland_data_plane_has_none():
    spec = specs.connection()
    assert _desired(state.GatewayState(at=AT), spec) == {}
