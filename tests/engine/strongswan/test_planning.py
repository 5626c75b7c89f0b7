"""The planner, in a small world that carries steps out: from any state to any spec, whatever goes wrong between."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import sites, specs
from landbridge import model
from landbridge.engine.strongswan import state, steps, target
from landbridge.engine.strongswan.bgp import state as bgp_state
from landbridge.engine.strongswan.bgp import steps as bgp_steps
from landbridge.engine.strongswan.echo.state import EchoState
from landbridge.engine.strongswan.ike import fingerprints, messages, pfs_proof
from landbridge.engine.strongswan.ike import planning as ike_planning
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.engine.strongswan.ike import steps as ike_steps
from landbridge.engine.strongswan.network import planning as network_planning
from landbridge.engine.strongswan.network import steps as network_steps
from landbridge.engine.strongswan.network import tunnels
from landbridge.engine.strongswan.network.state import NetworkState
from tests.engine.strongswan import small_world

AT = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = state.GatewayState(at=AT)
IN_KERNEL = state.GatewayState(at=AT, plane="kernel")
#: Three ways of attaching outer addresses; documentation addresses of the default gateway.
EIPS = [
    (),
    tuple(
        model.Eip(id=f"eip-{at}", address=address, attach="macvlan", prefix=24, gateway="203.0.113.1", interface="eth0")
        for at, address in enumerate(sites.EIPS[:2])
    ),
    (model.Eip(id="eip-0", address=sites.EIPS[0], attach="nat", behind="192.0.0.16"),),
]
GATEWAY = specs.gateway()
GATEWAYS = [GATEWAY, dataclasses.replace(GATEWAY, ha_mode="active-standby")]
NETWORKS = [
    model.Network(id="vpc-1"),
    model.Network(id="vpc-1", bridge="br0", address="10.0.0.1/24"),
    model.Network(id="vpc-1", interface="eth1", address="10.0.0.1/24"),
]
V1 = specs.ike_policy(version="v1", negotiation_mode="main")
IDS = [f"0000000{number}-0000-4000-8000-000000000000" for number in range(4)]
#: What proves a new key.
PROOF = (
    ike_steps.ProveKey
    | ike_steps.Reauthenticate
    | ike_steps.LoadSecret
    | ike_steps.UnloadSecret
    | ike_steps.TerminateIke
)
LOADS = (ike_steps.LoadSecret, ike_steps.LoadConn)


def _variants(number: int) -> list[model.DesiredConnection]:
    """One connection as it may be configured at different times."""
    first, second = f"192.168.{number + 1}0.0/24", f"192.168.{number + 1}1.0/24"
    spec = specs.later(specs.connection(f"198.51.100.{number + 1}", id=IDS[number], peer_subnets=(first,)), number)
    rules = (specs.policy(1, "10.0.0.0/25", first, second), specs.policy(2, "10.0.0.128/25", second))
    return [
        spec,
        specs.changed(spec, psk="Another-Horse-8"),
        specs.changed(spec, peer_subnets=(first, second)),
        specs.changed(spec, ike_policy=specs.ike_policy(dh_group="group19")),
        specs.changed(spec, ike_policy=V1),
        specs.changed(spec, ike_policy=V1, psk="Another-Horse-8"),
        specs.changed(spec, ipsec_policy=specs.ipsec_policy(pfs="disable")),
        specs.changed(spec, style="policy", peer_subnets=None, policy_rules=rules),
        specs.changed(spec, peer_subnets=("192.168.0.0/16",)),
        specs.changed(spec, peer_subnets=("192.168.0.0/16", first), ha_role="slave", endpoint=2),
        specs.changed(spec, ha_role="slave", tunnel_local_address=f"169.254.7{number}.1/30"),
        dataclasses.replace(spec, peer_address=None),
        dataclasses.replace(spec, resets=1),
        *(_template(spec, first, second), _template(spec, second), _template(spec, second, ipsec="disable")),
        specs.changed(
            spec,
            enable_nqa=True,
            monitor_id="m",
            tunnel_local_address=f"169.254.7{number}.1/30",
            tunnel_peer_address=f"169.254.7{number}.2/30",
        ),
        *_bgp_variants(spec, number),
    ]


def _bgp_variants(spec: model.DesiredConnection, number: int) -> list[model.DesiredConnection]:
    inner = {
        "tunnel_local_address": f"169.254.8{number}.1/30",
        "tunnel_peer_address": f"169.254.8{number}.2/30",
    }
    given = specs.changed(spec, style="bgp", **inner)
    return [
        dataclasses.replace(given, peer_asn=65001),
        dataclasses.replace(given, peer_asn=4200000001),
        dataclasses.replace(specs.changed(given, ha_role="slave"), peer_asn=65001),
        given,
    ]


def _template(spec: model.DesiredConnection, *subnets: str, ipsec: str = "group15") -> model.DesiredConnection:
    made = specs.changed(
        spec, style="policy-template", peer_subnets=subnets, ipsec_policy=specs.ipsec_policy(pfs=ipsec)
    )
    return dataclasses.replace(made, peer_address=None)


connections = st.tuples(*(st.none() | st.sampled_from(_variants(number)) for number in range(len(IDS))))
desired_gateways = st.builds(
    lambda gateway, chosen, network, eips, restarts: dataclasses.replace(
        specs.desired(*(each for each in chosen if each), network=network, of=gateway), eips=eips, restarts=restarts
    ),
    st.sampled_from(GATEWAYS),
    connections,
    st.sampled_from(NETWORKS),
    st.sampled_from(EIPS),
    st.integers(0, 2),
)
desired_or_none = st.none() | desired_gateways


def carried_out(desired: model.DesiredGateway | None, current: state.GatewayState):
    for step in small_world.plan(desired, current):
        current = small_world.applied(current, step)
    return current


def settled(desired: model.DesiredGateway | None, current: state.GatewayState):
    """A tunnel that came up, or went down, has its size and the metrics of its routes set by one more plan, and a new key is proved by up to
    three more. What devices announced is let in by one more. Nothing else is left to do.
    """
    after = carried_out(desired, current)
    for _ in range(3):
        for step in small_world.plan(desired, after):
            settling = (
                network_steps.EnsureTunnel | network_steps.EnsureSharedRoutes | network_steps.EnsureLearnedSources
            )
            assert isinstance(step, settling | PROOF)
            if isinstance(step, network_steps.EnsureTunnel):
                assert tunnels.carries_all(after.network.tunnels[tunnels.name(step.tunnel.if_id)], step.tunnel)
            after = small_world.applied(after, step)
    return after


def forgetful(current: state.GatewayState):
    """What a Landbridge that was started a moment ago sees."""
    return small_world.put(current, recently_initiated=frozenset())


@st.composite
def states(draw: Any):
    """A world that was made for one desired gateway, then damaged."""
    current = carried_out(draw(desired_or_none), draw(st.sampled_from([NOTHING, IN_KERNEL])))
    current = small_world.put(
        current, sas=(*current.ike.sas, *draw(st.lists(stray_sas(), max_size=3, unique_by=lambda sa: sa.unique_id)))
    )
    for kind in draw(st.lists(st.sampled_from(DAMAGES))):
        current = _damage(draw, current, kind)
    return current


@st.composite
def stray_sas(draw: Any):
    name = draw(st.sampled_from([*IDS[:2], ike_state.UNNAMED, "99999999-0000-4000-8000-000000000000"]))
    sa_state = draw(st.sampled_from(["CONNECTING", "ESTABLISHED", "DELETING"]))
    fingerprint = draw(st.sampled_from(["aaaaaaaaaaaa", "bbbbbbbbbbbb"]))
    child = ike_state.Child(
        str(fingerprints.Child(name, "0", fingerprint, fingerprint)), draw(st.integers(1, 99).map(str)), "INSTALLED"
    )
    children = (child,) if sa_state == "ESTABLISHED" and draw(st.booleans()) else ()
    return ike_state.IkeSa(name, draw(st.integers(1, 99).map(str)), sa_state, children=children)


DAMAGES = (
    *(
        "charon",
        "charon-hangs",
        "namespace",
        "secret",
        "conn",
        "sa",
        "child",
        "address",
        "uplink",
        "half-uplink",
        "vpc-link",
    ),
    *("filter_table", "nat_table", "rules", "tunnel", "half-tunnel", "route", "stray-tunnel", "path"),
    *("dial-in", "echoes", "shared-route", "foreign-share", "hash-policy"),
    *("bird", "bird-hangs", "bird-stopped", "bird-text", "learned-routes", "learned-sources", "closed-session"),
)


#: What devices of a policy-template may have asked for: (local, remote) selectors.
ASKED = [
    ((local,), (f"192.168.{net}.0/24",)) for local in ("10.0.0.0/24", "10.0.0.64/26") for net in (10, 11, 20, 21, 31)
]


def _damage(draw: Any, current: state.GatewayState, kind: str) -> state.GatewayState:  # noqa: C901, PLR0912  a table of damages
    match kind:
        case "bird" if current.bgp.alive:
            return dataclasses.replace(current, bgp=bgp_state.BgpState(started=True))
        case "bird-hangs" if current.bgp.alive:
            return dataclasses.replace(current, bgp=bgp_state.BgpState(alive=True, started=True, answers=False))
        case "bird-stopped" if current.bgp.alive:
            return small_world.put(small_world.applied(current, bgp_steps.StopBird()))
        case "bird-text" if current.bgp.answers and current.bgp.alive:
            return small_world.put(current, bird_fingerprint="another")
        case "learned-routes":
            return small_world.put(current, learned_routes=frozenset(list(current.network.learned_routes)[1:]))
        case "learned-sources":
            return small_world.put(current, learned_sources=frozenset(list(current.network.learned_sources)[1:]))
        case "closed-session" if current.bgp.sessions:
            closed = dict.fromkeys(current.bgp.sessions, small_world.CLOSED)
            return small_world.put(current, bird_sessions=closed)
        case "bird" | "bird-hangs" | "bird-stopped" | "bird-text" | "closed-session":
            return current
        case "charon-hangs" if current.ike.alive:
            return small_world.put(current, answers=False, conns={}, secrets=frozenset(), sas=())
        case "charon-hangs":
            return current
        case "charon":
            return small_world.put(current, alive=False, answers=True, conns={}, secrets=frozenset(), sas=())
        case "namespace":
            loose = draw(st.booleans())
            return small_world.put(
                current,
                namespace=False,
                uplink=None,
                uplink_ready=False,
                uplink_peer=loose and current.network.uplink_peer,
                vpc_link="?" if loose and current.network.vpc_link else None,
                addresses=frozenset(),
                filter_table=None,
                rules=frozenset(),
                tunnels={},
                shared_routes=frozenset(),
                hashes_ports=False,
                learned_routes=frozenset(),
                learned_sources=frozenset(),
            )
        case "secret":
            return small_world.put(current, secrets=frozenset(list(current.ike.secrets)[1:]))
        case "conn":
            return small_world.put(current, conns=dict(list(current.ike.conns.items())[1:]))
        case "sa":
            return small_world.put(current, sas=current.ike.sas[1:])
        case "child":
            return small_world.put(
                current, sas=tuple(dataclasses.replace(sa, children=sa.children[1:]) for sa in current.ike.sas)
            )
        case "address":
            gone = draw(st.sampled_from(sorted(current.network.addresses))) if current.network.addresses else None
            return small_world.put(current, addresses=current.network.addresses - {gone})
        case "uplink":
            kept = frozenset(address for address in current.network.addresses if address[0] != "wan")
            return small_world.put(current, uplink=None, uplink_ready=False, uplink_peer=False, addresses=kept)
        case "half-uplink":
            return small_world.put(current, uplink_ready=False)
        case "rules":
            return small_world.put(current, rules=frozenset(list(current.network.rules)[1:]))
        case "filter_table" | "nat_table":
            held = getattr(current.network, kind)
            return small_world.put(
                current, **{kind: draw(st.sampled_from([None, f"{held} and more"])) if held else None}
            )
        case "path":
            return small_world.put(
                current, learned_mtus={"198.51.100.1": 1400}, uplink_mtu=draw(st.integers(600, 9000))
            )
        case "echoes":
            answers = draw(st.lists(st.sampled_from(["unknown", "up", "down"]), min_size=4, max_size=4))
            return dataclasses.replace(current, echo=_echoes(dict(zip(IDS, answers, strict=True))))
        case "stray-tunnel" if current.network.namespace and current.plane == "kernel":
            return small_world.put(
                current, tunnels={**current.network.tunnels, "x9999": tunnels.Tunnel("", 9999, 1400)}
            )
        case "tunnel" | "half-tunnel" | "route":
            damaged = dict(_damaged(kind, *held) for held in current.network.tunnels.items() if kind != "tunnel")
            return small_world.without_dangling_routes(small_world.put(current, tunnels=damaged))
        case "shared-route":
            return small_world.put(current, shared_routes=frozenset(list(current.network.shared_routes)[1:]))
        case "foreign-share":
            if_ids = tuple(sorted(tunnel.if_id for tunnel in current.network.tunnels.values()))
            more = {("192.168.10.0/24", if_ids)} if len(if_ids) > 1 else set()
            return small_world.put(current, shared_routes=current.network.shared_routes | more)
        case "hash-policy":
            return small_world.put(current, hashes_ports=False)
        case "stray-tunnel":
            return current
        case "dial-in":
            return small_world.dialled_in(current, *draw(st.lists(st.sampled_from(ASKED), min_size=1, max_size=3)))
        case _:
            return small_world.put(current, vpc_link="?") if current.network.vpc_link else current


def _echoes(answers: dict[str, Any]) -> EchoState:
    """`answers`: connection id -> what its echoes say."""
    return EchoState(
        nqa={one: model.Reachability(source="", destination="", state=answer) for one, answer in answers.items()}
    )


def _damaged(kind: str, name: str, tunnel: tunnels.Tunnel) -> tuple[str, tunnels.Tunnel]:
    if kind == "route":
        return name, dataclasses.replace(tunnel, routes=frozenset(), pairs=frozenset())
    return name, dataclasses.replace(tunnel, whole=False)


def is_as_desired(desired: model.DesiredGateway | None, current: state.GatewayState):
    if desired is None:
        return not (
            current.folder
            or current.network.namespace
            or current.ike.alive
            or current.network.uplink_peer
            or current.network.vpc_link
            or current.network.nat_table
            or current.bgp.alive
        )
    prepared = target.prepare(desired, current.plane)
    supported = _configs(prepared)
    desired_tunnels = target.desired_tunnels(prepared, current)
    ours = [sa for sa in current.ike.sas if sa.name != ike_state.UNNAMED and sa.live]
    return (
        current.ike.restarts >= desired.restarts
        and current.ike.conns == {name: frozenset(each.children) for name, each in supported.items()}
        and sorted(map(fingerprints.secret_of, current.ike.secrets))
        == sorted(each.secret_id for each in supported.values())
        and current.network.addresses == prepared.network.addresses
        and current.network.rules == prepared.network.rules
        and {tunnel.connection_id for tunnel in current.network.tunnels.values()} == desired_tunnels.keys()
        and all(
            tunnels.carries_all(current.network.tunnels.get(tunnels.name(each.if_id)), each)
            for each in desired_tunnels.values()
        )
        and all(supported[sa.name].keeps(child) for sa in ours for child in sa.children)
        and _speaks(prepared, current)
        and all(_is_up(each, ours) for each in supported.values() if each.initiates)
    )


def _speaks(prepared: target.Target, current: state.GatewayState) -> bool:
    """Whether BIRD runs what it must, no session stays closed, and the firewall lets in what the devices announced."""
    if prepared.bgp is None:
        return current.bgp == bgp_state.BgpState() and not current.network.learned_routes
    return (
        current.bgp.alive
        and current.bgp.answers
        and current.bgp.fingerprint == prepared.bgp.fingerprint
        and all(session.state == "established" for session in current.bgp.sessions.values())
        and {link for link, _ in current.network.learned_sources} <= set(prepared.network.learning)
    )


def _configs(prepared: target.Target) -> dict[str, messages.DesiredConfig]:
    return {each.connection_id: each for each in prepared.configs}


def _is_up(each: messages.DesiredConfig, sas: list[ike_state.IkeSa]) -> bool:
    mine = [sa for sa in sas if sa.name == each.connection_id]
    up = {child.name for sa in mine for child in sa.children}
    return set(each.children) <= up or any(sa.negotiating for sa in mine)


@given(current=states(), desired=desired_or_none)
def test_from_any_state_to_any_desired_gateway(current: state.GatewayState, desired: model.DesiredGateway | None):
    assert is_as_desired(desired, carried_out(desired, forgetful(current)))


@given(current=states(), desired=desired_or_none)
def test_a_second_plan_is_empty(current: state.GatewayState, desired: model.DesiredGateway | None):
    after = settled(desired, forgetful(current))
    assert small_world.plan(desired, after) == []
    assert small_world.plan(desired, forgetful(after)) == []


@settings(deadline=None)
@given(current=states(), desired=desired_or_none)
def test_every_interrupted_plan_is_finished_by_the_next(
    current: state.GatewayState, desired: model.DesiredGateway | None
):
    current = forgetful(current)
    for step in small_world.plan(desired, current):
        assert is_as_desired(desired, carried_out(desired, forgetful(current)))
        current = small_world.applied(current, step)


@given(current=states(), desired=desired_gateways, data=st.data())
def test_a_connection_whose_step_failed_is_finished_by_the_next_plan(
    current: state.GatewayState, desired: model.DesiredGateway, data: st.DataObject
):
    current = forgetful(current)
    plan = [step for step in small_world.plan(desired, current) if step.connection_id]
    broken = data.draw(st.sampled_from(plan)).connection_id if plan else None
    for step in small_world.plan(desired, current):
        if step.connection_id is None or step.connection_id != broken:
            current = small_world.applied(current, step)
    assert is_as_desired(desired, carried_out(desired, forgetful(current)))


@given(first=desired_gateways, second=desired_gateways, nothing=st.sampled_from([NOTHING, IN_KERNEL]))
def test_what_did_not_change_is_not_touched(
    first: model.DesiredGateway, second: model.DesiredGateway, nothing: state.GatewayState
):
    current = settled(first, nothing)
    same = {name: getattr(first, name) for name in ("gateway", "network", "eips", "restarts")}
    second = dataclasses.replace(second, **same)
    before, after = _loaded(first, current), _loaded(second, current)
    kept = {name for name in before.keys() & after.keys() if before[name] == after[name]}
    assert not [step for step in small_world.plan(second, current) if step.connection_id in kept]


@given(
    desired=desired_gateways,
    nothing=st.sampled_from([NOTHING, IN_KERNEL]),
    asked=st.lists(st.sampled_from(ASKED), min_size=1),
)
def test_what_a_device_asked_for_stays_while_it_lies_in_the_subnets(
    desired: model.DesiredGateway, nothing: state.GatewayState, asked: list[Any]
):
    """Each second variant of the connections has other subnets."""
    current = small_world.dialled_in(settled(desired, nothing), *asked)
    wider = dataclasses.replace(desired, connections=tuple(map(_one_subnet_less, desired.connections)))
    ended = {step.unique_id for step in small_world.plan(wider, current) if isinstance(step, ike_steps.TerminateChild)}
    for spec in wider.connections:
        held = [sa for sa in current.ike.sas if sa.name == spec.id and spec.connection.style == "policy-template"]
        for child in (child for sa in held for child in sa.children):
            assert (child.unique_id in ended) == (not set(child.remote_ts) <= set(spec.connection.peer_subnets or ()))


def _one_subnet_less(spec: model.DesiredConnection) -> model.DesiredConnection:
    subnets = spec.connection.peer_subnets or ()
    is_template = spec.connection.style == "policy-template" and len(subnets) > 1
    return specs.changed(spec, peer_subnets=subnets[1:]) if is_template else spec


def _loaded(desired: model.DesiredGateway, current: state.GatewayState) -> dict[str, Any]:
    prepared = target.prepare(desired, current.plane)
    found = target.desired_tunnels(prepared, current)
    return {each.connection_id: (each, found.get(each.connection_id)) for each in prepared.configs}


@given(current=states(), desired=desired_gateways)
def test_what_is_new_is_loaded_before_what_is_old_goes(current: state.GatewayState, desired: model.DesiredGateway):
    plan = small_world.plan(desired, forgetful(current))
    supported = _loaded(desired, current)
    last_load = max((at for at, step in enumerate(plan) if isinstance(step, LOADS)), default=-1)
    for at, step in enumerate(plan):
        if isinstance(step, ike_steps.UnloadConn | network_steps.DeleteAddresses):
            assert at > last_load
        if isinstance(step, ike_steps.UnloadSecret) and step.connection_id in supported:
            assert not [
                each for each in plan[:at] if each.connection_id == step.connection_id and isinstance(each, LOADS)
            ]
        if isinstance(step, ike_steps.Initiate):
            assert not [
                each for each in plan[at:] if each.connection_id == step.connection_id and isinstance(each, LOADS)
            ]


@given(current=states(), desired=desired_or_none)
def test_no_step_shows_a_secret(current: state.GatewayState, desired: model.DesiredGateway | None):
    for step in small_world.plan(desired, current):
        assert "Horse" not in f"{step} {step!r}"


@given(current=states(), desired=desired_gateways)
def test_a_report_says_applied_when_it_is(current: state.GatewayState, desired: model.DesiredGateway):
    after = settled(desired, forgetful(current))
    observed = small_world.report(desired, after)
    assert observed.exists
    assert observed.applied_generation == desired.generation
    for spec, shown in zip(desired.connections, observed.connections, strict=True):
        assert shown.applied_generation == spec.generation
        assert shown.refused or shown.expected_children >= len(shown.children)


def test_a_restart_that_was_done_is_not_done_again():
    desired = dataclasses.replace(specs.desired(specs.connection(), of=GATEWAY), restarts=2)
    current = settled(desired, NOTHING)
    later = dataclasses.replace(desired, restarts=3)
    restarts = [
        step
        for step in small_world.plan(later, current)
        if isinstance(step, ike_steps.StopCharon | ike_steps.StartCharon)
    ]
    assert restarts == [ike_steps.StopCharon(), ike_steps.StartCharon("userland", 3)]
    after = settled(later, current)
    assert small_world.plan(later, after) == small_world.plan(desired, after) == []
    assert small_world.report(later, after).gateway.restarts == 3


def test_a_child_that_was_tried_a_moment_ago_is_left_alone():
    desired = specs.desired(specs.connection(), of=GATEWAY)
    up = carried_out(desired, NOTHING)
    rejected = small_world.put(up, sas=())
    assert small_world.plan(desired, rejected) == []
    assert [type(step) for step in small_world.plan(desired, forgetful(rejected))] == [ike_steps.Initiate]


def test_a_new_psk_is_tried_at_once_and_ends_what_was_begun_with_the_old():
    spec = specs.connection()
    up = carried_out(specs.desired(spec, of=GATEWAY), NOTHING)
    hanging = small_world.put(up, sas=(ike_state.IkeSa(spec.id, "7", "CONNECTING"),))
    plan = small_world.plan(specs.desired(specs.changed(spec, psk="Another-Horse-8"), of=GATEWAY), hanging)
    assert [type(step) for step in plan] == [
        ike_steps.TerminateIke,
        ike_steps.UnloadSecret,
        ike_steps.LoadSecret,
        ike_steps.Initiate,
    ]


class Rotation:
    """A tunnel that is up with one PSK while another one is desired, as a charon holds it after the new one was loaded."""

    def __init__(self, policy: model.IkePolicy | None = None, *, peer_address: str | None = "198.51.100.2") -> None:
        before = specs.connection(peer_address, ike_policy=policy or specs.ike_policy())
        self.spec = specs.changed(before, psk="Another-Horse-8")
        self.desired = specs.desired(self.spec, of=GATEWAY)
        [config] = target.prepare(self.desired, "userland").configs
        self.config = config
        old = (self.sa("7", installed=90, established=90),)
        self.before = small_world.put(carried_out(specs.desired(before, of=GATEWAY), NOTHING), sas=old)
        self.secret = f"{config.secret_id}.7"
        self.loaded = small_world.put(forgetful(self.before), secrets=frozenset({self.secret}))

    def sa(self, unique_id: str, at: str = "ESTABLISHED", *, installed: int | None = 0, established: int = 0):
        """`installed` None: without a child."""
        child = ike_state.Child(self.config.children[0], unique_id, "INSTALLED", installed_seconds=installed or 0)
        children = () if installed is None else (child,)
        return ike_state.IkeSa(self.spec.id, unique_id, at, established_seconds=established, children=children)

    def proof(self, unique_id: str, at: str):
        return ike_state.IkeSa(fingerprints.proof(self.spec.id), unique_id, at)

    def plan(self, *sas: ike_state.IkeSa, tried: str = ""):
        """Without SAs: with the one that was up before."""
        current = small_world.put(self.loaded, recently_initiated=frozenset({tried}))
        return small_world.plan(self.desired, small_world.put(current, sas=sas) if sas else current)

    def is_unproved(self, *sas: ike_state.IkeSa):
        return small_world.report(self.desired, small_world.put(self.loaded, sas=sas)).connections[0].is_key_unproved

    @property
    def reauthentication(self):
        return ike_steps.Reauthenticate(self.spec.id, "7")

    def renaming(self, name: str):
        return [
            ike_steps.LoadSecret(self.spec.id, name, self.config.owners, self.desired.connections[0].psk),
            ike_steps.UnloadSecret(self.spec.id, self.secret),
        ]


def test_a_new_psk_is_loaded_with_the_number_of_what_it_did_not_make_and_proved_at_once():
    rotation = Rotation()
    plan = small_world.plan(rotation.desired, rotation.before)
    assert [type(step) for step in plan] == [ike_steps.UnloadSecret, ike_steps.LoadSecret, ike_steps.Reauthenticate]
    assert plan[1].secret_id == rotation.secret
    assert plan[2] == rotation.reauthentication


def test_a_key_that_is_not_proved_is_proved_by_a_landbridge_that_remembers_nothing():
    rotation = Rotation()
    assert rotation.plan() == [rotation.reauthentication]
    assert rotation.plan(tried=fingerprints.reauthentication(rotation.spec.id)) == []


def test_a_reauthentication_that_is_under_way_is_waited_for():
    rotation = Rotation()
    sas = rotation.sa("7", established=90), rotation.sa("8", "CONNECTING", installed=None)
    assert rotation.plan(*sas) == []
    assert rotation.is_unproved(*sas)


@pytest.mark.parametrize("policy", [pytest.param(None, id="v2"), pytest.param(V1, id="v1")])
def test_a_newer_ike_sa_proves_the_key_whoever_began_it(policy: model.IkePolicy | None):
    rotation = Rotation(policy)
    assert rotation.plan(rotation.sa("8")) == rotation.renaming(rotation.config.secret_id)
    assert not rotation.is_unproved(rotation.sa("8"))


def test_an_ike_sa_that_ended_leaves_nothing_to_prove():
    rotation = Rotation()
    gone = small_world.put(rotation.loaded, sas=())
    after = carried_out(rotation.desired, gone)
    assert not small_world.report(rotation.desired, after).connections[0].is_key_unproved


def test_a_rekey_of_ikev2_proves_nothing():
    """Its IKE_SA is new, and its child is older than it."""
    rotation = Rotation()
    rekeyed = rotation.sa("8", installed=200, established=3)
    assert rotation.plan(rekeyed, tried=fingerprints.reauthentication(rotation.spec.id)) == rotation.renaming(
        f"{rotation.config.secret_id}.8"
    )
    assert rotation.is_unproved(rekeyed)


def test_in_ikev1_an_ike_sa_of_its_own_tries_the_key_before_the_tunnel_is_touched():
    rotation = Rotation(V1)
    [step] = rotation.plan()
    assert isinstance(step, ike_steps.ProveKey)
    assert step.name == fingerprints.proof(rotation.spec.id)
    assert "children" not in step.conn
    old = rotation.sa("7", established=90)
    assert rotation.plan(old, rotation.proof("8", "CONNECTING"), tried=step.name) == []
    assert rotation.plan(old, rotation.proof("8", "ESTABLISHED")) == [rotation.reauthentication]
    refused = rotation.plan(old, rotation.proof("8", "CONNECTING"))
    assert refused == [ike_steps.TerminateIke(rotation.spec.id, "8"), step]


def test_in_ikev1_the_trial_ends_when_the_tunnel_has_the_key():
    rotation = Rotation(V1)
    moved = rotation.sa("7", "REKEYING", installed=None), rotation.sa("9", installed=200, established=1)
    end = ike_steps.TerminateIke(rotation.spec.id, "8")
    plan = rotation.plan(*moved, rotation.proof("8", "ESTABLISHED"))
    assert plan == [*rotation.renaming(rotation.config.secret_id), end]


@pytest.mark.parametrize(
    ("address", "tried"), [(None, []), ("198.51.100.9", [["198.51.100.9"]])], ids=["unknown", "where it came from"]
)
def test_a_device_of_ikev1_that_dials_in_is_tried_where_it_came_from(address: str | None, tried: list[list[str]]):
    rotation = Rotation(V1, peer_address=None)
    came = dataclasses.replace(rotation.sa("7", established=90), peer_address=address)
    assert [step.conn["remote_addrs"] for step in rotation.plan(came)] == tried


def test_a_trial_that_was_interrupted_leaves_no_connection_behind():
    rotation = Rotation(V1)
    name = fingerprints.proof(rotation.spec.id)
    current = small_world.put(rotation.loaded, conns=dict(rotation.loaded.ike.conns) | {name: frozenset()})
    assert ike_steps.UnloadConn(name) in small_world.plan(rotation.desired, current)
    assert ike_steps.UnloadConn(name) in small_world.plan(specs.desired(of=GATEWAY), current)


def test_the_connection_of_a_trial_stays_as_long_as_its_ike_sa():
    """strongSwan 6.0 ends an IKE_SA without children when its connection is unloaded."""
    rotation = Rotation(V1)
    name = fingerprints.proof(rotation.spec.id)
    trial = rotation.proof("8", "CONNECTING")
    loaded = dict(rotation.loaded.ike.conns) | {name: frozenset()}
    for sas, unloads in (((rotation.sa("7"), trial), False), ((rotation.sa("7"),), True)):
        current = small_world.put(rotation.loaded, conns=loaded, sas=sas, recently_initiated=frozenset({name}))
        assert (ike_steps.UnloadConn(name) in small_world.plan(rotation.desired, current)) is unloads


def test_nothing_is_proved_while_the_children_change():
    rotation = Rotation()
    changed = specs.changed(rotation.spec, ipsec_policy=specs.ipsec_policy(pfs="disable"))
    plan = small_world.plan(specs.desired(changed, of=GATEWAY), rotation.loaded)
    assert rotation.reauthentication not in plan


def test_a_new_subnet_leaves_the_other_child_up():
    spec = specs.connection(peer_subnets=("192.168.44.0/24",))
    up = carried_out(specs.desired(spec, of=GATEWAY), NOTHING)
    after = specs.changed(spec, peer_subnets=("192.168.44.0/24", "192.168.45.0/24"))
    plan = small_world.plan(specs.desired(after, of=GATEWAY), up)
    assert [type(step) for step in plan] == [ike_steps.LoadConn, ike_steps.Initiate, network_steps.EnsureFilterTable]


def test_a_new_ike_policy_ends_the_whole_ike_sa_once_its_successor_is_loaded():
    spec = specs.connection()
    up = carried_out(specs.desired(spec, of=GATEWAY), NOTHING)
    after = specs.changed(spec, ike_policy=specs.ike_policy(dh_group="group19"))
    plan = small_world.plan(specs.desired(after, of=GATEWAY), up)
    assert [type(step) for step in plan] == [ike_steps.LoadConn, ike_steps.TerminateIke, ike_steps.Initiate]


def test_a_new_ipsec_policy_ends_the_child_and_leaves_its_ike_sa():
    spec = specs.connection()
    up = carried_out(specs.desired(spec, of=GATEWAY), NOTHING)
    after = specs.changed(spec, ipsec_policy=specs.ipsec_policy(pfs="disable"))
    plan = small_world.plan(specs.desired(after, of=GATEWAY), up)
    assert [type(step) for step in plan] == [ike_steps.LoadConn, ike_steps.TerminateChild, ike_steps.Initiate]


def test_addresses_are_added_in_modest_batches():
    spec = specs.connection()
    many = tuple(f"10.{high}.{low}.0/24" for high in range(2) for low in range(100))
    desired = specs.desired(spec, of=specs.gateway(local_subnets=many))
    added = [step for step in small_world.plan(desired, NOTHING) if isinstance(step, network_steps.AddAddresses)]
    assert len(added) > 1
    assert max(len(step.addresses) for step in added) <= network_planning.BATCH


@pytest.mark.parametrize(
    ("established", "installed", "asked"),
    [
        pytest.param(0, 0, 0, id="the device may ask for more"),
        pytest.param(9, 1, 0, id="it has asked a moment ago"),
        pytest.param(ike_planning.SETTLING, ike_planning.SETTLING, 1, id="it asks for no more"),
    ],
)
def test_a_device_that_dialled_in_is_asked_for_what_it_did_not_ask_for(established: int, installed: int, asked: int):
    spec = specs.connection(None, peer_subnets=("192.168.44.0/24", "192.168.45.0/24"))
    desired = specs.desired(spec, of=GATEWAY)
    [config] = target.prepare(desired, "userland").configs
    child = ike_state.Child(config.children[0], "1", "INSTALLED", installed_seconds=installed)
    sa = ike_state.IkeSa(spec.id, "1", "ESTABLISHED", established_seconds=established, children=(child,))
    current = small_world.put(carried_out(desired, NOTHING), sas=(sa,))
    assert small_world.plan(desired, current) == [ike_steps.Initiate(spec.id, config.children[1])][:asked]
    assert (ike_planning.SETTLING in ike_planning.due_observations([config], current.ike)) == (not asked)


def test_a_device_that_has_not_dialled_in_is_not_asked():
    desired = specs.desired(specs.connection(None), of=GATEWAY)
    current = carried_out(desired, NOTHING)
    assert small_world.plan(desired, current) == []
    assert list(ike_planning.due_observations(target.prepare(desired, "userland").configs, current.ike)) == []


@pytest.mark.parametrize(
    ("owed", "silent", "timeout", "looks", "is_dead", "is_probed"),
    [
        pytest.param(None, 3600, 15, [], False, True, id="silent, and asked for nothing"),
        pytest.param(2.0, 32, 15, [43.0], False, True, id="asked a moment ago"),
        pytest.param(44.0, 74, 15, [1.0], False, True, id="a second is left"),
        pytest.param(45.0, 75, 15, [], True, True, id="three times the timeout"),
        pytest.param(6.0, 16, 2, [], True, True, id="the shortest timers"),
        pytest.param(179.5, 190, 60, [0.5], False, True, id="the longest timer"),
        pytest.param(50.0, 5, 15, [40], False, True, id="a packet came since it was asked"),
        pytest.param(50.0, None, 15, [], True, True, id="no packet ever came"),
        pytest.param(45.0, 75, 15, [30.0], False, False, id="a rekey that is not answered"),
        pytest.param(75.0, 75, 15, [], True, False, id="a rekey that was never answered"),
    ],
)
def test_a_device_that_owes_an_answer_for_three_times_its_timeout_is_dead(
    owed: float | None, silent: int | None, timeout: int, looks: list[float], is_dead: bool, is_probed: bool
):
    dpd = model.Dpd(interval=30, timeout=timeout, msg="seq-hash-notify")
    spec = specs.connection(ike_policy=specs.ike_policy(dpd=dpd))
    desired = specs.desired(spec, of=GATEWAY)
    [config] = target.prepare(desired, "userland").configs
    child = ike_state.Child(config.children[0], "1", "INSTALLED", silent_seconds=silent)
    sa = ike_state.IkeSa(spec.id, "7", "ESTABLISHED", established_seconds=200, is_probed=is_probed, children=(child,))
    current = small_world.put(
        carried_out(desired, NOTHING), sas=(sa,), unanswered={} if owed is None else {"7": owed, "8": 500.0}
    )
    assert list(ike_planning.due_observations([config], current.ike)) == looks
    dialled = [ike_steps.AbandonIke(spec.id, "7"), ike_steps.Initiate(spec.id, config.children[0])]
    assert small_world.plan(desired, forgetful(current)) == (dialled if is_dead else [])


@pytest.mark.parametrize(
    ("installed", "established", "position", "version", "is_rekeyed", "looks"),
    [
        pytest.param(4, 4, 0, "v2", False, [1], id="came up a moment ago"),
        pytest.param(5, 5, 0, "v2", True, [], id="stands"),
        pytest.param(5, 6, 0, "v2", True, [], id="whole seconds are rounded"),
        pytest.param(5, 5, pfs_proof.RATE, "v2", False, [1], id="one of many waits for its turn"),
        pytest.param(6, 6, pfs_proof.RATE, "v2", True, [], id="its turn"),
        pytest.param(5, 20, 0, "v2", False, [], id="was rekeyed, or came later, with an exchange of its own"),
        pytest.param(20, 5, 0, "v2", False, [], id="its IKE_SA was rekeyed"),
        pytest.param(600, 600, 0, "v2", False, [], id="came up while nobody looked"),
        pytest.param(5, 5, 0, "v1", False, [], id="IKEv1 has shown it"),
    ],
)
def test_pfs_is_proved_by_one_early_rekey(
    installed: int, established: int, position: int, version: str, is_rekeyed: bool, looks: list[float]
):
    spec = specs.connection(ike_policy=V1 if version == "v1" else specs.ike_policy())
    config = target.prepare(specs.desired(spec, of=GATEWAY), "userland").configs[0]
    child = ike_state.Child(config.children[0], "3", "INSTALLED", installed_seconds=installed)
    sas = [ike_state.IkeSa(spec.id, "7", "ESTABLISHED", established_seconds=established, children=(child,))]
    rekey = ike_steps.RekeyChild(spec.id, "3", child.name)
    assert list(pfs_proof.plan(config, position, sas, frozenset())) == [rekey][: int(is_rekeyed)]
    assert list(pfs_proof.plan(config, position, sas, frozenset({fingerprints.rekey("3")}))) == []
    earlier = frozenset({fingerprints.rekey("2")})  # of the tunnel that stood a minute ago
    assert list(pfs_proof.plan(config, position, sas, earlier)) == [rekey][: int(is_rekeyed)]
    assert list(pfs_proof.due_observations(config, position, sas)) == looks


def test_a_rekey_is_planned_once():
    desired = specs.desired(spec := specs.connection(), of=GATEWAY)
    current = carried_out(desired, NOTHING)
    [sa] = current.ike.sas
    aged = dataclasses.replace(
        sa,
        established_seconds=9,
        children=tuple(dataclasses.replace(child, installed_seconds=9) for child in sa.children),
    )
    current = forgetful(small_world.put(current, sas=(aged,)))
    assert small_world.plan(desired, current) == []
    [step] = small_world.plan(desired, current, prove_pfs=True)
    assert step == ike_steps.RekeyChild(spec.id, aged.children[0].unique_id, aged.children[0].name)
    assert small_world.plan(desired, forgetful(small_world.applied(current, step)), prove_pfs=True) == []


@pytest.mark.parametrize(
    ("version", "state", "owed", "child", "is_given_up", "looks"),
    [
        pytest.param("v2", "CONNECTING", None, None, False, [], id="the first message is not answered"),
        pytest.param("v2", "CONNECTING", 2.0, None, False, [23.0], id="a later message was sent a moment ago"),
        pytest.param("v2", "CONNECTING", 25.0, None, True, [], id="a later message is not answered"),
        pytest.param("v2", "CONNECTING", 25.0, "INSTALLED", False, [], id="it has taken over a CHILD_SA that is up"),
        pytest.param("v1", "CONNECTING", 24.5, None, False, [0.5], id="IKEv1, phase 1, in time"),
        pytest.param("v1", "CONNECTING", 25.0, None, True, [], id="IKEv1, phase 1"),
        pytest.param("v1", "ESTABLISHED", 25.0, "CREATED", True, [], id="IKEv1, the first quick mode"),
        pytest.param("v1", "ESTABLISHED", 500.0, "INSTALLED", False, [], id="IKEv1, a rekey: charon counts"),
    ],
)
def test_a_negotiation_that_the_device_has_forgotten_is_given_up_and_begun_anew(
    version: str, state: str, owed: float | None, child: str | None, is_given_up: bool, looks: list[float]
):
    spec = specs.connection(ike_policy=V1 if version == "v1" else specs.ike_policy())
    desired = specs.desired(spec, of=GATEWAY)
    [config] = target.prepare(desired, "userland").configs
    children = () if child is None else (ike_state.Child(config.children[0], "3", child),)
    hanging = (ike_state.IkeSa(spec.id, "7", state, children=children),)
    unanswered = {} if owed is None else {"7": owed, "8": 500.0}
    current = forgetful(small_world.put(carried_out(desired, NOTHING), sas=hanging, unanswered=unanswered))
    assert list(ike_planning.due_observations([config], current.ike)) == looks
    planned = small_world.plan(desired, current)
    anew = [ike_steps.AbandonIke(spec.id, "7"), ike_steps.Initiate(spec.id, config.children[0])]
    if is_given_up:
        assert planned == anew
    else:
        assert not any(isinstance(step, ike_steps.AbandonIke) for step in planned)
    for step in planned:
        current = small_world.applied(current, step)
    assert small_world.plan(desired, current) == []


@pytest.mark.parametrize(
    ("found", "peer_id", "told"),
    [
        pytest.param(None, None, "198.51.100.2", id="no IKE_SA: the address"),
        pytest.param(None, "branch.example", "branch.example", id="no IKE_SA: the id"),
        pytest.param("%any", "branch.example", "branch.example", id="no answer yet"),
        pytest.param("198.51.100.2", None, "198.51.100.2", id="the peer has answered"),
    ],
)
def test_ids_are_the_configured_ones_until_a_peer_has_answered(found: str | None, peer_id: str | None, told: str):
    policy = specs.ike_policy(peer_id_type="fqdn" if peer_id else None, peer_id=peer_id)
    desired = specs.desired(spec := specs.connection(ike_policy=policy), of=GATEWAY)
    sas = (ike_state.IkeSa(spec.id, "7", "CONNECTING", local_id=found, peer_id=found),) if found else ()
    [shown] = small_world.report(desired, small_world.put(carried_out(desired, NOTHING), sas=sas)).connections
    assert shown.peer_id == told
    assert shown.local_id == (found if found not in (None, "%any") else spec.local_address)


LOST = ("EIP eip-0 (203.0.113.10)", "network vpc-1")


@given(states(), desired_or_none)
def test_a_namespace_that_lost_its_name_gets_it_and_nothing_else_is_done(
    current: state.GatewayState, desired: model.DesiredGateway | None
):
    """A gateway that must go needs no name."""
    unnamed = dataclasses.replace(current, pid_in_unnamed_namespace=7, network=NetworkState())
    attached = [step for step in small_world.plan(desired, unnamed) if isinstance(step, network_steps.AttachNamespace)]
    assert attached == ([] if desired is None else [network_steps.AttachNamespace(7)])
    assert desired is None or small_world.plan(desired, unnamed) == attached


@given(states(), desired_or_none, st.none() | st.just(7))
def test_while_a_foreign_namespace_has_the_name_nothing_is_done_but_to_say_so(
    current: state.GatewayState, desired: model.DesiredGateway | None, pid: int | None
):
    """A gateway that must go goes without it."""
    taken = dataclasses.replace(current, pid_in_unnamed_namespace=pid, network=NetworkState(foreign=True))
    planned = small_world.plan(desired, taken)
    assert desired is None or planned == [steps.AddFolder()]
    assert not any(isinstance(step, network_steps.DeleteNamespace) for step in planned)


@given(states(), desired_gateways)
def test_what_the_site_no_longer_covers_is_left_as_it_is(current: state.GatewayState, desired: model.DesiredGateway):
    """Only connections that nobody wants any more go."""
    planned = small_world.plan(dataclasses.replace(desired, uncovered=LOST), current)
    kept = {spec.id for spec in desired.connections}
    going = (ike_steps.UnloadConn, ike_steps.UnloadSecret, ike_steps.TerminateIke, network_steps.DeleteTunnel)
    assert all(isinstance(step, going) and step.connection_id not in kept for step in planned)
    for step in planned:
        current = small_world.applied(current, step)
    assert small_world.plan(dataclasses.replace(desired, uncovered=LOST), current) == []


def test_a_gateway_that_the_site_no_longer_covers_is_a_fault_and_its_tunnels_are_as_they_are():
    spec = _variants(0)[0]
    desired = specs.desired(spec, network=NETWORKS[1], of=GATEWAY)
    current = carried_out(desired, NOTHING)
    lost = dataclasses.replace(desired, network=NETWORKS[0], uncovered=LOST)
    found = small_world.report(lost, current)
    words = f"the site file no longer has {LOST[0]} and {LOST[1]}: the VPN gateway is left as it is"
    assert (found.failure, found.applied_generation) == (words, None)
    (shown,) = found.connections
    assert (len(shown.children), shown.failure, shown.refused) == (shown.expected_children, words, None)
    assert shown.children == small_world.report(desired, current).connections[0].children != ()


@given(states(), desired_gateways)
def test_no_link_is_deleted_for_another_parent_before_that_parent_was_found(
    current: state.GatewayState, desired: model.DesiredGateway
):
    """A link is deleted alone only when the gateway is to have no such link, or has lost its namespace."""
    planned = [type(step) for step in small_world.plan(desired, current)]
    if current.network.namespace:
        assert network_steps.DeleteUplink not in planned
        assert network_steps.DeleteVpcLink not in planned or desired.network.address is None


def test_each_tunnel_of_a_shared_route_is_reported_to_carry_it():
    desired = specs.desired(*(specs.connection(f"198.51.100.{number}") for number in (1, 2)), of=GATEWAY)
    reported = small_world.report(desired, settled(desired, IN_KERNEL)).connections
    assert [one.routes for one in reported] == [(sites.LAN,), (sites.LAN,)]


def test_a_tunnel_that_comes_or_goes_moves_no_flow_of_another_tunnel():
    """While a shared route has a tunnel, its own route may lead; otherwise that route gets a higher metric first, or leads later."""
    pair = [specs.connection(f"198.51.100.{number}") for number in (1, 2)]
    desired = specs.desired(*pair, of=GATEWAY)
    up = settled(desired, IN_KERNEL)
    assert up.network.shared_routes
    down = small_world.put(forgetful(up), sas=tuple(sa for sa in up.ike.sas if sa.name != pair[0].id))
    for current, shared in ((down, frozenset()), (carried_out(desired, down), up.network.shared_routes)):
        plan = [
            step
            for step in small_world.plan(desired, current)
            if isinstance(step, network_steps.EnsureTunnel | network_steps.EnsureSharedRoutes)
        ]
        change = network_steps.EnsureSharedRoutes(shared)
        assert plan.index(change) == (0 if shared else 1)
        assert [step.connection_id for step in plan if step != change] == [pair[0].id]
