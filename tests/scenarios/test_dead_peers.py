"""When a device is dead, by the two DPD timers of the API, and how soon a tunnel is back."""

import pytest

from lab import agents, sites, specs
from landbridge import model

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
#: Of the API's shortest timers: 10 s without a packet, and then three times 2 s.
SHORTEST = model.Dpd(interval=10, timeout=2, msg="seq-hash-notify")
DEAD_AFTER = 16.0
#: charon counts in whole seconds; the look that finds it takes its time under load.
SLACK = 4.0


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_device_is_dead_when_the_timers_say_so_and_back_when_its_path_is(version: str):
    with agents.working() as worked:
        device = worked.world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, version=int(version[1])))
        mode = "main" if version == "v1" else None
        worked.want(specs.connection(ike_policy=specs.ike_policy(version=version, negotiation_mode=mode, dpd=SHORTEST)))
        worked.wait_for(agents.is_up, "the tunnel")
        assert sites.ping(worked.world.vpc_host, HOST)
        worked.world.cut(device.address)
        down = worked.wait_for(agents.is_down, "the device to be dead")
        assert DEAD_AFTER - 1 <= down <= DEAD_AFTER + SLACK
        worked.world.mend()
        back = worked.wait_for(agents.is_up, "the tunnel to be back")
        assert back <= 10 + SLACK
        assert sites.ping(worked.world.vpc_host, HOST)
