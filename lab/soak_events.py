"""What happens during a soak: a table of changes and faults. Each one is described once, for the command, the page and the tests.

An event acts step by step. After each step the runner waits until everything has converged, and the next step undoes what the step before did.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from lab import connection_fields, demo, sites, soak_bed, testbed, upgrade
from lab.connection_fields import CASES, ONLY
from lab.replay import Plane
from lab.soak_bed import Bed, Connection, Gateway
from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.bgp import bird
from landbridge.engine.strongswan.ike import charon
from landbridge.engine.strongswan.network import namespace
from landbridge.wire import connection_requests

BOTH: tuple[Plane, ...] = ("userland", "kernel")
#: Seconds that a lasting fault lasts.
LASTING = 5.0
HOUR = 3600


def _none(_: Bed) -> Any:
    return None


@dataclass(frozen=True, kw_only=True)
class Event:
    """`act` does something and yields, once or several times. `changed`: the connection that it changes, and `disturbed`: the gateway whose daemon or
    namespace it takes away; the echoes of all other connections must be answered. `refused`: the API refuses the change. `short`: a part of `make
    test`.
    """

    name: str
    act: Callable[[Bed], Iterator[None]]
    changed: Callable[[Bed], Connection | None] = _none
    disturbed: Callable[[Bed], Gateway | None] = _none
    planes: tuple[Plane, ...] = BOTH
    short: bool = False


# -- fields of a connection -------------------------------------------------------------------------------------------

#: Fields that an update cannot change: another value is refused.
FIXED: dict[str, Callable[[Bed], Any]] = {
    "vgw_id": lambda bed: bed.gateways[1].id,
    "vgw_ip": lambda bed: bed.gateways[0].body["eip2"]["id"],
    "style": lambda _: "policy",
    "enable_health_check": lambda _: True,
    "ha_role": lambda _: "slave",
    "tags[].key": lambda _: "site",
    "tags[].value": lambda _: "berlin",
    **{place: (lambda _: "another") for place, case in CASES.items() if case.value is ONLY},
    **{place: (lambda _: [{}]) for place in ("policy_rules_v6[].rule_index", "policy_rules_v6[].source")},
    "policy_rules_v6[].destination": lambda _: ["2001:db8::/32"],
    "peer_subnets_v6": lambda _: ["2001:db8::/32"],
}
#: Fields of a connection that is in the way of others: the value must fit the bed.
_OF_THE_BED: dict[str, Callable[[Bed, Connection], Any]] = {
    "cgw_id": lambda bed, _: bed.customer_gateway(sites.peer(_spare(bed))),
    "peer_subnets": lambda bed, one: [one.lan, sites.lan(_spare(bed))],
    "tunnel_local_address": lambda bed, _: f"{soak_bed.inner(_spare(bed))[0]}/30",
    "tunnel_peer_address": lambda bed, _: f"{soak_bed.inner(_spare(bed))[1]}/30",
    "policy_rules[].rule_index": lambda _, one: [one.body["policy_rules"][0] | {"rule_index": 7}],
    "policy_rules[].source": lambda _, one: [one.body["policy_rules"][0] | {"source": _half(one.gateway.vpc)}],
    "policy_rules[].destination": lambda _, one: [
        one.body["policy_rules"][0] | {"destination": [str(soak_bed.upper_half(one.lan))]}
    ],
}


def _spare(bed: Bed) -> int:
    """The number of an address, a LAN and a tunnel block of the first device that no connection has."""
    return bed.first_number(1) + bed.size.connections


def _half(block: str) -> str:
    """The half of a /24 in which the host lies."""
    return block.replace("/24", "/25")


def _of_field(place: str, bed: Bed) -> Connection:
    return bed.gateways[0].connections[1 if place.startswith("policy_rules[]") else 0]


def _change_field(place: str, bed: Bed) -> Iterator[None]:
    """To another value and back."""
    one = _of_field(place, bed)
    wanted = {place.partition("[]")[0]: _OF_THE_BED[place](bed, one)} if place in _OF_THE_BED else _case(place)
    before = {each: connection_fields.at(one.body, each) for each in wanted}
    implied: dict[str, Any] = {}
    if place.startswith("tunnel_"):
        before |= {name: one.body[name] for name in _TUNNEL}
        implied = dict(zip(_TUNNEL, (f"{each}/30" for each in soak_bed.inner(_spare(bed))), strict=True))
    bed.update(one, _body(wanted), **implied)
    yield
    bed.update(one, _body(before))
    yield


_TUNNEL = ("tunnel_local_address", "tunnel_peer_address")


def _case(place: str) -> dict[str, Any]:
    return {**CASES[place].others, place: CASES[place].value}


def _body(values: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for place, value in values.items():
        connection_fields.put(body, place, value)
    return body


def _refuse_field(place: str, bed: Bed) -> Iterator[None]:
    try:
        bed.api.request("PUT", _of_field(place, bed).path, {"vpn_connection": _body({place: FIXED[place](bed)})})
    except testbed.Refused:
        yield
    else:
        raise AssertionError(f"the service took another {place}")


#: Those that are changed in `make test` too: nothing is negotiated anew, a CHILD_SA more, a CHILD_SA anew, an IKE_SA anew.
_SHORT = {"name", "peer_subnets", "ipsecpolicy.encryption_algorithm", "ikepolicy.dpd.interval"}


def _fields() -> Iterator[Event]:
    for place in connection_fields.places(connection_requests.UpdateConnection):
        if place in FIXED:
            yield Event(name=f"`{place}`: refused", act=partial(_refuse_field, place))
        else:
            yield Event(
                name=f"`{place}` and back",
                act=partial(_change_field, place),
                changed=partial(_of_field, place),
                short=place in _SHORT,
            )


# -- resources that come and go ---------------------------------------------------------------------------------------


def _a_connection_comes_and_goes(bed: Bed) -> Iterator[None]:
    gateway = bed.gateways[0]
    one = bed.add_connection(gateway, _spare(bed))
    bed.load(gateway)
    bed.make_connection(one)
    yield
    gateway.connections.remove(one)
    bed.delete(one.path)
    bed.load(gateway)
    yield


def _a_gateway_comes_and_goes(bed: Bed) -> Iterator[None]:
    """With a connection to the first device."""
    first = bed.gateways[0]
    made = Gateway(bed.size.gateways + 1, "", first.device)
    bed.make_gateway(made)
    one = bed.add_connection(made, _spare(bed) + 1)
    bed.load(first, made)
    bed.make_connection(one)
    yield
    bed.delete(one.path)
    bed.delete(made.path)
    bed.load(first)
    yield


# -- Landbridge -------------------------------------------------------------------------------------------------------


def _landbridge_is_killed(bed: Bed) -> Iterator[None]:
    bed.service.stop(signal.SIGKILL)
    bed.service.start()
    yield


def _landbridge_is_upgraded(bed: Bed) -> Iterator[None]:
    """The new version is compiled before the old one ends, as `landbridge install` and the Debian package do it."""
    version = upgrade.another_version(bed.world.folder, upgrade.NEXT)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(version)], check=True)
    bed.service.stop()
    bed.service.settings["PYTHONPATH"] = str(version)
    bed.service.start()
    yield


#: A change with many steps, and its undoing.
_MANY_STEPS = {
    "psk": "Another-Key-7",
    "ipsecpolicy": {"encryption_algorithm": "aes-256"},
    "ikepolicy": {"encryption_algorithm": "aes-256"},
}
_POLICIES = ("ipsecpolicy", "ikepolicy")


def _the_agent_dies(bed: Bed) -> Iterator[None]:
    """After each step of a change: each start carries out one more step, until nothing is left to do."""
    one = bed.gateways[0].connections[0]
    before: dict[str, Any] = {"psk": one.body["psk"]}
    before |= {name: {"encryption_algorithm": one.body[name]["encryption_algorithm"]} for name in _POLICIES}
    ordinary, bed.service.program = bed.service.program, [sys.executable, "-m", "lab.dying_service"]
    bed.service.stop()
    bed.service.start()
    bed.update(one, _MANY_STEPS)
    while _dies(bed):
        with contextlib.suppress(RuntimeError):  # it dies before it is ready
            bed.service.start()
    bed.service.program = ordinary
    bed.service.stop()
    bed.service.start()
    yield
    bed.update(one, before)
    yield


def _dies(bed: Bed) -> bool:
    """Whether the service dies before it has done all."""
    began = time.monotonic()
    process = bed.service.process
    assert process is not None
    with bed.judge() as judge:
        while process.poll() is None:
            with contextlib.suppress(OSError):
                if judge.has_converged(began):
                    return False
            bed.check_patience(began, "the end of the service, or of the change")
    return True


def _the_site_file_changes(bed: Bed) -> Iterator[None]:
    """It gets an EIP and a network, and loses them again. The service reads it when it starts."""
    before = bed.service.site.read_text()
    number = bed.size.gateways + 1 + soak_bed.SPARE
    more = testbed.NETWORK.format(id=testbed.resource_id("0", number), number=number)
    more += demo.EIP.format(id=testbed.resource_id("e", 2 * number), address=f"203.0.113.{30 + 2 * number}")
    for text in (before + more, before):
        bed.service.stop()
        bed.service.site.write_text(text)
        bed.service.start()
        yield


# -- daemons and the machine ------------------------------------------------------------------------------------------


def _second_gateway(bed: Bed) -> Gateway:
    return bed.gateways[1]


def _bgp(bed: Bed) -> Connection:
    return bed.gateways[1].connections[0]


def _signalled(program: daemon.Daemon, number: signal.Signals) -> Callable[[Bed], Iterator[None]]:
    def act(bed: Bed) -> Iterator[None]:
        (pid,) = bed.pids(program, _second_gateway(bed))
        os.kill(pid, number)
        bed.wait(lambda: (now := bed.pids(program, _second_gateway(bed))) and pid not in now, "another process")
        yield

    return act


def _the_namespace_is_deleted(bed: Bed) -> Iterator[None]:
    namespace.remove(_second_gateway(bed).namespace)
    yield


def _the_clock_jumps(_: Bed) -> Iterator[None]:
    """An hour ahead and back."""
    for seconds in (HOUR, -HOUR):
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
        time.sleep(LASTING)
        yield


def _the_disk_is_full(bed: Bed) -> Iterator[None]:
    """The disk of the database and of the daemons' logs. Somebody tries to change a connection meanwhile."""
    ballast = bed.service.data / "ballast"
    free = os.statvfs(bed.service.data)
    try:
        with ballast.open("w") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_bsize)
        with contextlib.suppress(testbed.Refused):
            bed.api.request("PUT", bed.gateways[0].connections[0].path, {"vpn_connection": {"name": "on-a-full-disk"}})
        time.sleep(LASTING)
    finally:
        ballast.unlink(missing_ok=True)
    yield
    bed.api.request("PUT", bed.gateways[0].connections[0].path, {"vpn_connection": {"name": "soak"}})
    yield


