"""Hosts send through a tunnel while its keys change, and no packet is lost."""

import time

import pytest

from lab import both_ends, pinging, sas

pytestmark = pytest.mark.tunnel


@pytest.mark.parametrize("who", ["device", "gateway"])
@pytest.mark.parametrize("version", ["v2", "v1"])
def test_no_packet_is_lost_while_keys_change(version: str, who: str):
    """In IKEv1 the initiator uses the new CHILD_SA when it has sent the last message, and the responder has not computed its keys by then."""
    with both_ends.running(version) as ends:
        end = ends.there if who == "device" else ends.here
        assert ends.carries()
        before = sas.read(ends.here.uri)[0].spis
        with pinging.pinging(ends.managed.world.vpc_host, both_ends.HOSTS[0], 100) as pings:
            pings.wait_for_more(1)
            for requests in (end.rekey_children(), end.rekey_ike() if version == "v2" else [], end.rekey_children()):
                end.ask(requests)
                pings.wait_for_more(80)
        assert sas.read(ends.here.uri)[0].spis.isdisjoint(before)
        with pinging.pinging(ends.managed.world.vpc_host, both_ends.HOSTS[0], 100) as afterwards:
            afterwards.wait_for_more(80)
        assert not afterwards.lost
        assert version == "v1" or not pings.lost


#: Seconds, of the IKE policy and of the IPsec policy: the shortest that the API allows.
LIFETIMES = (60, 30)


@pytest.mark.long
@pytest.mark.parametrize("rekey", [3600, 27], ids=["the gateway rekeys", "both ends rekey"])
def test_no_packet_is_lost_while_lifetimes_end(rekey: int):
    """Each CHILD_SA is replaced twice, and the IKE_SA once."""
    with both_ends.running("v2", lifetimes=LIFETIMES, rekey=rekey) as ends:
        assert ends.carries()
        pings = ends.ping_while_replaced(ike_sas=2, child_sas=3 * len(both_ends.LANS), seconds=4 * LIFETIMES[0])
        assert len(pings.answered) > 1000
        assert not pings.lost
        ends.settle(time.monotonic())
