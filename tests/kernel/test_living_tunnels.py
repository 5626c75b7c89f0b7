"""What is known of tunnels that stand, on a kernel with ESP: when packets passed, whether the device lives, whether it has the key."""

import dataclasses
import subprocess
from collections.abc import Iterator

import pytest

from lab import managed_gateway, sites, specs, testbed
from landbridge import model
from tests.kernel.beds import PATIENCE

NEW = "Another-Horse-8"
DPD = model.Dpd(interval=10, timeout=10, msg="seq-hash-notify")
POLICIES = {
    "v2": specs.ike_policy(dpd=DPD, dh_group="group14"),
    "v1": specs.ike_policy(version="v1", negotiation_mode="main", dpd=DPD, dh_group="group14"),
}
#: Seconds that a look may take there.
SLOW = 30
HOST = "192.168.44.10"


@pytest.fixture(params=POLICIES)
def tunnel(
    request: pytest.FixtureRequest,
) -> Iterator[tuple[managed_gateway.ManagedGateway, sites.Device, model.DesiredConnection]]:
    """An agent at work, the device, and the connection, which is up and carries."""
    policy = POLICIES[request.param]
    with managed_gateway.managed(prove_pfs=True) as managed:
        device = managed.world.add_device(_tunnel(policy), in_kernel=True)
        spec = specs.connection(ike_policy=policy)
        managed.want(spec)
        managed.wait_for(managed_gateway.is_up, "the tunnel", seconds=PATIENCE)
        assert sites.ping(managed.world.vpc_host, HOST, wait=PATIENCE)
        yield managed, device, spec


def _tunnel(policy: model.IkePolicy, psk: str = specs.PSK) -> sites.Tunnel:
    return sites.Tunnel(
        gateway=sites.EIPS[0], psk=psk, version=int(policy.version[1]), proposals="aes128-sha256-modp2048"
    )


def test_a_new_key_is_proved_and_then_a_silent_device_is_dead(
    tunnel: tuple[managed_gateway.ManagedGateway, sites.Device, model.DesiredConnection],
) -> None:
    managed, device, spec = tunnel
    device.load(_tunnel(spec.connection.ike_policy, NEW))
    managed.want(specs.changed(spec, psk=NEW))
    managed.wait_for(
        lambda seen: managed_gateway.is_up(seen) and not seen.is_key_unproved and seen.applied_generation == 2,
        "the key to be proved",
        seconds=PATIENCE,
    )
    assert sites.ping(managed.world.vpc_host, HOST, wait=PATIENCE)
    managed.agent.nudge({managed.gateway.id})
    managed.wait_for(_has_carried, "a look that knows of the packets")
    managed.world.cut(device.address)
    took = managed.wait_for(managed_gateway.is_down, "the device to be dead", seconds=PATIENCE)
    assert 3 * DPD.timeout <= took <= DPD.interval + 3 * DPD.timeout + SLOW  # the silence began before the cut
    managed.world.mend()
    managed.wait_for(managed_gateway.is_up, "the tunnel to be back", seconds=PATIENCE)
    assert sites.ping(managed.world.vpc_host, HOST, wait=PATIENCE)


#: An address that the device has no route to, and rules of the device: it says so, and it loses large ESP packets.
NOWHERE = "192.168.44.77"
FAULTS = f"""table inet fault {{
  chain forward {{ type filter hook forward priority 0; policy accept; ip daddr {NOWHERE} reject with icmp type net-unreachable; }}
  chain input {{ type filter hook input priority -10; policy accept; meta l4proto {{ esp, udp }} meta length > 1200 drop; }}
}}
"""


def test_a_missing_route_and_a_path_that_drops_large_packets_are_told() -> None:
    with managed_gateway.managed() as managed:
        device = managed.world.add_device(_tunnel(POLICIES["v2"]), in_kernel=True)
        spec = specs.connection(ike_policy=POLICIES["v2"])
        managed.want(spec)
        managed.wait_for(managed_gateway.is_up, "the tunnel", seconds=PATIENCE)
        testbed.nft(device.namespace, FAULTS)
        ping = ["ip", "netns", "exec", managed.world.vpc_host, "ping", "-q", "-c", "5", "-i", "0.2", "-W", "1"]
        subprocess.run([*ping, NOWHERE], check=False)
        assert sites.ping(managed.world.vpc_host, HOST, wait=PATIENCE)
        managed.want(dataclasses.replace(spec, probe=model.ProbeOrder(id="order-1", path=True)))
        managed.wait_for(lambda seen: seen.refused_packets, "the refused packets", seconds=PATIENCE)
        assert managed.last is not None
        [refused] = managed.last.refused_packets
        assert (refused.destination, refused.code, refused.packets) == (NOWHERE, 0, 5)
        managed.wait_for(lambda _: managed.source.last and managed.source.last.probes, "the check", seconds=PATIENCE)
        assert managed.source.last is not None
        [probe] = managed.source.last.probes
        assert probe.path is not None
        assert (probe.id, probe.path.outcome) == ("order-1", "black_hole")
        assert probe.path.passed is not None
        assert 1000 < probe.path.passed < 1200


def _has_carried(seen: model.ConnectionObservation) -> bool:
    return any(child.last_in_at and child.last_out_at for child in seen.children)
