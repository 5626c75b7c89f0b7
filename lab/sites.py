"""A small world on one machine: an underlay with a VPC, and customers' devices that are ordinary strongSwans.

A device is configured by hand-written swanctl.conf text, never by our mapping code, so that both ends can not share a mistake. A
world has namespaces, folder and processes of its own and removes them when its `with` block ends, however it ends; it ends no
process that it did not start. Needs root.

    <p>-vpc 10.0.0.10 ── bridge vpc ┐                       ┌ <p>-d0 198.51.100.2 ── <p>-h0 192.168.44.10
                                    └ <p>-wan (underlay) ───┤
              EIPs 203.0.113.0/24, routed here by a gateway ┘ <p>-d1 198.51.100.6 ── <p>-h1 …
"""

import contextlib
import ipaddress
import os
import secrets
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from landbridge import model
from landbridge.engine.strongswan.network import namespace

#: How many times longer `wait_for` waits: in a virtual machine all takes longer.
SLOWNESS = float(os.environ.get("LAB_SLOWNESS", "1"))
CHARON = "/usr/sbin/charon-systemd"
VPC = "10.0.0.0/24"
VPC_ADDRESS = "10.0.0.1/24"
VPC_HOST = "10.0.0.10"
LAN = "192.168.44.0/24"
EIPS = tuple(f"203.0.113.{last}" for last in range(10, 30))
#: Of a device that is many peers at once: an address for each, and a LAN behind it.
PEERS = ipaddress.IPv4Network("198.18.0.0/16")
_LANS = ipaddress.IPv4Network("10.64.0.0/14")

_STRONGSWAN_CONF = """\
charon-systemd {{
  load_modular = no
  load = random nonce openssl kdf pem pubkey x509 pkcs1 {kernel} kernel-netlink socket-default vici counters eap-identity eap-md5
  threads = 32
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  make_before_break = yes
  # 0 is no limit by the manual, and 4 half-open SAs of an address in truth: charon lifts it above cookie_threshold_ip
  block_threshold = 65535
  half_open_timeout = {half_open_timeout}
  retransmit_tries = {retransmit_tries}
  plugins {{
    vici {{
      socket = unix://{folder}/charon.vici
    }}
  }}
  filelog {{
    file {{
      path = {folder}/charon.log
      flush_line = yes
      default = 1
    }}
  }}
  journal {{
    default = -1
  }}
}}
swanctl {{
  load = random openssl pem pubkey x509 pkcs1
}}
"""

_CONNECTION = """\
  {name} {{
    version = {version}
    aggressive = {aggressive}
    local_addrs = {address}
    remote_addrs = {gateway}
    proposals = {proposals}
    mobike = no
    dpd_delay = {dpd}s
    rekey_time = {ike_rekey}s
    if_id_in = {if_id}
    if_id_out = {if_id}
    local {{
      auth = psk
      id = {local_id}
    }}
    remote {{
      auth = psk
      id = {remote_id}
    }}
    children {{
{children}
    }}
  }}
"""

_CHILD = """\
      {name} {{
        local_ts = {local}
        remote_ts = {remote}
        esp_proposals = {esp_proposals}
        rekey_time = {rekey}s
        rekey_bytes = {rekey_bytes}
        life_bytes = {life_bytes}
        rekey_packets = {rekey_packets}
        life_packets = {life_packets}
        start_action = {start_action}
      }}
"""

_SHARED = """\
  ike-{name} {{
    id-1 = {local_id}
    id-2 = {remote_id}
    secret = "{psk}"
  }}
"""


def peer(number: int) -> str:
    return str(PEERS[number + 1])


def lan(number: int) -> str:
    return f"{_LANS[16 * number]}/28"


def lan_host(number: int) -> str:
    return str(_LANS[16 * number + 10])


