"""A testbed for misconfigurations: a VPN gateway of the service, and a device. It runs one case after another.

A case has the gateway for itself, and a new address of the device. The service is the real one, and is used through its API. The device is a
strongSwan or a Libreswan with a configuration that this folder writes.
"""

import contextlib
import dataclasses
import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import vici

from lab import demo, libreswan, sites
from landbridge.engine.strongswan import names

PSK = "Correct-Horse-7"
#: Seconds after which a device that was refused initiates again.
CALL_AGAIN = 4.0
#: Addresses that the device of a testbed can have, one case after another.
_ADDRESSES = 1000

#: A network of the site file.
NETWORK = """
[[network]]
id = "{id}"
cidr = "10.0.{number}.0/24"
bridge = "vpc{number}"
address = "10.0.{number}.1/24"
"""

_CLOSED = """\
table ip closed {
  chain input {
    type filter hook input priority -10; policy accept;
    udp dport 500 @th,128,64 0 @th,208,8 2 drop
    udp dport 500 @th,128,64 0 @th,208,8 4 drop
    udp dport 500 @th,128,64 0 @th,208,16 0x2208 drop
  }
}
"""


class Refused(Exception):
    """The API refused a request."""


@dataclass(frozen=True)
class Api:
    """The service as an admin of its first project sees it. Paths are whole, with `{project}` in them."""

    known: Mapping[str, str]

    def request(self, method: str, path: str, body: Any = None) -> Any:
        url = self.known["endpoint"] + path.format(project=self.known["project_id"])
        headers = {"X-Auth-Token": self.known["token"], "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=demo.ANSWER_SECONDS) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.read().decode()}") from error
        return json.loads(text) if text else None

    def get(self, path: str) -> Any:
        return self.request("GET", path)


@dataclass
class Testbed:
    """One gateway, and one device at a time. `number` is unique in a world. The gateway has another connection, to the `neighbour`, which is
    correct and up all the time.
    """

    world: sites.World
    api: Api
    number: int
    base: sites.Device
    neighbour: sites.Device
    vpc_host: str
    service: demo.Service
    gateway: dict[str, Any] = field(default_factory=dict)
    neighbour_id: str = ""
    cases: int = 0

    @property
    def vpc(self) -> str:
        return f"10.0.{self.number}.0/24"

    @property
    def vpc_address(self) -> str:
        return f"10.0.{self.number}.10"

    @property
    def lan(self) -> str:
        return sites.lan(3 * self.number)

    @property
    def second_lan(self) -> str:
        return sites.lan(3 * self.number + 1)

    @property
    def lan_host(self) -> str:
        return sites.lan_host(3 * self.number)

    @property
    def endpoints(self) -> tuple[str, str]:
        return self.gateway["eip1"]["ip_address"], self.gateway["eip2"]["ip_address"]

    @property
    def namespace(self) -> str:
        """The namespace of the gateway."""
        return names.namespace(self.gateway["id"])

    def make_gateway(self) -> None:
        """Creates the gateway, and waits until it is ACTIVE."""
        eips = [{"id": resource_id("e", 2 * self.number + one)} for one in (0, 1)]
        wish = {"name": f"testbed-{self.number}", "vpc_id": resource_id("0", self.number), "local_subnets": [self.vpc]}
        body = {"vpn_gateway": wish | {"eip1": eips[0], "eip2": eips[1]}}
        made = self.api.request("POST", "/v5/{project}/vpn-gateways", body)["vpn_gateway"]
        path = "/v5/{project}/vpn-gateways/" + made["id"]
        sites.wait_for(lambda: self.api.get(path)["vpn_gateway"]["status"] == "ACTIVE", "the gateway")
        self.gateway = self.api.get(path)["vpn_gateway"]

    def restart_service(self) -> None:
        """The service ends and starts again; tunnels and charons stay."""
        self.service.stop()
        self.service.start()
        self.api = Api(self.service.credentials)

    def make_neighbour(self) -> None:
        gateway, lan = self.gateway["eip1"], sites.lan(3 * self.number + 2)
        tunnel = sites.Tunnel(gateway=gateway["ip_address"], psk=PSK, pairs=((lan, self.vpc),))
        self.neighbour.load(tunnel)
        peer = {"customer_gateway": {"name": "neighbour", "id_value": self.neighbour.address}}
        peer_id = self.api.request("POST", "/v5/{project}/customer-gateways", peer)["customer_gateway"]["id"]
        wish = {"name": "neighbour", "vgw_id": self.gateway["id"], "vgw_ip": gateway["id"], "cgw_id": peer_id}
        body = {"vpn_connection": wish | {"peer_subnets": [lan], "psk": PSK}}
        self.neighbour_id = self.api.request("POST", "/v5/{project}/vpn-connection", body)["vpn_connection"]["id"]

    def diagnosis(self, connection_id: str) -> dict[str, Any]:
        path = f"/landbridge/v1/{{project}}/vpn-connections/{connection_id}/diagnosis"
        found: dict[str, Any] = self.api.get(path)["diagnosis"]
        return found

    def words(self, address: str, other: str) -> dict[str, str]:
        """The values of the placeholders of a case."""
        return {
            "device": address,
            "elsewhere": other,
            "gateway": self.endpoints[0],
            "other_gateway": self.endpoints[1],
            "lan": self.lan,
            "second_lan": self.second_lan,
            "half_lan": self.lan.replace("/28", "/29"),
            "vpc": self.vpc,
            "psk": PSK,
        }

    def next_addresses(self) -> tuple[str, str]:
        """Two new addresses of the device."""
        self.cases += 1
        first = _ADDRESSES * self.number + 2 * self.cases
        return sites.peer(first), sites.peer(first + 1)