def _nothing(_: Bed) -> Iterator[None]:
    time.sleep(2 * LASTING)
    yield


EVENTS = (
    Event(name="nothing (control)", act=_nothing),
    *_fields(),
    Event(name="a connection comes and goes", act=_a_connection_comes_and_goes, short=True),
    Event(name="a VPN gateway with a connection comes and goes", act=_a_gateway_comes_and_goes),
    Event(name="Landbridge is killed (SIGKILL) and started", act=_landbridge_is_killed, short=True),
    Event(name="Landbridge is upgraded", act=_landbridge_is_upgraded),
    Event(
        name="the agent dies after each step of a change",
        act=_the_agent_dies,
        changed=lambda bed: bed.gateways[0].connections[0],
    ),
    Event(name="the site file changes", act=_the_site_file_changes),
    Event(
        name="a charon is killed", act=_signalled(charon.CHARON, signal.SIGKILL), disturbed=_second_gateway, short=True
    ),
    Event(name="a charon hangs (SIGSTOP)", act=_signalled(charon.CHARON, signal.SIGSTOP), disturbed=_second_gateway),
    Event(name="a BIRD is killed", act=_signalled(bird.BIRD, signal.SIGKILL), changed=_bgp, short=True),
    Event(name="a BIRD hangs (SIGSTOP)", act=_signalled(bird.BIRD, signal.SIGSTOP), changed=_bgp),
    Event(name="a gateway's namespace is deleted", act=_the_namespace_is_deleted, disturbed=_second_gateway),
    Event(name="the disk of the logs and of the database is full", act=_the_disk_is_full),
    Event(name="the clock jumps an hour ahead and back", act=_the_clock_jumps, planes=("kernel",)),
)
