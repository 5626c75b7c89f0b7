"""Both ends of a tunnel begin, rekey, reauthenticate and end SAs in the same moment, by VICI. Afterwards both must have the same SAs."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import vici

from lab import managed_gateway, pinging, sas, sites, specs
from landbridge import model
from landbridge.engine.strongswan import names

LANS = (sites.LAN, "192.168.45.0/24")
HOSTS = ("192.168.44.10", "192.168.45.10")
#: The shortest timers: an SA that one end has lost is found within 16 seconds.
DPD = model.Dpd(interval=10, timeout=2, msg="seq-hash-notify")
#: The device's: it finds such an SA within 34 seconds. It may keep one that charon has ended here: two IKE_SAs are negotiated at once, and the device
#: says in the later one that it has no other (INITIAL_CONTACT, RFC 7296, 2.4).
DEVICE_TRIES = 2
#: Seconds for which both ends must have the same, and in which they come to that; see `redundant_sas`.
STEADY, PATIENCE = 2.0, 60.0

#: The remote selectors of the gateway's CHILD_SAs, and of the device's.
_FAR, _NEAR = {(lan,) for lan in LANS}, {(sites.VPC,)}

Request = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class End:
    """A charon, and the names of its connection and of its children."""

    uri: str
    ike: str
    children: tuple[str, ...]

    def rekey_children(self) -> list[Request]:
        return [("rekey", {"child": child}) for child in self.children]

    def rekey_ike(self) -> list[Request]:
        return [("rekey", {"ike": self.ike})]

    def reauthenticate(self) -> list[Request]:
        return [("rekey", {"ike": self.ike, "reauth": "yes"})]

    def initiate(self) -> list[Request]:
        return [("initiate", {"ike": self.ike, "child": child, "timeout": "-1"}) for child in self.children]

    def terminate(self) -> list[Request]:
        return [("terminate", {"ike": self.ike, "force": "yes", "timeout": "-1"})]

    def ask(self, requests: Sequence[Request]) -> None:
        """In their order. A request about an SA that is gone is refused, which is no fault."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(self.uri.removeprefix("unix://"))
            session = vici.Session(connection)
            for command, message in requests:
                with contextlib.suppress(vici.exception.CommandException):
                    list(getattr(session, command)(message) or ())


#: What happens in one moment -> what each end does then: (gateway, device).
MOMENTS: dict[str, Callable[[End, End], tuple[list[Request], list[Request]]]] = {
    "CHILD_SAs are rekeyed by both": lambda us, it: (us.rekey_children(), it.rekey_children()),
    "the IKE_SA is rekeyed by both": lambda us, it: (us.rekey_ike(), it.rekey_ike()),
    "the IKE_SA here, CHILD_SAs there": lambda us, it: (us.rekey_ike(), it.rekey_children()),
    "CHILD_SAs here, the IKE_SA there": lambda us, it: (us.rekey_children(), it.rekey_ike()),
    "all by both": lambda us, it: (us.rekey_children() + us.rekey_ike(), it.rekey_ike() + it.rekey_children()),
    "both initiate beside what is up": lambda us, it: (us.initiate(), it.initiate()),
    "both end it": lambda us, it: (us.terminate(), it.terminate()),
    "both end it and initiate": lambda us, it: (us.terminate() + us.initiate(), it.terminate() + it.initiate()),
    "both reauthenticate": lambda us, it: (us.reauthenticate(), it.reauthenticate()),
}
#: Not in IKEv1: where both ends rekey and reauthenticate in the same second, charon's rekey hangs, and the CHILD_SA stays until its lifetime ends.
ALL = "all by both"


