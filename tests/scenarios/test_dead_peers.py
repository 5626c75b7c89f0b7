"""When a device is dead, by the two DPD timers of the API, and how soon a tunnel is back."""

import time

import pytest

from lab import managed_gateway, sites, specs
from landbridge import model
from landbridge.engine.strongswan.ike import planning, retries
from landbridge.status import causes, rule_context

pytestmark = pytest.mark.tunnel

HOST = "192.168.44.10"
#: Of the API's shortest timers: 10 s without a packet, and then three times 2 s.
SHORTEST = model.Dpd(interval=10, timeout=2, msg="seq-hash-notify")
DEAD_AFTER = 16.0
#: What a busy machine may take besides. charon alone gives a device up after 165 s.
SLACK = 60.0


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_device_is_dead_when_the_timers_say_so_and_back_when_its_path_is(version: str):
    with managed_gateway.managed() as managed:
        device = managed.world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, version=int(version[1])))
        mode = "main" if version == "v1" else None
        spec = specs.connection(ike_policy=specs.ike_policy(version=version, negotiation_mode=mode, dpd=SHORTEST))
        managed.want(spec)
        managed.wait_for(managed_gateway.is_up, "the tunnel")
        before = time.monotonic()  # the last packet of the device comes later
        assert sites.ping(managed.world.vpc_host, HOST)
        managed.world.cut(device.address)
        down = managed.wait_for(managed_gateway.is_down, "the device to be dead")
        assert down <= DEAD_AFTER + SLACK
        assert time.monotonic() - before >= DEAD_AFTER - 1  # charon counts in whole seconds
        managed.wait_for(lambda seen: _causes(spec, seen) == [("peer_dead", True)], "the cause", seconds=SLACK)
        managed.world.mend()
        back = managed.wait_for(managed_gateway.is_up, "the tunnel to be back")
        assert back <= 10 + SLACK
        assert sites.ping(managed.world.vpc_host, HOST)


@pytest.mark.parametrize("rekeyed", [False, True], ids=["began by the device", "rekeyed"])
def test_a_device_is_dead_in_time_when_it_is_asked_for_the_first_time(rekeyed: bool):
    """In the IKE_SA that the device began, and in one that a rekey made, the first request of ours is a DPD request with the number 0."""
    with managed_gateway.managed() as managed:
        device = managed.world.add_device(
            sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, local_id="branch.example", start=True)
        )
        ike_policy = specs.ike_policy(dpd=SHORTEST, peer_id_type="fqdn", peer_id="branch.example")
        managed.want(specs.connection(None, ike_policy=ike_policy))
        device.swanctl("--initiate", "--child", "hq-0", "--timeout", "30")
        managed.wait_for(managed_gateway.is_up, "the tunnel")
        if rekeyed:
            before = _unique_id(managed)
            device.swanctl("--rekey", "--ike", "hq")
            sites.wait_for(lambda: _unique_id(managed) not in (None, before), "another IKE_SA")
        managed.world.cut(device.address)
        down = managed.wait_for(managed_gateway.is_down, "the device to be dead")
        assert down <= DEAD_AFTER + SLACK


def _unique_id(managed: managed_gateway.ManagedGateway) -> str | None:
    """Of the only IKE_SA."""
    found = managed.engine.observe(managed.gateway.id).ike.sas
    return found[0].unique_id if len(found) == 1 else None


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_tunnel_is_up_soon_after_port_4500_is_open_again(monkeypatch: pytest.MonkeyPatch, version: str):
    """By then the device has forgotten the negotiation that began before. Both sides are patient for a shorter time than usually."""
    monkeypatch.setattr(planning, "NEGOTIATION_TIMEOUT", 6.0)
    with managed_gateway.managed() as managed:
        tunnel = sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK, version=int(version[1]))
        device = managed.world.add_device(tunnel, half_open_timeout=7)
        managed.world.cut(device.address, port=4500)
        mode = "main" if version == "v1" else None
        spec = specs.connection(ike_policy=specs.ike_policy(version=version, negotiation_mode=mode))
        managed.want(spec)
        managed.wait_for(lambda seen: _causes(spec, seen) == BLOCKED, "the cause")
        until = time.monotonic() + 15
        while time.monotonic() < until:
            assert _causes(spec, managed.last) == BLOCKED
            time.sleep(0.1)
        managed.wait_for(lambda seen: any(attempt.ended_at for attempt in seen.attempts), "the end of an attempt")
        assert {attempt.outcome for attempt in managed.last.attempts if attempt.ended_at} == {"no_answer"}
        managed.world.mend()
        assert managed.wait_for(managed_gateway.is_up, "the tunnel") <= 10 + SLACK


BLOCKED = [("udp_4500_blocked", True)]


def _causes(spec: model.DesiredConnection, seen: model.ConnectionObservation) -> list[tuple[str, bool]]:
    return [
        (one.code, one.is_certain) for one in causes.rank(rule_context.Context(connection=spec.connection, seen=seen))
    ]


@pytest.mark.parametrize("ended", [("--ike", "hq", "--force"), ("--child", "hq-0")], ids=["IKE_SA", "CHILD_SA"])
def test_what_the_device_ended_is_dialled_at_once(monkeypatch: pytest.MonkeyPatch, ended: tuple[str, ...]):
    """Not at the next tick. Within ten seconds of its own attempt, which is made shorter here, it is left alone."""
    monkeypatch.setattr(retries, "RETRY", 0.5)
    with managed_gateway.managed() as managed:
        device = managed.world.add_device(sites.Tunnel(gateway=sites.EIPS[0], psk=specs.PSK))
        managed.want(specs.connection())
        managed.wait_for(managed_gateway.is_up, "the tunnel")
        time.sleep(1)
        before = _spi(managed.last)
        device.swanctl("--terminate", *ended)
        managed.wait_for(lambda seen: _spi(seen) not in (None, before), "another SA")


def _spi(seen: model.ConnectionObservation | None) -> str | None:
    return seen.children[0].spi_in if seen is not None and seen.children else None