@dataclass
class RunningCase:
    """A case while it runs."""

    testbed: Testbed
    address: str
    device: sites.Device
    words: Mapping[str, str]
    pluto: libreswan.Pluto | None = None
    connection_id: str = ""
    customer_gateway_id: str = ""
    undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    #: When the fault began (time.monotonic), for those that are made after the tunnel was up.
    began: float | None = None

    def firewall(self, rules: str, *, where: str = "") -> None:
        """Loads nftables rules into the device's namespace, or another one, until the end of the case."""
        name = where or self.device.namespace
        before = _tables(name)
        nft(name, rules)
        for table in _tables(name) - before:
            self.undo.callback(_drop_table, name, table)

    def only_calls(self) -> None:
        """The device's firewall drops our first messages, like that of a device that only initiates."""
        self.firewall(_CLOSED)

    def diagnosis(self) -> dict[str, Any]:
        return self.testbed.diagnosis(self.connection_id)

    def gateway_diagnosis(self) -> dict[str, Any]:
        path = "/landbridge/v1/{project}/vpn-gateways/" + self.testbed.gateway["id"] + "/diagnosis"
        found: dict[str, Any] = self.testbed.api.get(path)["diagnosis"]
        return found

    def is_up(self) -> bool:
        return bool(self.diagnosis()["status"] == "ACTIVE")

    def wait_up(self) -> None:
        """Waits until the connection is ACTIVE and the device has its SAs."""
        sites.wait_for(lambda: self.is_up() and self.device_sas(), "the tunnel to be up before the fault")

    def update(self, fields: Mapping[str, Any]) -> None:
        self.testbed.api.request(
            "PUT", f"/v5/{{project}}/vpn-connection/{self.connection_id}", {"vpn_connection": fields}
        )

    def now(self) -> None:
        """Records the time of the fault."""
        self.began = time.monotonic()

    # -- the device ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _session(self) -> Iterator[Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.device.uri.removeprefix("unix://"))
            yield vici.Session(connection)

    def device_sas(self) -> list[tuple[str, str, list[str]]]:
        """Of the device's strongSwan: (name, unique id, unique ids of the installed children) of each IKE_SA that is up."""
        found = []
        with self._session() as session:
            for sas in session.list_sas():
                for name, sa in sas.items():
                    if sa["state"] != b"ESTABLISHED":
                        continue
                    children = [one for one in sa["child-sas"].values() if one["state"] == b"INSTALLED"]
                    found.append((name, sa["uniqueid"].decode(), [one["uniqueid"].decode() for one in children]))
        return found

    def call(self) -> None:
        """The device initiates each of its children that is not up, without waiting."""
        with self._session() as session:
            sas = [sa for each in session.list_sas() for sa in each.values()]
            up = {child["name"].decode() for sa in sas for child in sa["child-sas"].values()}
            conns = [each for one in session.list_conns() for each in one.items()]
            for name, conn in conns:
                for child in conn["children"]:
                    if child not in up:
                        with contextlib.suppress(vici.exception.CommandException):
                            list(session.initiate({"ike": name, "child": child, "timeout": "-1"}))

    def terminate(self, unique_id: str) -> None:
        with self._session() as session, contextlib.suppress(vici.exception.CommandException):
            list(session.terminate({"ike-id": unique_id, "timeout": "-1"}))

    def keep(self, act: Any, every: float) -> None:
        """Repeats `act` until the case ends, also when it fails."""
        ended = threading.Event()

        def run() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError, vici.exception.CommandException):
                    act()
                ended.wait(every)

        thread = threading.Thread(target=run, name="device")
        self.undo.callback(thread.join)
        self.undo.callback(ended.set)
        thread.start()

    def keep_pinging(self, source: str, target: str, *, size: int = 56) -> None:
        """Sends 5 pings a second until the case ends, not fragmented."""
        command = ["ip", "netns", "exec", source, "ping", "-n", "-q", "-i", "0.2", "-M", "do", "-s", str(size), target]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.undo.callback(process.wait)
        self.undo.callback(process.terminate)

    def device_log(self) -> str:
        if self.pluto:
            return self.pluto.log()
        try:
            return self.device.log()
        except OSError:
            return ""


