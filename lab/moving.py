"""A device that moves: behind a NAT that gives it another outer port or address while traffic flows through its tunnel in both directions."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from lab import flows, managed_gateway, nat, sites, specs
from landbridge.engine.strongswan.ike import state

HOST = "192.168.44.10"
#: IKE as we want it, and as the device has it.
EXCHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "v2": ({}, {"version": 2}),
    "v1": ({"version": "v1", "negotiation_mode": "aggressive"}, {"version": 1, "aggressive": True}),
}
_SUITE = "aes128-sha256-modp2048"


def moves(version: str, *, in_kernel: bool, dpd: int) -> Iterator[float]:
    """For each of `nat.LATER`, the longest time in seconds in which a flow had no answer. `dpd`: of the device, in seconds. Raises TimeoutError where
    the traffic does not come back, and AssertionError when it comes back in another tunnel than the one of before.
    """
    with _dialled_in(version, in_kernel=in_kernel, dpd=dpd) as (managed, device):
        for mapping in nat.LATER:
            yield _move(managed, device, mapping)


def _move(managed: managed_gateway.ManagedGateway, device: sites.Device, mapping: nat.Mapping) -> float:
    before = _sa(managed)
    with (
        flows.flowing(managed.world.vpc_host, device.host, HOST, count=1) as out,
        flows.flowing(device.host, managed.world.vpc_host, sites.VPC_HOST, count=1) as back,
    ):
        both = [*out, *back]
        sites.wait_for(lambda: all(flow.answers(0) for flow in both), "traffic in both directions")
        moved = time.monotonic()
        nat.translate(managed.world, device, mapping)
        sites.wait_for(lambda: all(flow.answers(moved + 0.5) for flow in both), "traffic by the later mapping")
        end = time.monotonic()
    after = _sa(managed)
    assert (after.peer_address, after.spis) == (mapping.address, before.spis)
    managed.agent.nudge({managed.gateway.id})
    managed.wait_for(lambda seen: seen.peer_address == mapping.address, "a report of the later address")
    return max(flow.silence(moved - 1, end) for flow in both)


@contextlib.contextmanager
def _dialled_in(
    version: str, *, in_kernel: bool, dpd: int
) -> Iterator[tuple[managed_gateway.ManagedGateway, sites.Device]]:
    """A connection that waits for its device, which has dialled in."""
    ours, its = EXCHANGES[version]
    ids = {"local_id_type": "fqdn", "local_id": "hq.example", "peer_id_type": "fqdn", "peer_id": "branch.example"}
    tunnel = sites.Tunnel(
        gateway=sites.EIPS[0],
        psk=specs.PSK,
        local_id="branch.example",
        remote_id="hq.example",
        proposals=_SUITE,
        dpd=dpd,
        **its,
    )
    with managed_gateway.managed() as managed:
        device = managed.world.add_device(tunnel, in_kernel=in_kernel)
        nat.translate(managed.world, device, nat.FIRST)
        managed.want(specs.connection(None, ike_policy=specs.ike_policy(dh_group="group14", **ids, **ours)))
        managed.wait_for(lambda seen: seen.waits_for_peer, "the connection to be loaded")
        device.swanctl("--initiate", "--child", "hq-0", "--timeout", "60")
        managed.wait_for(managed_gateway.is_up, "the tunnel")
        yield managed, device


def _sa(managed: managed_gateway.ManagedGateway) -> state.IkeSa:
    """The only IKE_SA."""
    [found] = managed.engine.observe(managed.gateway.id).ike.sas
    return found
