"""Which routes of a tunnel are ours: an older version's get our protocol without a gap, and a routing daemon's stay."""

import contextlib
import errno
import functools
import os
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from lab import specs
from landbridge.engine.strongswan import state, target
from landbridge.engine.strongswan.network import links, namespace, netlink, planning, tunnels, xfrm
from tests.engine.strongswan import small_world

BIRD = 12
OURS, OLDER = links.ROUTE_PROTOCOL, links.OLDER_ROUTE_PROTOCOL
CONNECTION_ID = "00000001-0000-4000-8000-000000000000"
UP, DOWN = (tunnels.RouteMetric(if_id=7, down=down).pack() for down in (False, True))
NET, NEW, GONE, LEARNED, BY_HAND = (f"192.168.{number}.0/24" for number in range(5))
#: RTMGRP_IPV4_ROUTE and RTM_DELROUTE of <linux/rtnetlink.h>.
GROUP, DELETED = 0x40, 25


def snapshot(*routes: tuple[str, int, int]) -> netlink.Snapshot:
    """A namespace with one XFRM interface and (network, metric, protocol) in it."""
    link = netlink.Link(5, "x7", "xfrm", up=True, mtu=1400, parent=0, master=0, alias=CONNECTION_ID)
    found = [
        netlink.Route(links.MAIN_TABLE, net, "", 5, metric, protocol, learned=False, mtu=0)
        for net, metric, protocol in routes
    ]
    return netlink.Snapshot([link], [], [], found)


@pytest.mark.parametrize(
    ("protocol", "routes", "has_older_routes"),
    [
        pytest.param(OURS, {(NET, UP), (NEW, UP)}, False, id="ours"),
        pytest.param(OLDER, {(NET, UP), (NEW, UP)}, True, id="an older version's"),
        pytest.param(BIRD, {(NET, UP)}, False, id="a routing daemon's"),
        pytest.param(3, {(NET, UP)}, False, id="a person's"),
        pytest.param(2, {(NET, UP)}, False, id="the kernel's"),
    ],
)
def test_the_protocol_says_whose_a_route_is(protocol: int, routes: set[tuple[str, int]], has_older_routes: bool):
    tunnel = xfrm.read_tunnels(snapshot((NET, UP, OURS), (NEW, UP, protocol)))["x7"]
    assert (tunnel.routes, tunnel.has_older_routes) == (routes, has_older_routes)


def test_a_route_of_a_routing_daemon_in_a_tunnel_plans_nothing():
    spec = specs.connection()
    current = state.GatewayState(at=datetime(2026, 1, 1, tzinfo=UTC), plane="kernel")
    desired = target.desired_tunnels(target.prepare(specs.desired(spec), "kernel"), current)[spec.id]
    ours = [(net, metric, OURS) for net, metric in desired.routes]
    alone, beside = (
        xfrm.read_tunnels(snapshot(*ours, *others))["x7"]
        for others in ((), ((LEARNED, 1 << 30, BIRD), ("0.0.0.0/0", 0, BIRD)))
    )
    assert beside == alone
    standing = small_world.put(current, tunnels={tunnels.name(spec.if_id): desired}).network
    assert list(planning.plan_tunnels({spec.id: desired}, standing)) == []


@pytest.fixture
def name() -> Iterator[str]:
    """A network namespace with the link `x7`, which a kernel without XFRM interfaces has too."""
    name = f"lbt-{os.urandom(4).hex()}"
    namespace.add(name)
    try:
        for command in ("link add x7 type veth peer name x8", "link set x7 up", "link set x8 up"):
            subprocess.run(["ip", "-n", name, *command.split()], check=True)
        yield name
    finally:
        namespace.remove(name)


def put(name: str, net: str, metric: int, protocol: int) -> None:
    """As an older version did: with the scope that pyroute2 gives."""
    namespace.inside(
        name,
        lambda ip: ip.route("add", dst=net, oif=namespace.index(ip, "x7"), priority=metric, proto=protocol),
    )


