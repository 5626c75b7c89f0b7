"""What is known of tunnels that stand, on a kernel with ESP: when packets passed, whether the device lives, whether it has the key."""

from collections.abc import Iterator

import pytest

from lab import managed_gateway, sites, specs
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


def _has_carried(seen: model.ConnectionObservation) -> bool:
    return any(child.last_in_at and child.last_out_at for child in seen.children)
