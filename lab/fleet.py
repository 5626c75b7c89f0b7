"""Gateways with many connections each, to devices that are many peers each."""

import contextlib
import selectors
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import vici
from vici.protocol import Message, Packet, Transport

from lab import demo, sas, sites, testbed
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.ike import charon

PSK = "Example-Key-1"
#: Of phase 1 and of the CHILD_SAs. Negotiating costs the daemons little, so that what the service costs besides shows.
POLICIES = {"ikepolicy": {"dh_group": "group19"}, "ipsecpolicy": {"pfs": "group19"}}
PROPOSAL = "aes128-sha256-ecp256"
#: As many as one gateway needs; the tick is the product's own.
SETTINGS = {"LANDBRIDGE_LIMITS_CONNECTIONS_PER_GATEWAY": "100000"}
#: The tunnels of 200 gateways came faster than one device answered: its socket dropped messages, and IKE repeats a message after 2 s.
GATEWAYS_OF_A_DEVICE = 20
#: Seconds that all tunnels get to come up.
PATIENCE = 300.0
#: The network of gateways that share nothing: without a bridge.
_VPC_ID = str(uuid.uuid4())
_VPC = "10.9.0.0/24"
_NETWORK = f"""
[[network]]
id = "{_VPC_ID}"
cidr = "{_VPC}"
"""
#: Two for each gateway.
_EIPS = "100.64.{}.{}"


@dataclass
class Fleet:
    """A service, its gateways with `each` connections, and the devices."""

    world: sites.World
    service: demo.Service
    gateways: list[dict[str, Any]]
    each: int
    devices: list[sites.Device]

    @property
    def count(self) -> int:
        """The number of connections."""
        return len(self.gateways) * self.each

    @property
    def folders(self) -> dict[str, Path]:
        """Of the gateways, by their ids."""
        data = self.service.data / "engine"
        return {gateway["id"]: data / names.short(gateway["id"]) for gateway in self.gateways}

    @property
    def uris(self) -> list[str]:
        """Of the VICI sockets of the gateways' charons."""
        return [f"unix://{charon.CHARON.socket_path(folder)}" for folder in self.folders.values()]

    def sas(self) -> list[sas.Sa]:
        """The established IKE_SAs of all gateways."""
        return [sa for uri in self.uris for sa in sas.read(uri)]

    def tunnels(self, *, start: bool = False) -> tuple[sites.Tunnel, ...]:
        """The connections as the devices have them. `start`: these initiate them."""
        return _tunnels(self.gateways, self.each, start=start)

    @contextlib.contextmanager
    def without_engine(self) -> Iterator[None]:
        """The service answers the API alone in the block, and is stopped afterwards."""
        self.service.stop()
        self.service.engine = "none"
        try:
            self.service.start()
            yield
        finally:
            self.service.stop()
            self.service.engine = "strongswan"

    def take_down(self) -> None:
        """Ends all SAs and unloads all, also at the devices. The service must be stopped."""
        for folder in self.folders.values():
            with session(folder) as charon_session:
                _empty(charon_session)
        sites.wait_for(
            lambda: not self.sas() and not any(sas.read(one.uri) for one in self.devices), "the SAs to be gone"
        )


def _empty(charon_session: vici.Session) -> None:
    for message in [*charon_session.list_conns()]:
        for name in message:
            charon_session.unload_conn({"name": name})
    for message in [*charon_session.list_sas()]:
        for sa in message.values():
            charon_session.request("terminate", {"ike-id": sa["uniqueid"], "force": "yes", "timeout": "-1"})
    for key in charon_session.get_shared().get("keys", ()):
        charon_session.unload_shared({"id": key})


@contextlib.contextmanager
def session(folder: Path) -> Iterator[vici.Session]:
    """With the charon of a gateway's folder."""
    with charon.CHARON.connect(folder) as connection:
        yield vici.Session(connection)


