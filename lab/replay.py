"""Replays a scenario: makes its resources through the public API, starts its devices, and takes its steps.

Several scenarios run one after another on one place, which has a service, a VPN gateway, and the machines of two devices. Each scenario has new
addresses of these machines, and connections of its own.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lab import demo, sas, sites, testbed
from lab.algorithms import Combination
from landbridge import paths
from landbridge.engine.strongswan import names

Plane = Literal["userland", "kernel"]
#: Seconds in which a tunnel comes up, a dead one is found, and a new one is made.
PATIENCE = 60.0
#: The suite of most originals.
USUAL = Combination("IKEv2", esp_encryption="aes-128-gcm-16")
#: The number of the first LAN of a second device. Testbeds have the LANs below it.
_SECOND_LANS = 200


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A peer of the gateway. `id`: its identity, an FQDN or an e-mail address; "" is its address. `remote_id`: the identity that it wants the gateway
    to have, if it is not the gateway's own. `dials_in`: the API knows it by its identity and not by an address. `suite`: its algorithms, if they are
    not the scenario's. `proposals`: (IKE, ESP) in swanctl's words, if they are not those of the suite alone. `edits`: replacements in its swanctl.conf.
    `start`: it starts the tunnel by itself.
    """

    name: str
    id: str = ""
    remote_id: str = ""
    psk: str = testbed.PSK
    device_psk: str = ""
    dials_in: bool = False
    suite: Combination | None = None
    proposals: tuple[str, str] | None = None
    edits: Sequence[tuple[str, str]] = ()
    start: bool = False


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`name`: of the original. `shows`: what must be true, in words. `steps`: what is done and checked, in order. `planes`: those that can carry it.
    `gateway_id`: the identity of the gateway, "" is its address. `caller`: who initiates; it is checked. `body`: more fields of the connections.
    `nat`: who is behind a NAT. `rules`: nftables rules of the underlay, in a table of their own.
    """

    name: str
    shows: str
    steps: "Sequence[Step]"
    peers: Sequence[Peer] = (Peer(name="sun"),)
    suite: Combination = USUAL
    planes: Sequence[Plane] = ("userland",)
    gateway_id: str = ""
    caller: Literal["gateway", "device"] = "gateway"
    body: Mapping[str, Any] = field(default_factory=dict)
    nat: Literal["", "devices", "both"] = ""
    rules: str = ""

    def suite_of(self, peer: Peer) -> Combination:
        return peer.suite or self.suite


@dataclass(frozen=True)
class Place:
    """Where scenarios run: a testbed, and the machine of a second device, which has the LANs of both."""

    bed: testbed.Testbed
    second: sites.Device
    plane: Plane

    @property
    def second_lan(self) -> int:
        return _SECOND_LANS + self.bed.number

    @property
    def nat(self) -> str:
        """The address that devices behind the NAT have outside."""
        return f"198.51.100.{199 + self.bed.number}"

    @property
    def public(self) -> str:
        """The address of the gateway in front of its NAT."""
        return f"203.0.113.{199 + self.bed.number}"


@dataclass
class End:
    """A running peer, with the connection that the service has to it."""

    replay: "Replay"
    peer: Peer
    case: testbed.RunningCase
    lan_number: int

    @property
    def lan(self) -> str:
        return sites.lan(self.lan_number)

    @property
    def lan_host(self) -> str:
        return sites.lan_host(self.lan_number)

    @property
    def seen_address(self) -> str:
        """The address that the gateway sees."""
        return self.replay.place.nat if self.replay.scenario.nat else self.case.address

    @property
    def id(self) -> str:
        return self.peer.id or self.case.address

    @property
    def connection_id(self) -> str:
        return self.case.connection_id

    def device_sas(self) -> list[sas.Sa]:
        return sas.read(self.case.device.uri)

    def gateway_sas(self) -> list[sas.Sa]:
        """Of this connection."""
        return [one for one in sas.read(self.replay.gateway_uri) if one.name == self.connection_id]


@dataclass
class Replay:
    """A scenario while it runs."""

    scenario: Scenario
    place: Place
    ends: list[End] = field(default_factory=list)
    #: How long the log of the gateway's charon was before.
    log_offset: int = 0
    undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def bed(self) -> testbed.Testbed:
        return self.place.bed

    @property
    def endpoint(self) -> str:
        return self.bed.endpoints[0]

    @property
    def gateway_id(self) -> str:
        return self.scenario.gateway_id or self.endpoint

    @property
    def gateway_uri(self) -> str:
        return f"unix://{self._folder}/charon.vici"

    def gateway_log(self) -> str:
        """What the gateway's charon has written since the scenario began."""
        return (self._folder / "charon.log").read_text(errors="replace")[self.log_offset :]

    @property
    def _folder(self) -> Path:
        return self.bed.world.folder / "data/engine" / self.bed.namespace.removeprefix(paths.NETNS_PREFIX)

    @property
    def wire(self) -> str:
        """The interface of the underlay at the gateway's uplink."""
        return names.uplink_peer(self.bed.gateway["id"])

    def wait(self, happened: Callable[[], object], what: str) -> None:
        sites.wait_for(happened, f"{self.scenario.name}: {what}", seconds=PATIENCE)


