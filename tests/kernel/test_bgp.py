"""Connections of style bgp on a kernel with ESP: a device with BIRD and one with FRR, beside a static connection."""

import dataclasses
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lab import birds, cycles, frr, sites, specs
from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.bgp import bird
from landbridge.engine.strongswan.network import tunnels
from tests.kernel import beds
from tests.kernel.beds import PATIENCE, Bed, host, in_clear, lan, reached

pytestmark = pytest.mark.tunnel

EVERYTHING = (("0.0.0.0/0", "0.0.0.0/0"),)
#: Kind -> the third number of the inner addresses.
INNER = {"bird": 70, "frr": 71}
#: FRR's daemon for BFD does not run.
BFD = {"bird": "up", "frr": None}
FOUR_BYTES = 4200000001
#: A machine without KVM stands still for a second now and then.
SLOW_BFD = "interval 1 s; multiplier 5;"


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with beds.made() as bed, ExitStack() as undo:
        bed.gateway = specs.gateway(bgp_asn=4200000000, ha_mode="active-standby")
        for kind in INNER:
            _add(bed, kind)
        bed.add("static", {})
        speakers: dict[str, Any] = {
            "bird": birds.Bird(
                **_ends(bed, "bird"),
                folder=bed.devices["bird"].folder / "bgp",
                asn=FOUR_BYTES,
                peer_asn=4200000000,
                bfd_times=SLOW_BFD,
            ),
            "frr": frr.Frr(**_ends(bed, "frr"), asn=65001, peer_asn=4200000000),
        }
        for speaker in speakers.values():
            undo.callback(speaker.stop)
            speaker.start()
        bed.settle()
        wait_until(bed, lambda seen: all(is_up(seen, kind) for kind in INNER))
        bed.settle()
        yield bed


def _add(bed: Bed, kind: str) -> None:
    number = INNER[kind]
    bed.add(
        kind,
        {"pairs": EVERYTHING, "if_id": 9},
        style="bgp",
        peer_subnets=("198.18.0.0/24",),  # for the API alone: what is learned does not lie in it
        tunnel_local_address=f"169.254.{number}.1/30",
        tunnel_peer_address=f"169.254.{number}.2/30",
    )
    asn = FOUR_BYTES if kind == "bird" else 65001
    bed.specs[kind] = dataclasses.replace(bed.specs[kind], peer_asn=asn)
    device = bed.devices[kind].namespace
    for command in ("link add t0 type xfrm if_id 9", f"address add 169.254.{number}.2/30 dev t0", "link set t0 up"):
        subprocess.run(["ip", "-n", device, *command.split()], check=True)


def _ends(bed: Bed, kind: str) -> dict[str, Any]:
    number, device = INNER[kind], bed.devices[kind]
    return {
        "namespace": device.namespace,
        "address": f"169.254.{number}.2",
        "peer": f"169.254.{number}.1",
        "routes": (lan(bed.number(kind)),),
    }


Seen = dict[str, model.ConnectionObservation]


def look(bed: Bed) -> Seen:
    return by_kind(bed, bed.look())


def by_kind(bed: Bed, seen: model.Observation) -> Seen:
    return {bed.kinds[one.connection_id]: one for one in seen.connections}


def is_up(seen: Seen, kind: str) -> bool:
    session = seen[kind].bgp
    return session is not None and session.state == "established" and session.accepted == 1 and session.bfd == BFD[kind]


def wait_until(bed: Bed, happened: Callable[[Seen], object]) -> Seen:
    """Cycles as the agent does."""
    try:
        found = cycles.until(
            bed.engine, bed.gateway.id, bed.desired(), lambda seen: happened(by_kind(bed, seen)), seconds=PATIENCE
        )
    except TimeoutError:
        raise AssertionError({kind: one.bgp for kind, one in look(bed).items()}) from None
    return by_kind(bed, found)


def since(seen: Seen, kind: str) -> datetime | None:
    session = seen[kind].bgp
    return session.since if session else None


def folder(bed: Bed) -> Path:
    return bed.world.folder / "engine" / names.short(bed.gateway.id)


def table(bed: Bed) -> str:
    return bed.ip(f"route show table {names.LEARNED_TABLE}")


