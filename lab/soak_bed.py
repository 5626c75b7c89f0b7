"""The bed of a soak: a service with several VPN gateways, a device for each of these, and many connections, all made through the public API.

A device is one strongSwan that is many peers: it has an address and a LAN for each connection. Its configuration is written by this module from the
body of the connection, and never by our own mapping. The first connection is the one whose fields are changed, the second one has style policy, and
the first one of the second gateway has style bgp.
"""

import contextlib
import copy
import ipaddress
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lab import birds, cycles, demo, pings, sites, testbed
from lab.algorithms import Combination
from lab.replay import Plane
from landbridge import config, data_folder, site_file
from landbridge.engine import base
from landbridge.engine.strongswan import daemon, names
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.engine.strongswan.network import namespace
from landbridge.operations import nodes

#: Fast groups: a soak makes many keys. All that the device must know is given.
IKE = {
    "ike_version": "v2",
    "encryption_algorithm": "aes-128",
    "authentication_algorithm": "sha2-256",
    "dh_group": "group19",
    "local_id_type": "ip",
    "peer_id_type": "ip",
}
IPSEC = {"encryption_algorithm": "aes-128", "authentication_algorithm": "sha2-256", "pfs": "group19"}
#: Addresses, LANs and networks that no gateway has at the beginning.
SPARE = 2
#: Echoes in a row that are answered once a connection carries again.
ENOUGH = 10
#: Seconds within which an event must be over.
PATIENCE = 120.0
#: Bytes of the disk of the data folder.
DISK = 192 << 20
#: The column of /proc/net/dev.
_TX_DROPS = 11
_INNER = ipaddress.IPv4Network("169.254.64.0/18")
#: A machine without KVM stands still for a second now and then.
_SLOW_BFD = "interval 1 s; multiplier 5;"


@dataclass(frozen=True, kw_only=True)
class Size:
    """`gateways` with `connections` each. `interval`: seconds between two echoes of a connection."""

    plane: Plane
    gateways: int
    connections: int
    interval: float


@dataclass
class Connection:
    """`number` is unique in a bed. `body`: the connection as the API has it, with its PSK. `address`: of the device now."""

    number: int
    gateway: "Gateway"
    address: str
    body: dict[str, Any]
    id: str = ""

    @property
    def lan(self) -> str:
        return sites.lan(self.number)

    @property
    def path(self) -> str:
        return f"/v5/{{project}}/vpn-connection/{self.id}"

    @property
    def label(self) -> str:
        return f"connection {self.number} ({self.body['style']})"


@dataclass
class Gateway:
    """`number` is that of its network. `device`: the machine of all its peers."""

    number: int
    host: str
    device: sites.Device
    body: dict[str, Any] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)

    @property
    def vpc(self) -> str:
        return f"10.0.{self.number}.0/24"

    @property
    def id(self) -> str:
        return str(self.body["id"])

    @property
    def namespace(self) -> str:
        return names.namespace(self.id)

    @property
    def path(self) -> str:
        return f"/v5/{{project}}/vpn-gateways/{self.id}"


def inner(number: int) -> tuple[str, str]:
    """The tunnel addresses of a connection: the gateway's, and the device's."""
    block = _INNER[4 * number + 1], _INNER[4 * number + 2]
    return str(block[0]), str(block[1])


def upper_half(block: str) -> ipaddress.IPv4Network:
    """The half of a LAN in which its host lies."""
    return list(ipaddress.IPv4Network(block).subnets())[1]


