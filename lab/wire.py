"""What leaves a gateway by its uplink, frame by frame, while packets of every kind are sent to the gateway.

Every packet that is sent has a mark in its payload. No frame that leaves may have the mark in clear. Only IKE, ESP and echoes from the
gateway's own outer addresses may leave, and ARP for them.
"""

import contextlib
import itertools
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from lab import sites
from landbridge.engine.strongswan.network import namespace

#: <linux/if_packet.h>: a frame that this end of the wire sent itself.
_OUTGOING = 4
#: SO_RCVBUFFORCE of <asm-generic/socket.h>.
_BUFFER_BY_FORCE = 33
_IPV4, _ARP = 0x0800, 0x0806
_ECHOES = (0, 8)
_IKE_PORTS = (500, 4500)

#: Addresses that a host of the VPC may claim to have: its own, a neighbour's, the gateway's, a branch's, a stranger's.
STRANGER = "192.0.2.55"
NEIGHBOUR = "10.0.0.77"


@dataclass
class Mark:
    """A fresh one for each look at the wire."""

    value: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def packets(self, source: str, target: str) -> Iterator[bytes]:
        """One of every kind of IPv4 packet from one address to the other."""
        payload = self.value * 4
        for kind in (8, 13, 17):  # echo, timestamp and address mask requests (RFC 792, 950)
            yield ipv4(source, target, socket.IPPROTO_ICMP, icmp(kind, payload))
        for port in (9, 500, 4500, 33434):
            yield ipv4(source, target, socket.IPPROTO_UDP, udp(port, payload))
        yield ipv4(source, target, socket.IPPROTO_UDP, udp(9, payload), ttl=1)
        yield ipv4(source, target, socket.IPPROTO_UDP, udp(9, self.value * 90), dont_fragment=True)
        for flags in (0x02, 0x10):  # SYN and ACK
            yield ipv4(source, target, socket.IPPROTO_TCP, tcp(22, flags, payload))
        for protocol in (4, 41, 47, 50, 51, 132):  # IP in IP, IPv6, GRE, ESP, AH, SCTP
            yield ipv4(source, target, protocol, bytes([0, 0, 0, 9]) + payload)


def ipv4(source: str, target: str, protocol: int, body: bytes, *, ttl: int = 64, dont_fragment: bool = False) -> bytes:
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    flags = 0x4000 if dont_fragment else 0
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, flags, ttl, protocol, 0) + ends
    return head[:10] + checksum(head) + ends + body


def checksum(data: bytes) -> bytes:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", 0xFFFF - (total + (total >> 16)) & 0xFFFF)


def icmp(kind: int, payload: bytes) -> bytes:
    head = struct.pack("!BBHHH", kind, 0, 0, 7, 1)
    return head[:2] + checksum(head + payload) + head[4:] + payload


def udp(port: int, payload: bytes, *, source: int = 40000) -> bytes:
    """Without a checksum, which IPv4 allows."""
    return struct.pack("!HHHH", source, port, 8 + len(payload), 0) + payload


def tcp(port: int, flags: int, payload: bytes) -> bytes:
    return struct.pack("!HHIIBBHHH", 40000, port, 1, 1, 0x50, flags, 65535, 0, 0) + payload


@contextlib.contextmanager
def sending(name: str, interface: str, hardware: str) -> Iterator[Callable[[bytes], object]]:
    """Sends IPv4 packets out of an interface to the neighbour `hardware`, whatever routes and addresses say."""
    place = (interface, _IPV4, 0, 0, bytes.fromhex(hardware.replace(":", "")))
    with namespace.inside(name, lambda _: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)) as sender:
        yield lambda packet: _send(sender, packet, place)


def _send(sender: socket.socket, packet: bytes, place: tuple[str, int, int, int, bytes]) -> None:
    """A queue that is full, and a link that is being made, lose packets as a wire does."""
    with contextlib.suppress(OSError):
        sender.sendto(packet, place)


def throw(send: Callable[[bytes], object], mark: Mark, sources: Sequence[str], targets: Sequence[str]) -> int:
    """Sends one packet of every kind from each source to each target. Returns how many."""
    sent = 0
    for source, target in itertools.product(sources, targets):
        for packet in mark.packets(source, target):
            send(packet)
            sent += 1
        time.sleep(0.002)
    return sent


@contextlib.contextmanager
def throwing(
    send: Callable[[bytes], object], mark: Mark, sources: Sequence[str], targets: Sequence[str]
) -> Iterator[None]:
    """Does the same again and again while the block runs."""
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            throw(send, mark, sources, targets)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def remove_namespace(name: str) -> None:
    """Deletes a gateway's namespace as its engine does, the uplink first. When a namespace is deleted whole, the kernel removes the
    firewall a moment before the links.
    """
    namespace.inside(name, lambda ip: ip.link("set", index=namespace.index(ip, "wan"), state="down"))
    namespace.remove(name)


