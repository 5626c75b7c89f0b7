"""The tunnels of the kernel data plane: sizes by the RFCs' arithmetic, and which of several carries the traffic."""

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import sites, specs
from landbridge import model
from landbridge.engine.strongswan import state, target
from landbridge.engine.strongswan.ike import fingerprints
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.network import planning, steps, tunnels
from tests.engine.strongswan import small_world

AT = datetime(2026, 1, 1, tzinfo=UTC)
ACTIVE_ACTIVE = specs.gateway()
ACTIVE_STANDBY = specs.gateway(ha_mode="active-standby")


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
        age=st.integers(0, tunnels.PLACES_OF_A_PAIR - 1),
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


def _prepared(
    current: state.GatewayState, *connections: model.DesiredConnection, of: model.VpnGateway = ACTIVE_ACTIVE
) -> target.Target:
    """None of the connections is refused."""
    prepared = target.prepare(specs.desired(*connections, of=of), current.plane)
    assert not prepared.refused
    return prepared


def _desired(
    current: state.GatewayState, *connections: model.DesiredConnection, of: model.VpnGateway = ACTIVE_ACTIVE
) -> dict[str, tunnels.Tunnel]:
    """Connection id -> its tunnel."""
    return target.desired_tunnels(_prepared(current, *connections, of=of), current)


def _statics(*roles: str) -> list[model.DesiredConnection]:
    return [specs.connection(f"198.51.100.{number}", ha_role=role) for number, role in enumerate(roles, 1)]


MASTERS, PAIR, THREE = ("master", "master"), ("master", "slave"), ("slave", "master", "master")


@pytest.mark.parametrize(
    ("of", "roles", "up", "carry"),
    [
        pytest.param(ACTIVE_ACTIVE, MASTERS, (0, 1), (0, 1), id="active-active: both carry"),
        pytest.param(ACTIVE_ACTIVE, MASTERS, (1,), (1,), id="active-active: one is up"),
        pytest.param(ACTIVE_ACTIVE, MASTERS, (), (), id="active-active: none is up"),
        pytest.param(ACTIVE_ACTIVE, PAIR, (0, 1), (0, 1), id="active-active: the role does not count"),
        pytest.param(ACTIVE_ACTIVE, THREE, (0, 1, 2), (0, 1, 2), id="active-active: three carry"),
        pytest.param(ACTIVE_ACTIVE, THREE, (0, 2), (0, 2), id="active-active: two of three carry"),
        pytest.param(ACTIVE_STANDBY, PAIR, (0, 1), (0,), id="active-standby: the master carries"),
        pytest.param(ACTIVE_STANDBY, PAIR, (1,), (1,), id="active-standby: the slave takes over"),
        pytest.param(ACTIVE_STANDBY, PAIR, (0,), (0,), id="active-standby: the master is alone"),
        pytest.param(ACTIVE_STANDBY, THREE, (0, 1, 2), (1,), id="active-standby: the elder of two masters carries"),
        pytest.param(ACTIVE_STANDBY, THREE, (0, 2), (2,), id="active-standby: the other master takes over"),
        pytest.param(ACTIVE_STANDBY, THREE, (0,), (0,), id="active-standby: the slave is the last one"),
    ],
)
def test_the_mode_of_the_gateway_and_the_roles_say_which_tunnels_carry_a_network(
    of: model.VpnGateway, roles: tuple[str, ...], up: tuple[int, ...], carry: tuple[int, ...]
):
    """In the kernel a shared route comes before the routes of each tunnel, and of these no two are equal."""
    statics = _statics(*roles)
    current = _up(*(statics[number] for number in up))
    prepared = _prepared(current, *reversed(statics), of=of)
    laid = target.desired_tunnels(prepared, current)
    shared = target.desired_shared_routes(prepared, laid)
    first = tunnels.preferred_priorities(laid.values())
    carried = (tunnels.destinations_carried(laid[spec.id], first, shared) for spec in statics)
    assert tuple(number for number, nets in enumerate(carried) if nets) == carry
    assert len({metric for one in laid.values() for _, metric in one.routes}) == len(statics)
    assert shared == (
        {(sites.LAN, tuple(statics[number].if_id for number in carry))} if len(carry) > 1 else frozenset()
    )


def test_only_the_networks_that_several_tunnels_have_are_shared():
    one = specs.connection("198.51.100.1", peer_subnets=("192.168.1.0/24", "192.168.2.0/24"))
    other = specs.connection("198.51.100.2", peer_subnets=("192.168.2.0/24", "192.168.0.0/16"))
    assert _shared(_up(one, other), one, other) == {("192.168.2.0/24", (one.if_id, other.if_id))}