def nft(name: str, rules: str) -> None:
    command = ["ip", "netns", "exec", name, "nft", "-f", "-"]
    done = subprocess.run(command, input=rules, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"nft: {done.stderr.strip()}")


def _tables(name: str) -> set[str]:
    done = subprocess.run(
        ["ip", "netns", "exec", name, "nft", "list", "tables"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines())


def _drop_table(name: str, table: str) -> None:
    nft(name, f"delete {table}\n")


def resource_id(kind: str, number: int) -> str:
    """Of a network (`0`) or an EIP (`e`) of the site file."""
    return f"{kind}0000000-0000-4000-8000-{number:012}"


@contextlib.contextmanager
def testbeds(count: int, **settings: str) -> Iterator[list[Testbed]]:
    """Testbeds that share a world and a service. `settings`: environment variables of the service."""
    with sites.World() as world:
        places = [_place(world, number) for number in range(1, count + 1)]
        networks = "".join(NETWORK.format(id=resource_id("0", number), number=number) for number in range(1, count + 1))
        eips = "".join(
            demo.EIP.format(id=resource_id("e", 2 * number + one), address=f"203.0.113.{30 + 2 * number + one}")
            for number in range(1, count + 1)
            for one in (0, 1)
        )
        with demo.serving(
            world, more_site=networks + eips, **(settings or {"LANDBRIDGE_AGENT_TICK_SECONDS": "30"})
        ) as service:
            api = Api(service.credentials)
            found = [Testbed(world, api, number, *place, service) for number, place in enumerate(places, 1)]
            for one in found:
                one.make_gateway()
                one.make_neighbour()
            yield found


def _place(world: sites.World, number: int) -> tuple[sites.Device, sites.Device, str]:
    """The namespaces of the device and of the neighbour's, and the VPC's host."""
    host = world.add_network(number)
    base = world.add_device(lans=(sites.lan(3 * number), sites.lan(3 * number + 1)), bare=True)
    return base, world.add_device(lans=(sites.lan(3 * number + 2),)), host


@contextlib.contextmanager
def running_case(testbed: Testbed, base: sites.Device | None = None) -> Iterator[RunningCase]:
    """Runs a case. At the end, its connection, its device and its rules are removed. `base`: the machine of the device, if it is not the
    testbed's.
    """
    base = base or testbed.base
    address, other = testbed.next_addresses()
    device = dataclasses.replace(base, address=address, folder=base.folder / f"{testbed.cases}", process=None)
    one = RunningCase(testbed, address, device, testbed.words(address, other))
    testbed.world.add_addresses(base, (address, other))
    try:
        with one.undo:
            yield one
    finally:
        device.stop(kill=True)
        if one.pluto:
            one.pluto.stop()
        testbed.world.remove_addresses(base, (address, other))
        _delete(one)


def _delete(one: RunningCase) -> None:
    api = one.testbed.api
    if one.connection_id:
        path = f"/v5/{{project}}/vpn-connection/{one.connection_id}"
        api.request("DELETE", path)
        sites.wait_for(lambda: is_gone(api, path), "the connection to be gone")
    if one.customer_gateway_id:
        api.request("DELETE", f"/v5/{{project}}/customer-gateways/{one.customer_gateway_id}")


def is_gone(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except Refused:
        return True
    return False
