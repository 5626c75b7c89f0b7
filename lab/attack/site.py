"""An admin of one project tries to get what is another project's, or the machine's: private addresses, networks, EIPs.

Project A is the attacker's, with a network and two EIPs of its own. B is a neighbour with a tunnel that carries pings all the time. Each
attempt is a request of A. The service holds when it refuses an attempt, or accepts it without any change of the machine's routes and of B's
tunnel.
"""

import contextlib
import subprocess
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import pinging, sites
from lab.attack.base import BIN, Answer, Key, Result, Service

PSK = "Correct-Horse-7"
NETWORK_A, NETWORK_B, UNKNOWN = (str(uuid.UUID(int=number)) for number in (1, 2, 99))
EIPS_A, EIPS_B = ((str(uuid.UUID(int=number)), str(uuid.UUID(int=number + 1))) for number in (11, 13))
#: Of A's range: free; the machine's own since before the start; an operator's route that came after the start.
FREE, OWN, ROUTED = "10.66.0.209", "10.66.0.208", "10.66.0.207"
#: The machine's own, in no range.
MACHINE = "10.55.0.1"
SITE = """\
[[node]]
id = "attack"
underlay = "{underlay}"

[[network]]
id = "{network_a}"
cidr = "10.66.0.0/24"
gateway_addresses = "10.66.0.200-{free}"
project = ["{a}"]

[[network]]
id = "{network_b}"
cidr = "{vpc}"
bridge = "vpc"
address = "{vpc_address}"
gateway_addresses = "10.0.0.200-10.0.0.209"
project = ["{b}"]
"""
EIP = '\n[[eip]]\nid = "{id}"\naddress = "{address}"\nproject = ["{project}"]\n'


@dataclass
class Attempts:
    """Requests with the key of one project. `crashed`: answers of 5xx."""

    service: Service
    key: Key
    crashed: int = 0

    def post(self, path: str, envelope: str, fields: dict[str, Any]) -> Answer:
        sent = {name: value for name, value in fields.items() if value is not None}
        answer = self.service.request("POST", f"/v5/{self.key.project_id}/{path}", {envelope: sent}, key=self.key)
        self.crashed += answer.status >= 500
        return answer

    def gateway(self, **fields: Any) -> Answer:
        return self.post(
            "vpn-gateways", "vpn_gateway", {"vpc_id": NETWORK_A, "local_subnets": ["10.66.0.0/24"]} | fields
        )

    def private(self, one: str, two: str = FREE, **fields: Any) -> Answer:
        addresses = {"access_private_ip_1": one, "access_private_ip_2": two}
        return self.gateway(network_type="private", **addresses, **fields)

    def show(self, gateway_id: str) -> Any:
        path = f"/v5/{self.key.project_id}/vpn-gateways/{gateway_id}"
        return self.service.request("GET", path, key=self.key).json()["vpn_gateway"]