def test_policies_share_nothing():
    policies = _policies("master", "master")
    assert _shared(_up(*policies), *policies) == frozenset()


def test_shared_routes_of_another_hand_are_corrected_and_a_gateway_without_any_plans_nothing():
    pair = _statics(*MASTERS)
    current = _up(*pair)
    shared = _shared(current, *pair)
    laid = {tunnels.name(one.if_id): one for one in _desired(current, *pair).values()}
    standing = small_world.put(current, tunnels=laid, shared_routes=shared, hashes_ports=True).network
    ensure, foreign = [steps.EnsureSharedRoutes(shared)], shared | {("10.9.0.0/16", (1, 2))}
    for harm, plan in (
        ({"shared_routes": frozenset()}, (ensure, [])),
        ({"shared_routes": frozenset(), "tunnels": {}}, ([], ensure)),
        ({"hashes_ports": False}, (ensure, [])),
        ({"shared_routes": foreign}, ([], ensure)),
        ({}, ([], [])),
    ):
        assert planning.plan_shared_routes(shared, dataclasses.replace(standing, **harm)) == plan, harm
    assert planning.plan_shared_routes(frozenset(), _up().network) == ([], [])


def _shared(current: state.GatewayState, *connections: model.DesiredConnection) -> frozenset[tunnels.SharedRoute]:
    prepared = _prepared(current, *connections)
    return target.desired_shared_routes(prepared, target.desired_tunnels(prepared, current))


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
    laid = _desired(current, *reversed(policies), of=ACTIVE_STANDBY)
    assert len({priority for one in laid.values() for priority, _, _ in one.pairs}) == len(policies)
    first = tunnels.preferred_priorities(laid.values())
    assert [number for number, spec in enumerate(policies) if tunnels.destinations_carried(laid[spec.id], first)] == (
        [] if leads is None else [leads]
    )


@pytest.mark.parametrize(
    ("roles", "up", "order"),
    [
        pytest.param("mmmmmmmmm", "012345678", "0123456", id="nine are up"),
        pytest.param("mmmmmmmmm", "78", "7012345", id="the two youngest are up"),
        pytest.param("mmmmmmmmm", "8", "8012345", id="the youngest is up"),
        pytest.param("mmmmmmmmm", "", "0123456", id="none is up"),
        pytest.param("mmmmmmssm", "678", "8012345", id="a master before slaves"),
        pytest.param("sssssssss", "0678", "0612345", id="slaves alone"),
        pytest.param("mmmmmmm", "6543210", "0123456", id="seven have a place each"),
    ],
)
def test_the_order_of_more_equal_pairs_than_places_is_defined(roles: str, up: str, order: str):
    """The kernel asks rule after rule in the order of their priorities, and no two of them are equal."""
    policies = _policies(*({"m": "master", "s": "slave"}[role] for role in roles))
    laid = _desired(_up(*(policies[int(number)] for number in up)), *reversed(policies), of=ACTIVE_STANDBY)
    for pair in {pair[1:] for one in laid.values() for pair in one.pairs}:
        rules = {
            priority: number
            for number, spec in enumerate(policies)
            for priority, *ends in laid[spec.id].pairs
            if tuple(ends) == pair
        }
        assert "".join(str(rules[priority]) for priority in sorted(rules)) == order


def test_a_younger_tunnel_takes_the_last_place_and_gives_it_back():
    """Only the rules of the two change that are concerned."""
    policies = _policies(*["master"] * 9)
    before, during = (_desired(_up(*up), *policies) for up in (policies, [*policies[:6], *policies[7:]]))
    assert [number for number, spec in enumerate(policies) if before[spec.id] != during[spec.id]] == [6, 7]


def test_the_narrower_pair_of_policies_is_asked_first():
    rules = (specs.policy(1, "10.0.0.0/24", "192.168.0.0/16"), specs.policy(2, "10.0.0.0/25", "192.168.44.0/24"))
    spec = specs.connection(style="policy", peer_subnets=None, policy_rules=rules)
    laid = _desired(_up(spec), spec)[spec.id]
    assert [destination for _, _, destination in sorted(laid.pairs)] == ["192.168.44.0/24", "192.168.0.0/16"]


def test_all_rules_of_policies_come_between_charons_and_the_main_table():
    widest, narrowest = ([specs.policy(1, net, net)] for net in ("0.0.0.0/0", "10.0.0.1/32"))
    for rules in (widest, narrowest):
        policies = [specs.changed(spec, policy_rules=rules) for spec in _policies(*["slave"] * 9)]
        laid = _desired(_up(), *policies, of=ACTIVE_STANDBY)
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