Step = Callable[[Replay], None]


def run(place: Place, scenario: Scenario) -> None:
    """Raises AssertionError or TimeoutError where something is not true."""
    replay = Replay(scenario, place)
    replay.log_offset = len(replay.gateway_log())
    with replay.undo:
        _translate_addresses(replay)
        for peer, base in zip(scenario.peers, (place.bed.base, place.second), strict=False):
            replay.undo.callback(_flush, base)
            case = replay.undo.enter_context(testbed.running_case(place.bed, base))
            lan_number = 3 * place.bed.number if base is place.bed.base else place.second_lan
            replay.ends.append(End(replay, peer, case, lan_number))
            _bring_up(replay.ends[-1])
        for step in scenario.steps:
            step(replay)


def _flush(base: sites.Device) -> None:
    """Removes what a device that was killed has left in the kernel. Its policies would take the packets of the next one."""
    if base.in_kernel:
        for kind in ("policy", "state"):
            sites.ip(base.namespace, f"xfrm {kind} flush")


def _translate_addresses(replay: Replay) -> None:
    """The NATs are rules in the underlay, which is neither side's namespace."""
    rules = [replay.scenario.rules] if replay.scenario.rules else []
    if replay.scenario.nat:
        ends = f"ip saddr {sites.PEERS} ip daddr {replay.endpoint}"
        rules.append(f"chain post {{ type nat hook postrouting priority srcnat; {ends} snat to {replay.place.nat}; }}")
    if replay.scenario.nat == "both":
        ends = f"ip daddr {replay.place.public}"
        rules.append(f"chain pre {{ type nat hook prerouting priority dstnat; {ends} dnat to {replay.endpoint}; }}")
    if rules:
        table = f"table ip scenario{replay.bed.number}"
        testbed.nft(replay.bed.world.wan, "\n".join([f"{table} {{", *rules, "}", ""]))
        replay.undo.callback(testbed.nft, replay.bed.world.wan, f"delete {table}\n")


def _bring_up(end: End) -> None:
    """The device waits before the connection is made, unless it is the one that initiates."""
    scenario = end.replay.scenario
    end.case.device.start()
    if scenario.caller == "gateway":
        load(end)
        create(end)
        return
    if not end.peer.dials_in:
        end.case.only_calls()
    create(end)
    end.replay.wait(lambda: not end.case.diagnosis()["status"].startswith("PENDING"), "the connection to be loaded")
    load(end)
    if not end.peer.start:
        end.case.call()