@dataclass(frozen=True, kw_only=True)
class Tunnel:
    """One connection as a device's administrator writes it, in swanctl's words. `pairs`: (device's side, gateway's side).

    The ids are the addresses unless given; a PSK that begins with 0x or 0s would be decoded by swanctl. `address` is the
    device's, of those that it has, when it is not its first. `if_id`: of the device's own XFRM interface, when it has one. `dpd`: the seconds of
    silence after which it asks whether the gateway lives. `rekey`: the seconds after which it rekeys a CHILD_SA; the IKE_SA after four times as many. `rekey_bytes` and
    `rekey_packets`: the volume in one direction after which it rekeys a CHILD_SA, which ends after twice as much; 0: never.
    """

    gateway: str
    psk: str
    name: str = "hq"
    version: Literal[1, 2] = 2
    aggressive: bool = False
    proposals: str = "aes128-sha256-modp3072"
    esp_proposals: str = "aes128-sha256-modp3072"
    local_id: str | None = None
    remote_id: str | None = None
    pairs: tuple[tuple[str, str], ...] = ((LAN, VPC),)
    start: bool = False
    address: str | None = None
    if_id: int = 0
    dpd: int = 30
    rekey: int = 3600
    rekey_bytes: int = 0
    rekey_packets: int = 0


@dataclass
class Device:
    """A customer's device, its LANs and a host with the address .10 in each of them. `half_open_timeout`: the seconds after which it forgets a
    negotiation that stands still. `retransmit_tries`: how often it repeats a request before it takes the gateway for dead: after 165 seconds, or
    after 24 with two.
    """

    namespace: str
    host: str
    address: str
    folder: Path
    in_kernel: bool = False
    half_open_timeout: int = 30
    retransmit_tries: int = 5
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def uri(self) -> str:
        return f"unix://{self.folder}/charon.vici"

    def log(self) -> str:
        return (self.folder / "charon.log").read_text(errors="replace")

    def load(self, *tunnels: Tunnel) -> None:
        """Replaces the device's whole configuration. Established SAs stay."""
        self.load_text(render(self.address, tunnels))

    def load_text(self, text: str) -> None:
        """The same with a swanctl.conf as somebody else wrote it."""
        (self.folder / "swanctl.conf").write_text(text)
        self.swanctl("--load-all", "--clear")

    def swanctl(self, command: str, *arguments: str) -> str:
        return _run("swanctl", command, "--uri", self.uri, *arguments, env=self._environment)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "STRONGSWAN_CONF": f"{self.folder}/strongswan.conf",
            "SWANCTL_DIR": str(self.folder),
            "PATH": os.environ["PATH"],
        }

    def start(self) -> None:
        self.folder.mkdir()
        (self.folder / "strongswan.conf").write_text(
            _STRONGSWAN_CONF.format(
                folder=self.folder,
                kernel="" if self.in_kernel else "kernel-libipsec",
                half_open_timeout=self.half_open_timeout,
                retransmit_tries=self.retransmit_tries,
            )
        )
        self.restart()

    def restart(self) -> None:
        """Starts charon again, after `stop`. It has no configuration."""
        with (self.folder / "charon.out").open("ab") as out:
            command = ["nsenter", f"--net=/run/netns/{self.namespace}", CHARON]
            self.process = subprocess.Popen(
                command, env=self._environment, cwd="/", stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        wait_for(self._listens, "the device's charon to start")

    def _listens(self) -> bool:
        """The socket is there a moment before charon listens on it."""
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.folder / "charon.vici")) == 0

    def stop(self, *, kill: bool = False) -> None:
        """`kill` leaves the other side in the belief that the device is there."""
        if self.process is None:
            return
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(timeout=60)
        self.process = None


def render(address: str, tunnels: tuple[Tunnel, ...]) -> str:
    connections = "".join(_render_connection(tunnel.address or address, tunnel) for tunnel in tunnels)
    shared = "".join(
        _SHARED.format(
            name=tunnel.name,
            local_id=tunnel.local_id or tunnel.address or address,
            remote_id=tunnel.remote_id or tunnel.gateway,
            psk=tunnel.psk,
        )
        for tunnel in tunnels
    )
    return f"connections {{\n{connections}}}\nsecrets {{\n{shared}}}\n"