class Bed:
    """A soak's world. Use `made`."""

    def __init__(self, world: sites.World, size: Size) -> None:
        self.world, self.size = world, size
        self.site: Path = world.folder / "site.toml"
        self.gateways: list[Gateway] = []
        self.customer_gateways: dict[str, str] = {}  # address -> id
        self.birds: list[birds.Bird] = []
        self.flows: list[Connection] = []
        self.service: demo.Service
        self.pings: pings.Pings

    @property
    def api(self) -> testbed.Api:
        """After each start the service listens on another port."""
        return testbed.Api(self.service.credentials)

    # -- making ---------------------------------------------------------------------------------------------------------

    def make_machines(self, undo: contextlib.ExitStack) -> None:
        for number in range(1, self.size.gateways + 1):
            host = self.world.add_network(number)
            first = self.first_number(number)
            numbers = range(first, first + self.size.connections + SPARE)
            device = self.world.add_device(
                lans=tuple(map(sites.lan, numbers)),
                addresses=tuple(map(sites.peer, numbers)),
                in_kernel=self.size.plane == "kernel",
            )
            for each in numbers:
                sites.ip(device.namespace, f"address add {inner(each)[1]}/32 dev lo")
                # of the half of the LAN in which the host lies: charon needs one for a route of the half
                sites.ip(device.namespace, f"address add {upper_half(sites.lan(each))[1]}/28 dev lan")
            self.gateways.append(Gateway(number, host, device))
        for extra in range(SPARE):
            self.world.add_network(self.size.gateways + 1 + extra)
        data = self.world.folder / "data"
        data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "soak", str(data)], check=True)
        undo.callback(subprocess.run, ["umount", "--lazy", str(data)], check=True)

    def first_number(self, gateway: int) -> int:
        return gateway * (self.size.connections + SPARE)

    def more_site(self) -> str:
        networks = range(1, self.size.gateways + 1 + SPARE)
        text = "".join(
            testbed.NETWORK.format(id=testbed.resource_id("0", number), number=number) for number in networks
        )
        return text + "".join(
            demo.EIP.format(id=testbed.resource_id("e", 2 * number + one), address=f"203.0.113.{30 + 2 * number + one}")
            for number in networks
            for one in (0, 1)
        )

    def make_gateway(self, gateway: Gateway) -> None:
        eips = [{"id": testbed.resource_id("e", 2 * gateway.number + one)} for one in (0, 1)]
        wish: dict[str, Any] = {"name": f"soak-{gateway.number}", "vpc_id": testbed.resource_id("0", gateway.number)}
        wish |= {"local_subnets": [gateway.vpc], "eip1": eips[0], "eip2": eips[1]}
        gateway.body = self.api.request("POST", "/v5/{project}/vpn-gateways", {"vpn_gateway": wish})["vpn_gateway"]
        self.wait(lambda: self.api.get(gateway.path)["vpn_gateway"]["status"] == "ACTIVE", f"gateway {gateway.number}")
        gateway.body = self.api.get(gateway.path)["vpn_gateway"]

    def customer_gateway(self, address: str) -> str:
        """The id of the one with this address, which is made if need be."""
        if address not in self.customer_gateways:
            peer = {"customer_gateway": {"name": f"peer-{address}", "id_value": address, "bgp_asn": 65001}}
            made = self.api.request("POST", "/v5/{project}/customer-gateways", peer)["customer_gateway"]
            self.customer_gateways[address] = made["id"]
        return self.customer_gateways[address]

    def add_connection(self, gateway: Gateway, number: int, style: str = "static") -> Connection:
        """One that is not made yet."""
        ours, theirs = inner(number)
        address = sites.peer(number)
        wish: dict[str, Any] = {
            "name": f"soak-{number}",
            "vgw_id": gateway.id,
            "vgw_ip": gateway.body["eip1"]["id"],
            "cgw_id": self.customer_gateway(address),
            "style": style,
            "peer_subnets": [sites.lan(number)],
            "tunnel_local_address": f"{ours}/30",
            "tunnel_peer_address": f"{theirs}/30",
            "ikepolicy": dict(IKE),
            "ipsecpolicy": dict(IPSEC),
            "psk": testbed.PSK,
        }
        if style == "policy":
            wish["policy_rules"] = [{"rule_index": 1, "source": gateway.vpc, "destination": [sites.lan(number)]}]
        connection = Connection(number, gateway, address, wish)
        gateway.connections.append(connection)
        return connection

    def make_connection(self, connection: Connection) -> None:
        """Its device has it already."""
        made = self.api.request("POST", "/v5/{project}/vpn-connection", {"vpn_connection": connection.body})
        connection.body |= made["vpn_connection"]
        connection.id = connection.body["id"]

    def delete(self, path: str) -> None:
        """Returns when nothing of it is left."""
        self.api.request("DELETE", path)
        self.wait(lambda: testbed.is_gone(self.api, path), "its end")

    def make_resources(self, undo: contextlib.ExitStack) -> None:
        for gateway in self.gateways:
            self.make_gateway(gateway)
            first = self.first_number(gateway.number)
            for number in range(first, first + self.size.connections):
                self.add_connection(gateway, number, self._style(gateway, number - first))
            self.load(gateway)
            for connection in gateway.connections:
                self.make_connection(connection)
        self._start_bird(self.gateways[1], undo)

    def _style(self, gateway: Gateway, place: int) -> str:
        return {(1, 1): "policy", (2, 0): "bgp"}.get((gateway.number, place), "static")

    def _start_bird(self, gateway: Gateway, undo: contextlib.ExitStack) -> None:
        """At the device of the connection of style bgp."""
        one = gateway.connections[0]
        ours, theirs = inner(one.number)
        bird = birds.Bird(
            namespace=gateway.device.namespace,
            folder=gateway.device.folder / "bird",
            address=theirs,
            peer=ours,
            peer_asn=int(gateway.body.get("bgp_asn", 64512)),
            routes=(one.lan,),
            link="",
        )
        if self.size.plane == "kernel":
            bird.bfd_times = _SLOW_BFD
        undo.callback(bird.stop, kill=True)
        bird.start()
        self.birds.append(bird)

    # -- changing ---------------------------------------------------------------------------------------------------------

    def load(self, *gateways: Gateway) -> None:
        """The whole configuration of their device. SAs stay."""
        gateways[0].device.load(*(self.tunnel(one) for gateway in gateways for one in gateway.connections))

    def tunnel(self, connection: Connection) -> sites.Tunnel:
        """A connection as the administrator of the device writes it."""
        body = connection.body
        ike, esp = body["ikepolicy"], body["ipsecpolicy"]
        mode = "IKEv2" if ike["ike_version"] == "v2" else f"IKEv1 {ike.get('phase1_negotiation_mode') or 'main'}"
        suite = Combination(
            mode,
            *(ike[name] for name in ("encryption_algorithm", "authentication_algorithm", "dh_group")),
            *(esp[name] for name in ("encryption_algorithm", "authentication_algorithm", "pfs")),
        )
        return sites.Tunnel(
            gateway=connection.gateway.body["eip1"]["ip_address"],
            psk=body["psk"],
            name=f"c{connection.number}",
            version=2 if suite.version == "v2" else 1,
            aggressive=suite.negotiation_mode == "aggressive",
            proposals=suite.ike,
            esp_proposals=suite.esp,
            local_id=f"fqdn:{ike['peer_id']}" if ike["peer_id_type"] == "fqdn" else connection.address,
            remote_id=f"fqdn:{ike['local_id']}" if ike["local_id_type"] == "fqdn" else None,
            pairs=tuple(self._pairs(connection)),
            address=connection.address,
        )

    def _pairs(self, connection: Connection) -> Iterator[tuple[str, str]]:
        """(the device's side, the gateway's). On the kernel data plane the gateway asks for everything in one CHILD_SA."""
        body, vpc = connection.body, connection.gateway.vpc
        if body["style"].lower() == "policy":
            yield from ((lan, rule["source"]) for rule in body["policy_rules"] for lan in rule["destination"])
            return
        ours, theirs = (body[name].partition("/")[0] for name in ("tunnel_local_address", "tunnel_peer_address"))
        if self.size.plane == "kernel":
            yield ",".join([*body["peer_subnets"], f"{theirs}/32"]), f"{vpc},{ours}/32"
            return
        yield from ((lan, vpc) for lan in body["peer_subnets"])
        yield f"{theirs}/32", f"{ours}/32"

    def update(self, connection: Connection, change: dict[str, Any], **implied: Any) -> None:
        """The device first, then the API. `implied`: fields that follow the change."""
        connection.body = merged(connection.body, change | implied)
        address = {name: one for one, name in self.customer_gateways.items()}[connection.body["cgw_id"]]
        connection.address = address
        self.load(connection.gateway)
        self.api.request("PUT", connection.path, {"vpn_connection": change})

    # -- judging ----------------------------------------------------------------------------------------------------------

    def wait(self, happened: Any, what: str) -> None:
        sites.wait_for(happened, what, seconds=PATIENCE)

    def check_patience(self, since: float, what: str, explain: Callable[[], str] = str) -> None:
        """Waits a moment. Raises TimeoutError when the patience is over."""
        if time.monotonic() - since > PATIENCE * sites.SLOWNESS:
            raise TimeoutError(f"waited for {what}: {explain()}")
        time.sleep(0.1 * sites.SLOWNESS)

    def wait_converged(self, since: float, what: str) -> None:
        """Also while the service is too busy to answer."""
        with self.judge() as judge:
            while True:
                with contextlib.suppress(OSError):
                    if judge.has_converged(since):
                        return
                self.check_patience(since, what, lambda: str(judge.plans()))

    @contextlib.contextmanager
    def judge(self) -> Iterator["Judge"]:
        settings = config.load({"data": str(self.service.data), "site": str(self.service.site)}, {})
        with data_folder.open_data(settings, make=False) as data:
            yield Judge(self, settings, data)

    def carries(self, since: float) -> bool:
        """Whether every connection is ACTIVE and every flow has been answered since then."""
        shown = self.api.get("/v5/{project}/vpn-connection?limit=200")["vpn_connections"]
        flows = range(len(self.flows))
        return {one["status"] for one in shown} == {"ACTIVE"} and all(
            self.pings.answers(flow, ENOUGH, since) for flow in flows
        )

    def drops(self) -> list[int]:
        """For each gateway: the packets that found a queue full, in its namespace and in its device's, since these exist."""
        return [_drops(gateway.namespace) + _drops(gateway.device.namespace) for gateway in self.gateways]

    def pids(self, program: daemon.Daemon, gateway: Gateway) -> list[int]:
        """Of the gateway's processes that run this program."""
        command = ["ip", "netns", "pids", gateway.namespace]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return [pid for pid in map(int, found) if program.is_run_by(pid)]


