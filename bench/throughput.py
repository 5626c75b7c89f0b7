"""iperf3 from host to host: through a gateway of the engine and through two strongSwans that are configured by hand, on the same data plane."""

import contextlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lab import cycles, iperf, sites, specs
from landbridge import model
from landbridge.engine.strongswan.engine import StrongSwan

#: Seconds that a step may take in a virtual machine.
PATIENCE = 180
#: Behind the two devices of the floor.
BARE_LANS = ("192.168.50.0/24", "192.168.60.0/24")
#: The second address of the device that has two tunnels, and the address of its LAN's host.
SECOND, HOST = "198.51.100.130", "192.168.44.10"
EVERYTHING = (("0.0.0.0/0", "0.0.0.0/0"),)
STREAMS = 8


@dataclass
class Gateway:
    """A gateway of an engine, without a service."""

    world: sites.World
    engine: StrongSwan
    gateway: model.VpnGateway

    @property
    def in_kernel(self) -> bool:
        return self.engine.describe()["data_plane"] == "kernel"

    def settle(self, *connections: model.DesiredConnection) -> None:
        """Until the connections are up, and nothing is left to do."""
        desired = specs.desired(*connections, network=self.world.network("vpc-1"), of=self.gateway)

        def done(seen: model.Observation) -> bool:
            return cycles.all_up(seen) and not cycles.plan(self.engine, self.gateway.id, desired)

        cycles.until(self.engine, self.gateway.id, desired, done, seconds=PATIENCE)


@contextlib.contextmanager
def _gateway() -> Iterator[Gateway]:
    with sites.World() as world:
        engine = StrongSwan(world.folder, world.site("vpc-1"))
        try:
            yield Gateway(world, engine, specs.gateway(ha_mode="active-active"))
        finally:
            engine.stop_all()


def through_planes(runs: int, seconds: int) -> None:
    """One TCP stream through this machine's data plane."""
    with _gateway() as ours:
        device = ours.world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK), in_kernel=ours.in_kernel)
        ours.settle(specs.connection(device.address))
        near, far = _by_hand(ours.world, in_kernel=ours.in_kernel)
        bare_host = BARE_LANS[1].replace(".0/24", ".10")
        _show(
            f"throughput on the data plane {ours.engine.describe()['data_plane']}",
            ("by strongSwan alone", lambda: iperf.measure(near.host, far.host, bare_host, seconds=seconds)),
            lambda: iperf.measure(ours.world.vpc_host, device.host, HOST, seconds=seconds),
            runs,
        )


def _by_hand(world: sites.World, *, in_kernel: bool) -> tuple[sites.Device, sites.Device]:
    """Two devices with a tunnel between them."""
    near = world.add_device(lans=BARE_LANS[:1], in_kernel=in_kernel)
    far = world.add_device(
        sites.Tunnel(gateway=near.address, psk=specs.PSK, pairs=((BARE_LANS[1], BARE_LANS[0]),)),
        lans=BARE_LANS[1:],
        in_kernel=in_kernel,
    )
    near.load(sites.Tunnel(gateway=far.address, psk=specs.PSK, pairs=(BARE_LANS,)))
    near.swanctl("--initiate", "--child", "hq-0")
    return near, far


def by_ecmp(runs: int, seconds: int) -> None:
    """Eight TCP streams through two tunnels that share the traffic, and through one. On the kernel data plane."""
    with _gateway() as ours:
        addresses = ("198.51.100.2", SECOND)
        tunnels = [
            sites.Tunnel(
                gateway=sites.EIPS[at], psk=specs.PSK, name=f"t{at + 1}", pairs=EVERYTHING, address=each, if_id=at + 1
            )
            for at, each in enumerate(addresses)
        ]
        device = ours.world.add_device(*tunnels, addresses=addresses[1:], in_kernel=True)
        for number in (1, 2):
            sites.ip(device.namespace, f"link add t{number} type xfrm if_id {number}")
            sites.ip(device.namespace, f"address add 169.254.7{number}.2/30 dev t{number}")
            sites.ip(device.namespace, f"link set t{number} up")
        connections = [
            specs.connection(
                address,
                endpoint=number,
                gateway_endpoint=f"eip-{9 + number}",
                tunnel_local_address=f"169.254.7{number}.1/30",
                tunnel_peer_address=f"169.254.7{number}.2/30",
            )
            for number, address in enumerate(addresses, 1)
        ]

        def rate(count: int) -> float:
            hops = " ".join(f"nexthop dev t{number}" for number in range(1, count + 1))
            sites.ip(device.namespace, f"route replace {sites.VPC} {hops}")
            ours.settle(*connections[:count])
            return iperf.measure(ours.world.vpc_host, device.host, HOST, seconds=seconds, streams=STREAMS)

        _show("two tunnels by ECMP", ("one tunnel", lambda: rate(1)), lambda: rate(2), runs)


def _show(what: str, floor: tuple[str, Callable[[], float]], measure: Callable[[], float], runs: int) -> None:
    """In turns."""
    found = [(floor[1](), measure()) for _ in range(runs)]
    ratio = statistics.median(one / other for other, one in found)
    print(
        f"{what}: {_median([one for _, one in found]):.0f} Mbit/s, {floor[0]} {_median([one for one, _ in found]):.0f}"
        f" Mbit/s: {ratio:.2f} times ({', '.join(f'{one:.0f}/{other:.0f}' for other, one in found)})",
        flush=True,
    )


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)