def pid(bed: Bed) -> int:
    (found,) = (each for each in bed.pids() if bird.BIRD.is_run_by(each))
    return found


def test_both_sessions_are_up_and_say_what_they_learned(bed: Bed):
    seen = look(bed)
    for kind, number in INNER.items():
        session, net = seen[kind].bgp, lan(bed.number(kind))
        assert session is not None
        assert [route.prefix for route in session.routes] == [net]
        assert (session.announced, session.hold_time, session.fault) == (1, 9, None)
        assert seen[kind].routes == (net,)
        assert f"{net} via 169.254.{number}.2 dev {_link(bed, kind)} proto bird" in table(bed)
    assert seen["static"].bgp is None
    assert bed.look().applied_generation == bed.desired().generation


def _link(bed: Bed, kind: str) -> str:
    return tunnels.name(bed.specs[kind].if_id)


def test_pings_cross_both_ways_in_esp_alone(bed: Bed):
    for kind in bed.specs:
        with sites.capturing(bed.world.wan, bed.wire) as packets:
            assert reached(bed.world.vpc_host, host(bed.number(kind)))
            assert reached(bed.devices[kind].host, sites.VPC_HOST)
        assert not in_clear(packets)
        assert {packet.kind for packet in packets} & {"esp"}


def test_segments_of_bgp_are_short(bed: Bed):
    """A path that drops large packets carries the session nevertheless."""
    command = ["ip", "netns", "exec", bed.name, "ss", "-tniH", "state", "established"]
    sockets = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    sizes = [int(size) for size in re.findall(r"\bmss:(\d+)", sockets)]
    assert sizes
    assert max(sizes) <= 1000


def test_a_change_of_another_connection_ends_no_session(bed: Bed):
    before, process = look(bed), pid(bed)
    spec = bed.specs["frr"]
    bed.specs["frr"] = specs.changed(spec, ha_role="slave")
    bed.specs["static"] = specs.changed(bed.specs["static"], peer_subnets=(lan(2), "192.168.99.0/24"))
    bed.settle()
    after = look(bed)
    for kind in INNER:
        assert is_up(after, kind)
        assert since(after, kind) == since(before, kind)
    assert after["frr"].applied_generation == spec.generation + 1
    assert pid(bed) == process


def test_a_static_route_wins_over_a_learned_one(bed: Bed):
    net, spec = lan(bed.number("bird")), bed.specs["static"]
    bed.specs["static"] = specs.changed(spec, peer_subnets=(lan(2), net))
    bed.settle()
    assert f"dev {_link(bed, 'static')}" in bed.ip(f"route get {host(bed.number('bird'))}")
    assert look(bed)["bird"].routes == ()
    bed.specs["static"] = specs.changed(bed.specs["static"], peer_subnets=(lan(2),))
    bed.settle()
    assert f"dev {_link(bed, 'bird')}" in bed.ip(f"route get {host(bed.number('bird'))}")
    assert look(bed)["bird"].routes == (net,)


def test_a_restarted_landbridge_adopts_bird_and_a_dead_bird_loses_no_route(bed: Bed):
    process, net = pid(bed), lan(bed.number("bird"))
    assert bed.plan() == []  # of a new engine on the same folder
    assert pid(bed) == process
    os.kill(process, signal.SIGKILL)
    sites.wait_for(lambda: not bird.BIRD.is_alive(folder(bed)), "BIRD to be gone")
    assert net in table(bed)
    assert not look(bed)["bird"].applied_generation
    wait_until(bed, lambda seen: all(is_up(seen, kind) for kind in INNER))
    bed.settle()
    assert pid(bed) != process
    for kind in INNER:
        assert reached(bed.devices[kind].host, sites.VPC_HOST)


def test_the_last_session_takes_bird_and_its_routes_along(bed: Bed):
    gone = {kind: bed.specs.pop(kind) for kind in INNER}
    bed.settle()
    assert not bird.BIRD.is_alive(folder(bed))
    assert table(bed) == ""
    assert names.LEARNED_TABLE not in {int(found) for found in re.findall(r"lookup (\d+)", bed.ip("rule"))}
    assert gone
