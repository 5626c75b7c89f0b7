"""All peers of a gateway lose their tunnels in one moment, and come back with one SA each while the API answers. `make bench-dataplane` does the same
with 500 peers.
"""

from collections.abc import Callable, Iterator

import pytest

from lab import fleet, reconnect, sites

pytestmark = pytest.mark.tunnel

PEERS = 30


@pytest.fixture(scope="module")
def made() -> Iterator[fleet.Fleet]:
    with fleet.fleet(1, PEERS, at_once=False, LANDBRIDGE_ENGINE_PROVE_PFS="false") as found:
        sites.wait_for(lambda: reconnect.is_whole(found), "all tunnels to be up", seconds=fleet.PATIENCE)
        yield found


@pytest.mark.parametrize("restart", [reconnect.restart_devices, reconnect.kill_charon])
def test_each_peer_has_one_tunnel_again_and_the_api_answers_meanwhile(
    made: fleet.Fleet, restart: Callable[[fleet.Fleet], reconnect.Reconnect]
):
    seen = restart(made)
    assert seen.failed_answers == 0
    assert PEERS <= seen.first_messages <= 4 * PEERS  # each peer may be asked for a cookie, or be late once
    assert sites.ping(made.world.vpc_host, sites.lan_host(PEERS - 1))
