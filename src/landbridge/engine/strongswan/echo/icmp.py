"""ICMP echoes (RFC 792): messages as values, and a socket that sends and receives them.

This module does not decide which echoes are sent, or when. A raw socket receives a copy of all ICMP of its network namespace, also the
answers to echoes of other senders: the caller compares the identifiers.
"""

import ctypes
import fcntl
import select
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

#: Bytes of the IPv4 header and the ICMP header before an echo's data.
IP_HEADER, ICMP_HEADER = 20, 8
ECHO_REPLY, UNREACHABLE, ECHO_REQUEST, TIME_EXCEEDED = 0, 3, 8, 11
#: Code of UNREACHABLE: fragmentation needed (RFC 1191).
TOO_BIG = 4

# <linux/icmp.h>, <linux/in.h>, <linux/sockios.h>
_SOL_RAW, _ICMP_FILTER = 255, 1
_IP_PKTINFO, _IP_MTU_DISCOVER = 8, 10
_PMTUDISC_DONT, _PMTUDISC_PROBE = 0, 3
_SIOCGIFINDEX, _SIOCGIFMTU = 0x8933, 0x8921
# <asm-generic/socket.h>: SO_TIMESTAMPNS with 64 bits of seconds, and a buffer beyond net.core.rmem_max
_TIMESTAMP, _RCVBUFFORCE = 64, 33
_TIME = struct.Struct("=qq")
# <linux/filter.h>, <linux/bpf_common.h>: load a word at a place, the interface that a packet came in by; compare; return the bytes to keep
_ATTACH_FILTER, _LOAD, _IF_EQUAL, _RETURN, _INCOMING = 26, 0x20, 0x15, 0x06, 0xFFFFF008
#: Bytes of answers that wait: those of a thousand echoes that leave at once.
_ROOM = 1 << 20
_RECEIVED = (ECHO_REPLY, UNREACHABLE, TIME_EXCEEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoReply:
    """An answer to an echo. `source`: who answers; `destination`: the address that asked; `size`: bytes of the IP packet. `at`: when the kernel
    received it, in seconds since 1970; 0 when it was not received by a socket.
    """

    source: str
    destination: str
    identifier: int
    sequence: int
    size: int
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpError:
    """A destination unreachable or time exceeded message. `reporter` is who says it. `source`, `destination` and `protocol` are those of the
    packet that the message quotes. `identifier` and `sequence` are None when that packet is no echo. `mtu`: bytes, of a TOO_BIG (RFC 1191);
    0 when the reporter does not tell.
    """

    type: int
    code: int
    reporter: str
    source: str
    destination: str
    protocol: int
    identifier: int | None = None
    sequence: int | None = None
    mtu: int | None = None


def echo(identifier: int, sequence: int, size: int) -> bytes:
    """An echo request, from its ICMP header on. `size`: bytes of the whole IP packet, 28 to 65535. Raises ValueError."""
    if not IP_HEADER + ICMP_HEADER <= size <= 0xFFFF:
        raise ValueError(f"an echo has 28 to 65535 bytes, not {size}")
    data = bytes(size - IP_HEADER - ICMP_HEADER)
    head = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, identifier, sequence)
    return head[:2] + struct.pack("!H", checksum(head + data)) + head[4:] + data


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    words = struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2])
    total: int = sum(words) + (data[-1] << 8 if len(data) % 2 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def parse(packet: bytes, at: float = 0.0) -> EchoReply | IcmpError | None:
    """Reads a received IPv4 packet with ICMP. `at`: when it was received, in seconds since 1970. None: another message, one that is too short, or
    one with a wrong checksum.
    """
    head = _header_length(packet)
    if head is None or len(packet) < head + ICMP_HEADER or checksum(packet[head:]):
        return None
    kind, code, _, first, second = struct.unpack_from("!BBHHH", packet, head)
    if kind == ECHO_REPLY:
        source, destination = _addresses(packet)
        return EchoReply(
            source=source, destination=destination, identifier=first, sequence=second, size=len(packet), at=at
        )
    if kind in (UNREACHABLE, TIME_EXCEEDED):
        return _parse_error(packet, packet[head + ICMP_HEADER :], kind, code, second)
    return None


def _parse_error(packet: bytes, quoted: bytes, kind: int, code: int, second: int) -> IcmpError | None:
    head = _header_length(quoted)
    if head is None:
        return None
    identifier = sequence = None
    protocol = quoted[9]
    if protocol == socket.IPPROTO_ICMP and len(quoted) >= head + ICMP_HEADER and quoted[head] == ECHO_REQUEST:
        identifier, sequence = struct.unpack_from("!HH", quoted, head + 4)
    source, destination = _addresses(quoted)
    return IcmpError(
        type=kind,
        code=code,
        reporter=_addresses(packet)[0],
        source=source,
        destination=destination,
        protocol=protocol,
        identifier=identifier,
        sequence=sequence,
        mtu=second if (kind, code) == (UNREACHABLE, TOO_BIG) else None,
    )


def _header_length(packet: bytes) -> int | None:
    """Bytes of the IPv4 header; None when the packet has no whole one."""
    length = (packet[0] & 15) * 4 if packet else 0
    return length if length >= IP_HEADER and len(packet) >= length and packet[0] >> 4 == 4 else None


def _addresses(packet: bytes) -> tuple[str, str]:
    return socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])