def _render_connection(address: str, tunnel: Tunnel) -> str:
    children = "".join(
        _CHILD.format(
            name=f"{tunnel.name}-{number}",
            local=local,
            remote=remote,
            esp_proposals=tunnel.esp_proposals,
            rekey=tunnel.rekey,
            rekey_bytes=tunnel.rekey_bytes,
            life_bytes=2 * tunnel.rekey_bytes,
            rekey_packets=tunnel.rekey_packets,
            life_packets=2 * tunnel.rekey_packets,
            start_action="start" if tunnel.start else "none",
        )
        for number, (local, remote) in enumerate(tunnel.pairs)
    )
    return _CONNECTION.format(
        name=tunnel.name,
        version=tunnel.version,
        aggressive="yes" if tunnel.aggressive else "no",
        address=address,
        gateway=tunnel.gateway,
        proposals=tunnel.proposals,
        local_id=tunnel.local_id or address,
        remote_id=tunnel.remote_id or tunnel.gateway,
        if_id=tunnel.if_id,
        dpd=tunnel.dpd,
        ike_rekey=4 * tunnel.rekey,
        children=children.rstrip("\n"),
    )


@dataclass
class World:
    """Use as `with World() as world:`; `folder` is a temporary one, short enough for sockets."""

    prefix: str = field(default_factory=lambda: f"t{secrets.token_hex(3)}")
    devices: list[Device] = field(default_factory=list)
    _undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=f"{self.prefix}-"))
            self._undo.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._add_underlay()
        except BaseException:
            self._undo.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    @property
    def wan(self) -> str:
        return f"{self.prefix}-wan"

    @property
    def vpc_host(self) -> str:
        return f"{self.prefix}-vpc"

    def site(self, network_id: str) -> model.Site:
        """The inventory of this world: its EIPs (ids `eip-10` and on), its VPC under the id given, one zone."""
        return model.Site(
            eips=tuple(model.Eip(id=f"eip-{address.rsplit('.', maxsplit=1)[1]}", address=address) for address in EIPS),
            networks=(self.network(network_id),),
            zones=("lab-1a",),
            any_network=False,
            underlay=self.wan,
        )

    def network(self, network_id: str) -> model.Network:
        return model.Network(id=network_id, cidr=VPC, bridge="vpc", address=VPC_ADDRESS)

    def add_network(self, number: int) -> str:
        """A bridge `vpcN` in the underlay with a host of its own, 10.0.N.10, whose router is 10.0.N.1. Returns the host's namespace."""
        name, bridge = f"{self.prefix}-v{number}", f"vpc{number}"
        self._add_namespace(name)
        ip(self.wan, f"link add {bridge} type bridge")
        ip(self.wan, f"link set {bridge} up")
        self._join(name, "eth0", f"10.0.{number}.10/24", self.wan, f"{bridge}-host", None)
        ip(self.wan, f"link set {bridge}-host master {bridge}")
        ip(name, f"route add default via 10.0.{number}.1")
        return name

    def add_device(
        self,
        *tunnels: Tunnel,
        lans: tuple[str, ...] = (LAN,),
        inner: str | None = None,
        addresses: tuple[str, ...] = (),
        in_kernel: bool = False,
        bare: bool = False,
        half_open_timeout: int = 30,
        retransmit_tries: int = 5,
    ) -> Device:
        """A device on a /30 of its own, the first at 198.51.100.2, loaded with `tunnels`. `inner` is its tunnel address.

        `addresses` are more of its own, so that it can be many peers at once. charon comes after all addresses: it would miss
        some of hundreds. `in_kernel`: its ESP is the kernel's; otherwise charon's own, always in UDP. `bare`: no
        charon, the test starts another daemon.
        """
        number = len(self.devices)
        address = f"198.51.100.{4 * number + 2}"
        device = Device(
            f"{self.prefix}-d{number}",
            f"{self.prefix}-h{number}",
            address,
            self.folder / f"d{number}",
            in_kernel,
            half_open_timeout,
            retransmit_tries,
        )
        self._add_namespace(device.namespace)
        self._add_namespace(device.host)
        self._join(device.namespace, "wan", f"{address}/30", self.wan, f"d{number}", f"198.51.100.{4 * number + 1}/30")
        ip(device.namespace, f"route add default via 198.51.100.{4 * number + 1}")
        self._add_lans(device, lans)
        if inner:
            ip(device.namespace, f"address add {inner} dev lo")
        self.add_addresses(device, addresses)
        self._undo.callback(device.stop)
        self.devices.append(device)
        if bare:
            device.folder.mkdir()
            return device
        device.start()
        device.load(*tunnels)
        return device

    def cut(self, address: str, port: int | None = None) -> None:
        """Drops every packet from and to an address in the underlay; with a port those to this UDP port alone."""
        to = "" if port is None else f" udp dport {port}"
        rules = (f"add rule ip cut forward ip {end} {address}{to} drop" for end in ("saddr", "daddr"))
        chain = "add chain ip cut forward { type filter hook forward priority 0; }"
        self._nft("add table ip cut", chain, *rules)

    def mend(self) -> None:
        """Ends all cuts."""
        self._nft("delete table ip cut")

    def _nft(self, *commands: str) -> None:
        _run("ip", "netns", "exec", self.wan, "nft", "-f", "-", given="\n".join(commands))

    def add_addresses(self, device: Device, addresses: tuple[str, ...]) -> None:
        """More addresses for the device's machine. A daemon that runs there may miss them."""
        _ip_all(device.namespace, [f"address add {each}/32 dev lo" for each in addresses])
        _ip_all(self.wan, [f"route add {each}/32 via {device.address}" for each in addresses])

    def remove_addresses(self, device: Device, addresses: tuple[str, ...]) -> None:
        _ip_all(self.wan, [f"route delete {each}/32" for each in addresses])
        _ip_all(device.namespace, [f"address delete {each}/32 dev lo" for each in addresses])

    def _add_lans(self, device: Device, lans: tuple[str, ...]) -> None:
        self._join(device.namespace, "lan", None, device.host, "lan", None)
        nets = [ipaddress.IPv4Network(lan) for lan in lans]
        _ip_all(device.namespace, [f"address add {net[1]}/{net.prefixlen} dev lan" for net in nets])
        _ip_all(device.host, [f"address add {net[10]}/{net.prefixlen} dev lan" for net in nets])
        ip(device.host, f"route add default via {nets[0][1]}")

    def _add_underlay(self) -> None:
        self._add_namespace(self.wan)
        self._add_namespace(self.vpc_host)
        ip(self.wan, "link add vpc type bridge")
        ip(self.wan, "link set vpc up")
        self._join(self.vpc_host, "eth0", f"{VPC_HOST}/24", self.wan, "vpc-host", None)
        ip(self.wan, "link set vpc-host master vpc")
        ip(self.vpc_host, f"route add default via {VPC_ADDRESS.split('/', maxsplit=1)[0]}")

    def _add_namespace(self, name: str) -> None:
        _run("ip", "netns", "add", name)
        self._undo.callback(_run, "ip", "netns", "delete", name)
        ip(name, "link set lo up")
        forward(name)

    def _join(
        self, near: str, near_end: str, near_address: str | None, far: str, far_end: str, far_address: str | None
    ) -> None:
        _run("ip", "link", "add", near_end, "netns", near, "type", "veth", "peer", "name", far_end, "netns", far)
        for name, end, address in ((near, near_end, near_address), (far, far_end, far_address)):
            if address:
                ip(name, f"address add {address} dev {end}")
            ip(name, f"link set {end} up")