class Listener:
    """Listens to the events of several charons about CHILD_SAs. To use as a context manager."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._selector = selectors.DefaultSelector()
        self._undo = contextlib.ExitStack()
        self._undo.enter_context(self._selector)
        for folder in folders:
            connection = self._undo.enter_context(charon.CHARON.connect(folder))
            transport = Transport(connection)
            transport.send(Packet.register_event("child-updown"))
            assert Packet.parse(transport.receive()).response_type == Packet.EVENT_CONFIRM
            self._selector.register(connection, selectors.EVENT_READ, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def wait_for_children(self, count: int, *, seconds: float = PATIENCE) -> float:
        """The moment (time.perf_counter) at which so many connections have come up. Raises TimeoutError."""
        up: set[str] = set()
        deadline = time.perf_counter() + seconds
        while len(up) < count:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{len(up)} of {count} tunnels came up within {seconds:.0f} s")
            for key, _ in self._selector.select(1.0):
                event = Message.deserialize(Packet.parse(key.data.receive()).payload)
                if event.pop("up", None):
                    up.update(event)
        return time.perf_counter()


@contextlib.contextmanager
def fleet(gateways: int, each: int, *, at_once: bool = True, **settings: str) -> Iterator[Fleet]:
    """Nothing of it is left after the block. One gateway lies on the VPC of the world, several on a network without a bridge. `at_once`: the service
    is stopped and has loaded nothing yet; otherwise it runs, and tunnels come up.
    """
    eips = "".join(
        demo.EIP.format(id=uuid.uuid4(), address=_EIPS.format(number // 250, number % 250 + 1))
        for number in range(2 * gateways)
    )
    more_site = _NETWORK + eips if gateways > 1 else ""
    with sites.World() as world, demo.serving(world, more_site=more_site, **SETTINGS, **settings) as service:
        service.stop_engine_seconds = PATIENCE
        network = (demo.VPC_ID, sites.VPC) if gateways == 1 else (_VPC_ID, _VPC)
        made = [make_gateway(testbed.Api(service.credentials), *network) for _ in range(gateways)]
        tunnels = _tunnels(made, each)
        size = GATEWAYS_OF_A_DEVICE * each
        devices = [
            world.add_device(
                *tunnels[first : first + size],
                lans=tuple(map(sites.lan, numbers)),
                addresses=tuple(map(sites.peer, numbers)),
            )
            for first in range(0, len(tunnels), size)
            for numbers in [range(len(tunnels))[first : first + size]]
        ]
        found = Fleet(world, service, made, each, devices)
        with found.without_engine() if at_once else contextlib.nullcontext():
            _connect(testbed.Api(service.credentials), made, each)
        yield found


def make_gateway(api: testbed.Api, vpc_id: str, subnet: str) -> dict[str, Any]:
    """A new VPN gateway, once it is ACTIVE."""
    body = {"vpn_gateway": {"vpc_id": vpc_id, "local_subnets": [subnet]}}
    made = api.request("POST", "/v5/{project}/vpn-gateways", body)["vpn_gateway"]
    path = "/v5/{project}/vpn-gateways/" + made["id"]
    sites.wait_for(lambda: api.get(path)["vpn_gateway"]["status"] == "ACTIVE", "the gateway")
    found: dict[str, Any] = api.get(path)["vpn_gateway"]
    return found


def _connect(api: testbed.Api, gateways: list[dict[str, Any]], each: int) -> None:
    for number, gateway in enumerate(gateway for gateway in gateways for _ in range(each)):
        peer = {"customer_gateway": {"id_value": sites.peer(number)}}
        peer_id = api.request("POST", "/v5/{project}/customer-gateways", peer)["customer_gateway"]["id"]
        wish = {"vgw_id": gateway["id"], "vgw_ip": gateway["eip1"]["id"], "cgw_id": peer_id, "psk": PSK}
        body = {"vpn_connection": wish | {"peer_subnets": [sites.lan(number)]} | POLICIES}
        api.request("POST", "/v5/{project}/vpn-connection", body)


def _tunnels(gateways: list[dict[str, Any]], each: int, *, start: bool = False) -> tuple[sites.Tunnel, ...]:
    return tuple(
        sites.Tunnel(
            gateway=gateway["eip1"]["ip_address"],
            psk=PSK,
            name=f"n{number}",
            proposals=PROPOSAL,
            esp_proposals=PROPOSAL,
            pairs=((sites.lan(number), gateway["local_subnets"][0]),),
            address=sites.peer(number),
            start=start,
        )
        for number, gateway in enumerate(gateway for gateway in gateways for _ in range(each))
    )