@dataclass
class BothEnds:
    managed: managed_gateway.ManagedGateway
    device: sites.Device
    here: End
    there: End
    is_v1: bool

    @property
    def moments(self) -> list[str]:
        """The moments after which both ends agree in time."""
        return [moment for moment in MOMENTS if not (self.is_v1 and moment == ALL)]

    def at_once(self, moment: str) -> float:
        """Returns the seconds until both ends had the same SAs for good, one of each pair of selectors. In IKEv1 a rekey by both leaves two, until
        charon would rekey one of them, and each that one end uses is known to the other. Raises TimeoutError, with the SAs of both ends.
        """
        together = threading.Barrier(2)

        def act(end: End, requests: list[Request]) -> None:
            together.wait()
            end.ask(requests)

        asked = zip((self.here, self.there), MOMENTS[moment](self.here, self.there), strict=True)
        threads = [threading.Thread(target=act, args=each) for each in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.settle(time.monotonic())

    def outage(self) -> float:
        """Cuts the path until the gateway has found the device dead and dials it, and mends it. Returns and raises as `at_once` does."""
        self.managed.world.cut(self.device.address)
        try:
            self.managed.wait_for(managed_gateway.is_down, "the device to be dead")
        finally:
            self.managed.world.mend()
        return self.settle(time.monotonic())

    def carries(self) -> bool:
        """Whether a host in each LAN of the device answers."""
        return all(sites.ping(self.managed.world.vpc_host, host) for host in HOSTS)

    def ping_while_replaced(self, *, ike_sas: int, child_sas: int, seconds: float, rate: float = 100) -> pinging.Pings:
        """Pings the first LAN `rate` times a second until so many SAs have been seen, replaced ones included, and 15 seconds more: what was
        replaced has ended by then. Raises TimeoutError after `seconds`.
        """
        of_ike: set[tuple[str, str]] = set()
        of_children: set[frozenset[str]] = set()

        def are_seen() -> bool:
            for sa in sas.read(self.here.uri):
                of_ike.add(sa.ike_spis)
                of_children.update(child.spis for child in sa.children)
            return len(of_ike) >= ike_sas and len(of_children) >= child_sas

        with pinging.pinging(self.managed.world.vpc_host, HOSTS[0], rate) as pings:
            sites.wait_for(are_seen, "SAs that are replaced", seconds=seconds)
            time.sleep(15)
        return pings

    def settle(self, began: float) -> float:
        """Waits until both ends have had the same SAs for STEADY seconds. `began`: a time of the monotonic clock. Returns and raises as `at_once` does."""
        since: float | None = None
        while since is None or time.monotonic() < since + STEADY:
            if not self._agree():
                since = None
            elif since is None:
                since = time.monotonic()
            if time.monotonic() > began + PATIENCE * sites.SLOWNESS:
                raise TimeoutError(f"here: {sas.read(self.here.uri)}; there: {sas.read(self.there.uri)}")
            time.sleep(0.2)
        return since - began

    def _agree(self) -> bool:
        ours, its = sas.read(self.here.uri), sas.read(self.there.uri)
        if (_remotes(ours), _remotes(its)) != (_FAR, _NEAR):
            return False
        if len(ours) != 1 or [sa.ike_spis for sa in ours] != [sa.ike_spis for sa in its]:
            return False
        if self.is_v1:
            return _spis(ours) <= _all_spis(its) and _spis(its) <= _all_spis(ours)
        return _spis(ours) == _spis(its) and len(ours[0].children) == len(LANS)


def _remotes(end: list[sas.Sa]) -> set[tuple[str, ...]]:
    return {child.remote_ts for sa in end for child in sa.children}


def _spis(end: list[sas.Sa]) -> set[frozenset[str]]:
    return {child.spis for sa in end for child in sa.children}


def _all_spis(end: list[sas.Sa]) -> set[frozenset[str]]:
    return _spis(end) | {child.spis for sa in end for child in sa.replaced}


@contextlib.contextmanager
def running(
    version: str, *, in_kernel: bool = False, lifetimes: tuple[int, int] = (86400, 3600), **rekeys: Any
) -> Iterator[BothEnds]:
    """A tunnel with two pairs of selectors that is up, an agent at its work, and a device that begins nothing by itself. `lifetimes`: seconds, of the
    IKE policy and of the IPsec policy; `rekeys`: when the device rekeys, as fields of `sites.Tunnel`.
    """
    pairs = tuple((lan, sites.VPC) for lan in LANS)
    is_v1 = version == "v1"
    tunnel = sites.Tunnel(
        gateway=sites.EIPS[0],
        psk=specs.PSK,
        version=1 if is_v1 else 2,
        pairs=pairs,
        proposals="aes128-sha256-modp2048",
        dpd=DPD.interval,
        **rekeys,
    )
    ike = specs.ike_policy(
        version=version,
        negotiation_mode="main" if is_v1 else None,
        dpd=DPD,
        dh_group="group14",
        lifetime_seconds=lifetimes[0],
    )
    ipsec = specs.ipsec_policy(lifetime_seconds=lifetimes[1])
    with managed_gateway.managed() as managed:
        device = managed.world.add_device(tunnel, lans=LANS, in_kernel=in_kernel, retransmit_tries=DEVICE_TRIES)
        rules = (specs.policy(1, sites.VPC, *LANS),)
        spec = specs.connection(
            style="policy", peer_subnets=None, policy_rules=rules, ike_policy=ike, ipsec_policy=ipsec
        )
        managed.want(spec)
        managed.wait_for(lambda seen: managed_gateway.is_up(seen) and len(seen.children) == len(LANS), "the tunnel")
        uri = f"unix://{managed.world.folder}/engine/{names.short(managed.gateway.id)}/charon.vici"
        [ours] = sas.read(uri)
        here = End(uri, ours.name, tuple(child.name for child in ours.children))
        there = End(device.uri, tunnel.name, tuple(f"{tunnel.name}-{at}" for at in range(len(LANS))))
        yield BothEnds(managed, device, here, there, is_v1)