def _drops(name: str) -> int:
    """Packets for which the socket of a daemon had no room (RcvbufErrors of UDP), or a link: the TUN device of a charon. 0 for a
    namespace that is gone.
    """
    try:
        snmp, links = namespace.inside(
            name, lambda _: [Path(f"/proc/thread-self/net/{file}").read_text() for file in ("snmp", "dev")]
        )
    except FileNotFoundError:
        return 0
    names, values = (line.split() for line in snmp.splitlines() if line.startswith("Udp:"))
    sockets = int(values[names.index("RcvbufErrors")])
    return sockets + sum(int(line.rpartition(":")[2].split()[_TX_DROPS]) for line in links.splitlines()[2:])


def merged(body: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """As an update of the API does it: an absent field stays, a list is replaced."""
    found = copy.deepcopy(body)
    for name, value in change.items():
        found[name] = merged(found[name], value) if isinstance(value, dict) and name in found else copy.deepcopy(value)
    return found


class Judge:
    """Whether a second plan is empty: an engine that remembers nothing plans from what it sees."""

    def __init__(self, bed: Bed, settings: config.Settings, data: data_folder.Data) -> None:
        self._bed, self._data = bed, data
        self._site = site_file.find(settings)
        self._engine = StrongSwan(data.path, self._site, automatic_probes=False)

    def plans(self) -> dict[str, list[Any]]:
        """Gateway id -> what is left to do; only those with something."""
        found = {}
        for gateway_id in self._data.database.read(nodes.list_gateways) | self._engine.gateways():
            try:
                plan = self._plan(gateway_id)
            except base.StepFailed as error:
                plan = [error]
            if plan:
                found[gateway_id] = plan
        return found

    def _plan(self, gateway_id: str) -> list[Any]:
        read = partial(
            nodes.desired, site=self._site, vault=self._data.vault, fingerprint_key=self._data.fingerprint_key
        )
        return cycles.plan(self._engine, gateway_id, self._data.database.read(lambda tx: read(tx, gateway_id)))

    def has_converged(self, since: float) -> bool:
        return self._bed.carries(since) and not self.plans()


@contextlib.contextmanager
def made(size: Size) -> Iterator[Bed]:
    """All tunnels are up, and echoes run through each. Nothing of it is left after the block."""
    with contextlib.ExitStack() as undo:
        world = undo.enter_context(sites.World())
        bed = Bed(world, size)
        bed.make_machines(undo)
        bed.service = undo.enter_context(
            demo.serving(world, more_site=bed.more_site(), LANDBRIDGE_AGENT_TICK_SECONDS="30")
        )
        bed.make_resources(undo)
        bed.flows = [one for gateway in bed.gateways for one in gateway.connections]
        flows = [pings.Flow(one.gateway.host, sites.lan_host(one.number)) for one in bed.flows]
        bed.pings = undo.enter_context(pings.pinging(flows, size.interval))
        began = time.monotonic()
        bed.wait_converged(began, "all tunnels and their echoes")
        yield bed