def forward(name: str) -> None:
    """Lets a new namespace forward, without a reverse path filter. It has the one of this machine otherwise: systemd sets one (2), which drops packets of
    devices that move. Interfaces take it when they are made.
    """

    def write() -> None:
        ipv4 = Path("/proc/sys/net/ipv4")
        (ipv4 / "ip_forward").write_text("1")
        for which in ("all", "default"):
            (ipv4 / f"conf/{which}/rp_filter").write_text("0")

    namespace.inside(name, lambda _: write())


def ping(source: str, target: str, *, wait: int = 20, address: str | None = None) -> bool:
    """Whether an echo from a namespace is answered within `wait` seconds. Five a second are sent: a tunnel's first packets may be
    lost, since the initiator of a quick mode has it before the responder (RFC 2409, 5.5), and in IKEv2 the other way round. The
    first answer ends the wait; where no answer is expected, give a short one. `address`: the source, if the namespace has several.
    """
    command = ["ip", "netns", "exec", source, "ping", "-n", "-q", "-c", "1", "-i", "0.2", "-w", str(wait)]
    command += ["-I", address] if address else []
    return subprocess.run([*command, target], capture_output=True, check=False).returncode == 0


def wait_for(happened: Callable[[], object], what: str, *, seconds: float = 90.0) -> None:
    seconds *= SLOWNESS
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.02)