def create(end: End) -> None:
    """Customer gateway and connection."""
    api, gateway = end.replay.bed.api, end.replay.bed.gateway
    peer = {"name": end.peer.name, "id_value": end.case.address}
    if end.peer.dials_in:
        peer |= {"id_type": "fqdn", "id_value": end.peer.id}
    made = api.request("POST", "/v5/{project}/customer-gateways", {"customer_gateway": peer})
    end.case.customer_gateway_id = made["customer_gateway"]["id"]
    ends = {"vgw_id": gateway["id"], "vgw_ip": gateway["eip1"]["id"], "cgw_id": end.case.customer_gateway_id}
    wish = {"name": end.peer.name, "peer_subnets": [end.lan], "psk": end.peer.psk} | ends | policies(end)
    answer = api.request("POST", "/v5/{project}/vpn-connection", {"vpn_connection": wish})
    end.case.connection_id = answer["vpn_connection"]["id"]


def policies(end: End) -> dict[str, Any]:
    """`ikepolicy` and `ipsecpolicy` of the request, and the scenario's own fields."""
    scenario = end.replay.scenario
    suite = scenario.suite_of(end.peer)
    ike = {
        "ike_version": suite.version,
        "encryption_algorithm": suite.ike_encryption,
        "authentication_algorithm": suite.ike_authentication,
        "dh_group": suite.ike_group,
    }
    if suite.negotiation_mode:
        ike["phase1_negotiation_mode"] = suite.negotiation_mode
    if scenario.gateway_id:
        ike |= {"local_id_type": "fqdn", "local_id": scenario.gateway_id}
    if end.peer.id:
        ike |= {"peer_id_type": "fqdn", "peer_id": end.peer.id}
    esp = {
        "encryption_algorithm": suite.esp_encryption,
        "authentication_algorithm": suite.esp_authentication,
        "pfs": suite.pfs,
    }
    body = dict(scenario.body)
    return body | {"ikepolicy": ike | body.get("ikepolicy", {}), "ipsecpolicy": esp | body.get("ipsecpolicy", {})}


def load(end: End) -> None:
    """The device's swanctl.conf, written from the suite and not from our mapping."""
    replay, peer = end.replay, end.peer
    suite = replay.scenario.suite_of(peer)
    ike, esp = peer.proposals or (suite.ike, suite.esp)
    remote_id = peer.remote_id or (f"fqdn:{replay.gateway_id}" if replay.scenario.gateway_id else replay.gateway_id)
    tunnel = sites.Tunnel(
        gateway=replay.place.public if replay.scenario.nat == "both" else replay.endpoint,
        psk=peer.device_psk or peer.psk,
        name=peer.name,
        version=2 if suite.version == "v2" else 1,
        aggressive=suite.negotiation_mode == "aggressive",
        proposals=ike,
        esp_proposals=esp,
        local_id=f"fqdn:{peer.id}" if peer.id else None,
        remote_id=remote_id,
        pairs=((end.lan, replay.bed.vpc),),
        start=peer.start,
    )
    text = sites.render(end.case.address, (tunnel,))
    for old, new in peer.edits:
        if old not in text:
            raise ValueError(f"{replay.scenario.name}: {old!r} is not in the device's configuration")
        text = text.replace(old, new)
    end.case.device.load_text(text)


@contextlib.contextmanager
def places(count: int, plane: Plane = "userland") -> Iterator[list[Place]]:
    """Places that share a service. Their SAs stay what they are until a step or a device ends them."""
    with testbed.testbeds(count, **demo.STEADY) as beds:
        in_kernel = plane == "kernel"
        found = []
        for bed in beds:
            bed.base = dataclasses.replace(bed.base, in_kernel=in_kernel)
            lans = (sites.lan(_SECOND_LANS + bed.number), bed.lan)
            second = bed.world.add_device(lans=lans, in_kernel=in_kernel, bare=True)
            found.append(Place(bed, second, plane))
        yield found