@contextlib.contextmanager
def deleted(found: list[netlink.Route]) -> Iterator[None]:
    """The routes that the kernel says are deleted in the calling thread's namespace, in `found` when the block ends."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as listening:
        listening.bind((0, GROUP))
        yield
        with contextlib.suppress(BlockingIOError):
            while data := listening.recv(1 << 16, socket.MSG_DONTWAIT):
                found += [netlink._route(body) for kind, _, body in netlink._messages(data) if kind == DELETED]


def routes(name: str) -> set[tuple[str, int, int]]:
    found = namespace.read(name, lambda read: read.routes())
    return {(route.net, route.metric, route.protocol) for route in found if route.table == links.MAIN_TABLE}


def ensured(name: str, desired: frozenset[tuple[str, int]]) -> list[netlink.Route]:
    """Makes `desired` the routes of the link; the routes that were deleted meanwhile."""
    found: list[netlink.Route] = []

    def work(ip: object) -> None:
        with netlink.Reader() as read, deleted(found):
            xfrm.ensure_routes(ip, namespace.index(ip, "x7"), desired, read.routes())

    namespace.inside(name, work)
    return found


@pytest.mark.process
def test_an_older_versions_routes_get_our_protocol_without_a_gap(name: str):
    """The old route of the same metric is replaced in place; what nobody desires goes when the new routes are there."""
    for net, metric, protocol in ((NET, UP, OLDER), (NET, DOWN, OLDER), (GONE, UP, OURS), (LEARNED, 1 << 30, BIRD)):
        put(name, net, metric, protocol)
    by_hand = f"route add {BY_HAND} dev x7 metric {UP} proto {OLDER}"  # ip-route(8) gives another scope
    subprocess.run(["ip", "-n", name, *by_hand.split()], check=True)
    desired = frozenset({(NET, UP), (NEW, UP)})
    first, second = ensured(name, desired), ensured(name, desired)
    assert routes(name) == {(NET, UP, OURS), (NEW, UP, OURS), (LEARNED, 1 << 30, BIRD)}
    assert {(route.net, route.metric, route.protocol) for route in first} == {
        (NET, DOWN, OLDER),
        (GONE, UP, OURS),
        (BY_HAND, UP, OLDER),
    }
    assert second == []


SHARED = frozenset({(NET, (7, 9))})


def multipath(name: str) -> list[str]:
    """Networks of routes with several next hops, as iproute2 shows them."""
    shown = subprocess.run(["ip", "-n", name, "-o", "route"], capture_output=True, text=True, check=True).stdout
    return [line.split()[0] for line in shown.splitlines() if "nexthop" in line]


def shared(name: str) -> frozenset[tunnels.SharedRoute]:
    return namespace.read(name, lambda read: frozenset(xfrm._shared_routes(read.routes(), xfrm._if_ids(read.links()))))


def share(name: str, desired: frozenset[tunnels.SharedRoute]) -> None:
    namespace.inside(name, lambda ip: xfrm.ensure_shared_routes(ip, desired))


@pytest.fixture
def three(name: str) -> str:
    """The namespace with the links `x7`, `x9` and `x11`, each with a route of its own to NET, and another program's multipath route."""
    commands = [f"link add x{number} type veth peer name y{number}" for number in (9, 11)]
    commands += [f"link set {end}{number} up" for number in (9, 11) for end in "xy"]
    commands += [f"route append {NET} proto {BIRD} nexthop dev x9 nexthop dev x11"]
    for command in commands:
        subprocess.run(["ip", "-n", name, *command.split()], check=True)
    for number in (7, 9, 11):
        alone = frozenset({(NET, number)})
        work = functools.partial(_ensure_alone, link=f"x{number}", desired=alone)
        namespace.inside(name, work)
    return name


def _ensure_alone(ip: object, link: str, desired: frozenset[tuple[str, int]]) -> None:
    with netlink.Reader() as read:
        xfrm.ensure_routes(ip, namespace.index(ip, link), desired, read.routes())


@pytest.mark.process
def test_a_shared_route_comes_and_goes_beside_the_routes_of_each_tunnel_and_of_others(three: str):
    before = routes(three)
    assert not namespace.inside(three, lambda _: xfrm.hashes_ports())
    for _ in range(2):
        share(three, SHARED)
        assert shared(three) == SHARED
    assert namespace.inside(three, lambda _: xfrm.hashes_ports())
    assert multipath(three) == [NET, NET]
    for _ in range(2):
        share(three, frozenset())
        assert (routes(three), shared(three)) == (before, frozenset())
    assert multipath(three) == [NET]


@pytest.mark.process
def test_other_tunnels_share_a_network_from_the_moment_in_which_the_first_ones_stop(three: str):
    """The new route is there before the old one is deleted, and nothing else is."""
    share(three, SHARED)
    found: list[netlink.Route] = []

    def work(ip: object) -> None:
        with deleted(found):
            xfrm.ensure_shared_routes(ip, frozenset({(NET, (7, 9, 11)), (NEW, (9, 11))}))

    namespace.inside(three, work)
    assert shared(three) == {(NET, (7, 9, 11)), (NEW, (9, 11))}
    assert [(route.net, len(route.links)) for route in found] == [(NET, 2)]


@pytest.mark.process
def test_a_route_of_one_tunnel_is_not_taken_for_a_shared_one_that_is_gone_already(three: str):
    """The kernel deletes the first route that fits a message."""
    before = routes(three)
    links_ = namespace.read(three, lambda read: [read.link(name=f"x{number}") for number in (7, 9)])
    message = xfrm._multipath(NET, [link.ifindex for link in links_ if link])

    def work(ip: Any) -> None:
        with namespace.suppressed(errno.ESRCH):
            ip.route("del", **message)

    namespace.inside(three, work)
    assert routes(three) == before


@pytest.mark.process
def test_the_kernel_deletes_a_shared_route_with_one_of_its_tunnels_and_the_other_has_its_own(three: str):
    share(three, SHARED)
    subprocess.run(["ip", "-n", three, "link", "del", "x7"], check=True)
    assert shared(three) == frozenset()
    assert {(net, metric) for net, metric, protocol in routes(three) if protocol == OURS} == {(NET, 9), (NET, 11)}
