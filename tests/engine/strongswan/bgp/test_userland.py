"""A connection of style bgp on the userland data plane, with its agent: the device is a strongSwan and a BIRD, both configured by hand.

At the end of the file both are configured with our own printed texts.
"""

import dataclasses
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lab import birds, managed_gateway, sites, specs
from landbridge import model, peerconfig
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.bgp import bird
from landbridge.engine.strongswan.engine import StrongSwan

pytestmark = pytest.mark.tunnel

OURS, THEIRS = "169.254.70.1", "169.254.70.2"
HOST = "192.168.44.10"
#: What the connection declares: the device announces a part of it, and what lies outside is not taken.
DECLARED, OUTSIDE = "192.168.0.0/16", "172.16.5.0/24"


class Bgp:
    """The gateway with its agent, and the device."""

    def __init__(self, managed: managed_gateway.ManagedGateway, undo: ExitStack) -> None:
        self.managed = managed
        tunnel = sites.Tunnel(
            gateway=sites.EIPS[0], psk=specs.PSK, pairs=((DECLARED, sites.VPC), (f"{THEIRS}/32", f"{OURS}/32"))
        )
        device = managed.world.add_device(tunnel, inner=f"{THEIRS}/32")
        self.device = birds.Bird(
            namespace=device.namespace,
            folder=device.folder / "bird",
            address=THEIRS,
            peer=OURS,
            routes=(sites.LAN, OUTSIDE),
            link="",
        )
        self.host = device.host
        self.spec = dataclasses.replace(
            specs.connection(
                device.address,
                style="bgp",
                peer_subnets=(DECLARED,),
                tunnel_local_address=f"{OURS}/30",
                tunnel_peer_address=f"{THEIRS}/30",
            ),
            peer_asn=65001,
        )
        undo.callback(self.device.stop, kill=True)
        self.device.start()

    @property
    def folder(self):
        return self.managed.world.folder / "engine" / names.short(self.managed.gateway.id)

    def pids(self) -> set[int]:
        """Of its BIRD."""
        command = ["ip", "netns", "pids", names.namespace(self.managed.gateway.id)]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return {pid for pid in map(int, found.split()) if bird.BIRD.is_run_by(pid)}

    def send(self, number: int) -> None:
        """Sends its BIRD the signal, and waits for another one in its place."""
        (pid,) = self.pids()
        os.kill(pid, number)
        sites.wait_for(lambda: (now := self.pids()) and pid not in now, "another BIRD")

    def wait_for_session(self) -> model.ConnectionObservation:
        self.managed.wait_for(is_up, "the session")
        assert self.managed.last is not None
        return self.managed.last


def is_up(seen: model.ConnectionObservation) -> bool:
    return seen.bgp is not None and seen.bgp.state == "established" and seen.bgp.accepted == 1


@pytest.fixture
def bgp() -> Iterator[Bgp]:
    with managed_gateway.managed() as managed, ExitStack() as undo:
        made = Bgp(managed, undo)
        managed.want(made.spec)
        yield made


def test_a_session_comes_up_says_what_it_learned_and_survives_a_death_of_bird(bgp: Bgp):
    seen = bgp.wait_for_session()
    assert seen.bgp is not None
    assert (seen.bgp.received, seen.bgp.announced, seen.bgp.fault) == (2, 1, None)
    assert seen.bgp.routes == (model.BgpRoute(prefix=sites.LAN, next_hop=THEIRS, as_path=(65001,), origin="igp"),)
    assert seen.applied_generation == bgp.spec.generation
    bgp.managed.wait_for(lambda now: now.bgp and now.bgp.bfd == "up", "BFD")
    assert bgp.device.learned() == {sites.VPC}
    assert sites.ping(bgp.managed.world.vpc_host, HOST)
    assert sites.ping(bgp.host, sites.VPC_HOST)

    restarted = StrongSwan(bgp.managed.world.folder, bgp.managed.world.site("vpc-1"))
    observed = restarted.observe(bgp.managed.gateway.id)
    desired = bgp.managed.source.wanted
    prepared = restarted.prepare(bgp.managed.gateway.id, desired, observed)
    assert list(restarted.plan(bgp.managed.gateway.id, prepared, observed)) == []

    for number in (signal.SIGKILL, signal.SIGSTOP):
        bgp.send(number)
        bgp.wait_for_session()

    bgp.device.change(asn=65010)
    bgp.managed.wait_for(
        lambda now: now.bgp and now.bgp.fault and now.bgp.fault.code == "wrong_device_asn", "the fault"
    )
    assert bgp.managed.last is not None
    assert bgp.managed.last.bgp is not None
    assert bgp.managed.last.bgp.fault is not None
    assert bgp.managed.last.bgp.fault.asn == 65010

    bgp.managed.want()
    sites.wait_for(lambda: not bird.BIRD.is_alive(bgp.folder), "BIRD to end with the last connection that needs it")


#: Around the printed text, as the text asks for it. What is behind the device is a route of an interface.
BIRD_CONF = """\
log "{folder}/bird.log" all;
router id {address};
protocol device {{ }}
protocol direct {{ ipv4; interface "lan", "ipsec0"; }}
protocol kernel {{ ipv4 {{ export where source = RTS_BGP; }}; }}
"""


class PrintedBird(birds.Bird):
    text = ""

    def _write(self) -> None:
        around = BIRD_CONF.format(folder=self.folder, address=self.address)
        (self.folder / "bird.conf").write_text(around + self.text)


def test_a_device_with_our_printed_texts_has_a_session_and_routes():
    """It dials in, so its own selectors decide. This kernel has no XFRM interface: the inner address is on the TUN of the device's charon."""
    names_of_ends = {
        "local_id_type": "fqdn",
        "local_id": "hq.example",
        "peer_id_type": "fqdn",
        "peer_id": "branch.example",
    }
    with managed_gateway.managed() as managed, ExitStack() as undo:
        device = managed.world.add_device()
        sites.ip(device.namespace, f"address add {THEIRS}/30 dev ipsec0")
        spec = specs.connection(
            None,
            style="bgp",
            ike_policy=specs.ike_policy(**names_of_ends),
            peer_subnets=(sites.LAN,),
            tunnel_local_address=f"{OURS}/30",
            tunnel_peer_address=f"{THEIRS}/30",
        )
        side = peerconfig.side_of(
            spec.connection,
            managed.gateway,
            specs.customer_gateway(id_type="fqdn", id_value="branch.example"),
            network=managed.world.network("vpc-1"),
            plane="userland",
            psk=spec.psk,
        )
        texts = [
            str(peerconfig.render(family, side)) for name in ("strongswan", "bird") if (family := peerconfig.find(name))
        ]
        device.load_text(texts[0])
        speaker = PrintedBird(namespace=device.namespace, folder=device.folder / "bird", address=THEIRS, peer=OURS)
        speaker.text = texts[1]
        undo.callback(speaker.stop, kill=True)
        speaker.start()
        managed.want(dataclasses.replace(spec, peer_asn=65001))
        managed.wait_for(is_up, "the session")
        sites.wait_for(lambda: speaker.learned() == {sites.VPC}, "our subnet to be learned")
        assert sites.ping(managed.world.vpc_host, HOST)
        assert sites.ping(device.host, sites.VPC_HOST)
