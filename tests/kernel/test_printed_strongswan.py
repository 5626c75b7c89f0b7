"""strongSwan, used with the text that is printed for it, on a gateway whose kernel does ESP and which asks for 0.0.0.0/0."""

import dataclasses
import functools
from typing import Any

import pytest

from lab import cycles, sites, specs
from landbridge import model, peerconfig
from landbridge.engine.strongswan.engine import StrongSwan

pytestmark = [pytest.mark.tunnel, pytest.mark.timeout(400)]

HOSTS = ("192.168.44.10", "192.168.45.10")
SECOND_LAN = "192.168.45.0/24"
PATIENCE_SECONDS = 180.0
NAMES = {"local_id_type": "fqdn", "local_id": "hq.example", "peer_id_type": "fqdn", "peer_id": "branch.example"}


def printed(spec: model.DesiredConnection, peer: model.CustomerGateway, network: model.Network) -> str:
    side = peerconfig.side_of(spec.connection, specs.gateway(), peer, network=network, plane="kernel", psk=spec.psk)
    device = peerconfig.find("strongswan")
    assert device is not None
    return str(peerconfig.render(device, side))


@pytest.mark.parametrize("named", [False, True], ids=["with-an-address", "dials-in"])
def test_both_subnets_are_carried_again_after_a_reset(named: bool):
    """Without traffic from the device: the gateway asks for everything once, and the device answers with all that it has."""
    with sites.World() as world:
        engine, gateway, network = (
            StrongSwan(world.folder, world.site("vpc-1")),
            specs.gateway(),
            world.network("vpc-1"),
        )
        device = world.add_device(lans=(sites.LAN, SECOND_LAN), in_kernel=True)
        policy: dict[str, Any] = {"ike_policy": specs.ike_policy(**NAMES)} if named else {}
        spec = specs.connection(None if named else device.address, peer_subnets=(sites.LAN, SECOND_LAN), **policy)
        its = {"id_type": "fqdn", "id_value": "branch.example"} if named else {"id_value": device.address}
        try:
            device.load_text(printed(spec, specs.customer_gateway(**its), network))
            for resets in (0, 1, 2):
                spec = dataclasses.replace(spec, resets=resets)
                desired = specs.desired(spec, network=network, of=gateway)
                up = cycles.until(engine, gateway.id, desired, cycles.all_up_as_desired, seconds=PATIENCE_SECONDS)
                assert up.connections[0].missing_pairs == ()
            for host in HOSTS:
                sites.wait_for(functools.partial(sites.ping, world.vpc_host, host), f"a ping to {host}")
        finally:
            engine.stop_all()