@contextlib.contextmanager
def leaving(name: str, interface: str) -> Iterator[list[bytes]]:
    """The frames that the other end of a wire sends while the block runs; the list is complete after the block. `name` and `interface` are
    this end. An interface that is made anew meanwhile is found again.
    """
    frames: list[bytes] = []
    ended = threading.Event()
    with namespace.inside(name, lambda _: _tap()) as tap:
        thread = threading.Thread(target=_collect, args=(tap, interface, frames, ended))
        thread.start()
        try:
            yield frames
        finally:
            time.sleep(0.2)
            ended.set()
            thread.join()


def _tap() -> socket.socket:
    """Of all interfaces: a socket of one interface ends when that is made anew."""
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    tap.setsockopt(socket.SOL_SOCKET, _BUFFER_BY_FORCE, 1 << 25)
    tap.settimeout(0.05)
    return tap


def _collect(tap: socket.socket, interface: str, frames: list[bytes], ended: threading.Event) -> None:
    while True:
        try:
            frame, (on, _, direction, *_) = tap.recvfrom(65535)
        except TimeoutError:
            if ended.is_set():
                return
            continue
        if on == interface and direction != _OUTGOING:
            frames.append(frame)


def unwanted(frames: Sequence[bytes], endpoints: Sequence[str], mark: Mark) -> list[str]:
    """What is wrong with the frames that left a gateway with these outer addresses, each once."""
    return sorted({fault for frame in frames if (fault := _fault(frame, endpoints, mark))})


def _fault(frame: bytes, endpoints: Sequence[str], mark: Mark) -> str | None:
    (kind,) = struct.unpack("!H", frame[12:14])
    if mark.value in frame:
        return f"in clear: {_told(kind, frame)}"
    if kind == _ARP:
        sender = socket.inet_ntoa(frame[28:32])
        return None if sender in endpoints else f"ARP for {sender}"
    if kind != _IPV4:
        return f"a frame of kind {kind:#06x}"
    return None if _is_wanted(frame[14:], endpoints) else _told(kind, frame)


def _told(kind: int, frame: bytes) -> str:
    if kind != _IPV4:
        return f"a frame of kind {kind:#06x}"
    packet = frame[14:]
    source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    return f"protocol {packet[9]} from {source} to {target}"


def _is_wanted(packet: bytes, endpoints: Sequence[str]) -> bool:
    body = packet[(packet[0] & 15) * 4 :]
    match packet[9]:
        case socket.IPPROTO_ESP:
            allowed = True
        case socket.IPPROTO_UDP:
            allowed = struct.unpack("!H", body[:2])[0] in _IKE_PORTS
        case socket.IPPROTO_ICMP:
            allowed = body[0] in _ECHOES
        case _:
            allowed = False
    return allowed and socket.inet_ntoa(packet[12:16]) in endpoints


def who_has(name: str, interface: str, address: str) -> set[str]:
    """The hardware addresses that answer for an IPv4 address on a link (ARP)."""
    ours = bytes.fromhex(hardware(name, interface).replace(":", ""))
    asked = struct.pack("!HHBBH", 1, _IPV4, 6, 4, 1) + ours + bytes(4) + bytes(6) + socket.inet_aton(address)
    with leaving(name, interface) as frames, namespace.inside(name, lambda _: _tap()) as sender:
        sender.sendto(b"\xff" * 6 + ours + struct.pack("!H", _ARP) + asked, (interface, _ARP))
    answers = [frame for frame in frames if frame[12:14] == struct.pack("!H", _ARP) and frame[20:22] == b"\0\2"]
    return {frame[22:28].hex(":") for frame in answers if socket.inet_ntoa(frame[28:32]) == address}


def hardware(name: str, interface: str) -> str:
    address: str = namespace.inside(name, lambda ip: ip.link("get", ifname=interface)[0].get("address"))
    return address


def sources(world: sites.World, inner: str, lan_host: str) -> tuple[str, ...]:
    """The addresses that a host of the VPC may claim to have."""
    vpc_address, device = sites.VPC_ADDRESS.split("/", maxsplit=1)[0], world.devices[0].address
    return (sites.VPC_HOST, NEIGHBOUR, vpc_address, inner, lan_host, device, sites.EIPS[0], STRANGER)


def targets(world: sites.World, inner: str, lan_host: str) -> tuple[str, ...]:
    """The targets at a gateway that has the inner address `inner` and a tunnel to `lan_host`."""
    vpc_address, device = sites.VPC_ADDRESS.split("/", maxsplit=1)[0], world.devices[0].address
    broad = ("10.0.0.255", "255.255.255.255", "224.0.0.1")
    return (vpc_address, inner, *sites.EIPS[:2], lan_host, device, "192.0.2.99", "169.254.195.1", *broad)