@dataclass(frozen=True)
class Packet:
    """What a wire shows of a packet. `spi` is 8 hex digits, of ESP alone (plain or in UDP 4500)."""

    kind: Literal["esp", "ike", "icmp", "other"]
    source: str
    target: str
    spi: str | None = None


def inject(name: str, interface: str, hardware: str, source: str, target: str) -> None:
    """Sends a UDP datagram out of an interface to the neighbour `hardware`, whatever routes and addresses say."""
    place = (interface, 0x0800, 0, 0, bytes.fromhex(hardware.replace(":", "")))

    def send(_: object) -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sender:
            sender.sendto(_datagram(source, target), place)

    namespace.inside(name, send)


def _datagram(source: str, target: str) -> bytes:
    """IPv4 with its checksum (RFC 1071), UDP without; both ports are 9, discard."""
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, socket.IPPROTO_UDP, 0) + ends
    checksum = 0xFFFF - sum(struct.unpack("!10H", head)) % 0xFFFF
    return head[:10] + struct.pack("!H", checksum) + ends + struct.pack("!HHHH", 9, 9, 8, 0)


@contextlib.contextmanager
def capturing(name: str, interface: str) -> Iterator[list[Packet]]:
    """The packets that pass an interface while the block runs; the list is complete after the block."""
    packets: list[Packet] = []
    ended = threading.Event()
    with namespace.inside(name, lambda _: _tap(interface)) as tap:
        thread = threading.Thread(target=_collect, args=(tap, packets, ended))
        thread.start()
        try:
            yield packets
        finally:
            ended.set()
            thread.join()


def _tap(interface: str) -> socket.socket:
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    tap.bind((interface, 0))
    tap.settimeout(0.05)
    return tap


def _collect(tap: socket.socket, packets: list[Packet], ended: threading.Event) -> None:
    """Reads on after the end until the queue is empty: the last packet counts."""
    while True:
        try:
            frame = tap.recv(65535)
        except TimeoutError:
            if ended.is_set():
                return
            continue
        if frame[12:14] == b"\x08\x00":
            packets.append(parse_packet(frame[14:]))


def parse_packet(data: bytes) -> Packet:
    """An IPv4 packet. ESP in UDP is told from IKE by the first 4 bytes (RFC 3948, section 2.2: IKE has zeros there)."""
    header, protocol = (data[0] & 15) * 4, data[9]
    source, target = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
    body = data[header:]
    if protocol == socket.IPPROTO_ICMP:
        return Packet("icmp", source, target)
    if protocol == socket.IPPROTO_ESP:
        return Packet("esp", source, target, body[:4].hex())
    if protocol == socket.IPPROTO_UDP:
        ports = struct.unpack("!HH", body[:4])
        if 4500 in ports and len(body) >= 12:
            return (
                Packet("ike", source, target)
                if not any(body[8:12])
                else Packet("esp", source, target, body[8:12].hex())
            )
        if 500 in ports:
            return Packet("ike", source, target)
    return Packet("other", source, target)


def ip(name: str, command: str) -> None:
    _run("ip", "-n", name, *command.split())


def _ip_all(name: str, commands: list[str]) -> None:
    """Many at once: a thousand processes would take seconds."""
    _run("ip", "-n", name, "-batch", "-", given="\n".join(commands))


def _run(*command: str, env: dict[str, str] | None = None, given: str | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