def run(folder: Path) -> Iterator[Result]:
    with sites.World() as world:
        for address in (OWN, MACHINE):
            _ip(world, f"address add {address}/32 dev lo")
        site, key_a, key_b = _prepare(world, folder)
        try:
            with Service(
                folder, "--engine", "strongswan", "--site", str(site), settings={"LANDBRIDGE_AGENT_TICK_SECONDS": "1"}
            ) as service:
                _build_neighbour(world, service, key_b)
                with pinging.pinging(world.vpc_host, "192.168.44.10") as pings:
                    yield from _attack(world, Attempts(service, key_a))
                    pings.wait_for_more(pinging.RATE)
                yield Result("the neighbour's tunnel lost no packet", not pings.lost, f"{len(pings.lost)} lost")
        finally:
            stop = [str(BIN / "landbridge"), "engine", "stop", "--data", str(folder / "data"), "--site", str(site)]
            subprocess.run(stop, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def _prepare(world: sites.World, folder: Path) -> tuple[Path, Key, Key]:
    """Two projects, and a site file that gives each its own."""
    with Service(folder, "--engine", "none") as service:
        key_a = service.key
        project = service.run("projects", "create", "neighbour").split()[0]
        words = tomllib.loads(
            "\n".join(
                line for line in service.run("keys", "create", "--project", project).splitlines() if " = " in line
            )
        )
    key_b = Key(project, words["access_key"], words["secret_key"], words["token"])
    text = SITE.format(
        underlay=world.wan,
        network_a=NETWORK_A,
        network_b=NETWORK_B,
        free=FREE,
        a=key_a.project_id,
        b=project,
        vpc=sites.VPC,
        vpc_address=sites.VPC_ADDRESS,
    )
    owned = [(EIPS_A, key_a.project_id), (EIPS_B, project)]
    ids = [(id_, owner) for both, owner in owned for id_ in both]
    text += "".join(
        EIP.format(id=id_, address=address, project=owner)
        for (id_, owner), address in zip(ids, sites.EIPS, strict=False)
    )
    path = folder / "site.toml"
    path.write_text(text)
    return path, key_a, key_b


def _build_neighbour(world: sites.World, service: Service, key: Key) -> None:
    theirs = Attempts(service, key)
    device = world.add_device(sites.Tunnel(gateway=sites.EIPS[2], psk=PSK))
    eips = {"eip1": {"id": EIPS_B[0]}, "eip2": {"id": EIPS_B[1]}}
    made = theirs.gateway(vpc_id=NETWORK_B, local_subnets=[sites.VPC], **eips).json()["vpn_gateway"]
    sites.wait_for(lambda: theirs.show(made["id"])["status"] == "ACTIVE", "the neighbour's gateway", seconds=60)
    peer = theirs.post("customer-gateways", "customer_gateway", {"id_value": device.address}).json()["customer_gateway"]
    wish = {"vgw_id": made["id"], "vgw_ip": EIPS_B[0], "cgw_id": peer["id"], "peer_subnets": [sites.LAN], "psk": PSK}
    theirs.post("vpn-connection", "vpn_connection", wish)
    sites.wait_for(lambda: sites.ping(world.vpc_host, "192.168.44.10"), "the neighbour's ping", seconds=60)


def _attack(world: sites.World, ours: Attempts) -> Iterator[Result]:
    before = _routes(world)
    for what, address in (
        ("a public resolver", "9.9.9.9"),
        ("the network's own router", "10.66.0.1"),
        ("an address of the machine", MACHINE),
        ("an address of the machine in the range", OWN),
        ("the neighbour's device", "198.51.100.2"),
        ("a host of the neighbour's network", sites.VPC_HOST),
        ("the neighbour's address in its network", sites.VPC_ADDRESS.split("/", maxsplit=1)[0]),
        ("an address for the neighbour's private gateways", "10.0.0.201"),
        ("the neighbour's EIP", sites.EIPS[2]),
        ("an EIP that nobody has", sites.EIPS[0]),
        ("loopback", "127.0.0.1"),
        ("the underlay's end of every uplink", "169.254.195.1"),
        ("multicast", "224.0.0.5"),
    ):
        yield _refused(f"a private gateway takes {what}", ours.private(address))
    for what, fields in (
        ("a gateway is plugged into the neighbour's network", {"vpc_id": NETWORK_B}),
        (
            "the same as an enterprise router",
            {"attachment_type": "er", "er_id": NETWORK_B, "vpc_id": None, "local_subnets": None},
        ),
        ("a private gateway in the neighbour's network", {"network_type": "private", "access_vpc_id": NETWORK_B}),
        ("a gateway with an EIP that the neighbour uses", {"eip1": {"id": EIPS_B[0]}}),
    ):
        yield _as_unknown(what, ours.gateway, fields)
    for what, address in (
        ("a customer gateway on an address for gateways", FREE),
        ("the same on an address of the machine", MACHINE),
    ):
        yield _refused(what, ours.post("customer-gateways", "customer_gateway", {"id_value": address}))
    yield Result("the machine's routes are what they were", _routes(world) == before, f"{len(before)} routes")
    yield from _engine_refuses(world, ours)
    yield Result("no attempt ends in a 5xx", ours.crashed == 0)


def _engine_refuses(world: sites.World, ours: Attempts) -> Iterator[Result]:
    """What the rules cannot know: a route that somebody set after the start."""
    _ip(world, f"route add {ROUTED}/32 via 198.51.100.2")
    made = ours.private(ROUTED, "10.66.0.206")
    if made.status != 201:
        yield Result("a route that came later is not replaced", True, f"refused with {made.status}")
        return
    gateway_id = made.json()["vpn_gateway"]["id"]
    with contextlib.suppress(TimeoutError):
        sites.wait_for(lambda: ours.show(gateway_id)["status"] == "FAULT", "the fault", seconds=30)
    time.sleep(2)  # the agent tries again
    status = ours.show(gateway_id)["status"]
    kept = [route for route in _routes(world) if route.startswith(f"{ROUTED} ")]
    held = status == "FAULT" and len(kept) == 1 and "via 198.51.100.2" in kept[0]
    yield Result("a route that came later is not replaced", held, f"the gateway is {status}, {len(kept)} route")


def _refused(what: str, answer: Answer) -> Result:
    said = answer.json() if answer.status == 400 else {}
    words = "; ".join(each["message"] for each in said.get("details", ()))
    return Result(what, answer.status == 400, f"{answer.status} {words}"[:100])


def _as_unknown(what: str, send: Callable[..., Answer], fields: dict[str, Any]) -> Result:
    """Whether an attempt is refused in the same words as one with an id that does not exist."""
    answer = send(**fields)
    known = next(id_ for id_ in (NETWORK_B, EIPS_B[0]) if id_ in str(fields))
    renamed = {
        name: {"id": UNKNOWN} if isinstance(value, dict) else UNKNOWN if value == known else value
        for name, value in fields.items()
    }
    unknown = send(**renamed)
    same = _words(answer, known) == _words(unknown, UNKNOWN)
    held = answer.status == unknown.status == 400 and same
    return Result(
        what, held, f"{answer.status}, {'in the words for' if same else 'other words than for'} an unknown id"
    )


def _words(answer: Answer, id_: str) -> list[str]:
    return [f"{each['field']} {each['message']}".replace(id_, "ID") for each in answer.json().get("details", ())]


def _routes(world: sites.World) -> list[str]:
    """The underlay's, of all tables."""
    command = ["ip", "-n", world.wan, "-4", "route", "show", "table", "all"]
    return sorted(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def _ip(world: sites.World, command: str) -> None:
    subprocess.run(["ip", "-n", world.wan, *command.split()], check=True)