class EchoSocket:
    """Sends echoes to any number of destinations, and receives the answers and the errors. It belongs to the network namespace of the
    thread that made it (`namespace.inside`), and any one thread at a time may use it. A context manager.
    """

    def __init__(self) -> None:
        """Raises OSError."""
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        dropped = ~sum(1 << kind for kind in _RECEIVED) & 0xFFFFFFFF
        self._raw.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", dropped))
        self._raw.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
        self._raw.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _ROOM)

    def ignore(self, device: str) -> None:
        """Drops what comes in by this interface, before the receive buffer (a socket filter). Raises OSError: ENODEV without the interface."""
        program = b"".join(
            struct.pack("=HBBI", *instruction)
            for instruction in (
                (_LOAD, 0, 0, _INCOMING),
                (_IF_EQUAL, 0, 1, self._index(device)),
                (_RETURN, 0, 0, 0),
                (_RETURN, 0, 0, 0xFFFF),
            )
        )
        buffer = ctypes.create_string_buffer(program, len(program))
        attached = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
        self._raw.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, attached)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._raw.close()

    def fileno(self) -> int:
        return self._raw.fileno()

    def send(
        self,
        source: str,
        destination: str,
        *,
        device: str | None = None,
        identifier: int,
        sequence: int,
        size: int = 64,
        dont_fragment: bool = False,
    ) -> None:
        """Sends one echo of `size` bytes, IP header included. `device`: the interface that it leaves by; None: the routing rules decide.
        `dont_fragment`: sets DF, and ignores the path MTU that the kernel has learned. Raises OSError: EMSGSIZE when the packet is larger than
        the interface takes, ENODEV without the interface, EPERM when the firewall drops it.
        """
        index = self._index(device) if device else 0
        info = struct.pack("=I4s4s", index, socket.inet_aton(source), bytes(4))
        discover = _PMTUDISC_PROBE if dont_fragment else _PMTUDISC_DONT
        self._raw.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, discover)
        self._raw.sendmsg(
            [echo(identifier, sequence, size)],
            [(socket.IPPROTO_IP, _IP_PKTINFO, info)],
            socket.MSG_DONTWAIT,
            (destination, 0),
        )

    def mtu(self, device: str) -> int:
        """Bytes of the largest packet that an interface takes. Raises OSError: ENODEV without the interface."""
        return self._ask(_SIOCGIFMTU, device)

    def _index(self, device: str) -> int:
        return self._ask(_SIOCGIFINDEX, device)

    def _ask(self, question: int, device: str) -> int:
        """About an interface in the socket's namespace; `if_nametoindex` would look into that of the calling thread."""
        request = struct.pack("=16si20x", device.encode(), 0)
        return int(struct.unpack_from("=i", fcntl.ioctl(self._raw, question, request), 16)[0])

    def receive(self, timeout: float = 0.0) -> Iterator[EchoReply | IcmpError]:
        """All messages that wait, in the order of their arrival. `timeout`: seconds to wait for the first one."""
        poll = select.poll()
        poll.register(self._raw, select.POLLIN)
        poll.poll(timeout * 1000)
        while True:
            try:
                packet, more, _, _ = self._raw.recvmsg(0xFFFF, socket.CMSG_SPACE(_TIME.size), socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            seconds, nanoseconds = _TIME.unpack(more[0][2]) if more else (0, 0)
            if (message := parse(packet, seconds + nanoseconds / 1e9)) is not None:
                yield message
