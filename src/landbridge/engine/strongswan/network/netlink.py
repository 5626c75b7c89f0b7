"""Reads links, addresses, rules and routes from netlink messages.

This module adds addresses, and otherwise changes nothing: pyroute2 does that. An observation with pyroute2 costs a millisecond a question and
50 µs an answer, half a second with a thousand tunnels (measured). Only IPv4, and only what is needed. Layouts: rtnetlink(7), <linux/rtnetlink.h>,
<linux/if_link.h>, <linux/fib_rules.h>.
"""

import errno
import os
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

#: Seconds that the kernel has to answer.
TIMEOUT = 10.0
#: Kinds of messages; a question's answer is the same without 2.
_LINK, _ADDRESS, _ROUTE, _RULE = 18, 22, 26, 34
_ADD_ADDRESS = 20
_REQUEST, _DUMP, _ERROR, _DONE, _INTERRUPTED = 0x1, 0x300, 2, 3, 0x10
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_NEXT_HOP = struct.Struct("=HBBi")
#: IFLA_EXT_MASK with RTEXT_FILTER_SKIP_STATS: the counters are half of the message.
_NO_COUNTERS = struct.pack("=HHI", 8, 29, 8)
#: Dumps of a list that changes meanwhile are marked, and asked for again.
_ATTEMPTS = 3
#: The kernel's own routing table `local`.
_LOCAL_TABLE = 255
#: Not a route of anybody's, but what the kernel learned on one, such as a path's MTU.
_CLONED = 0x200
#: <linux/netfilter/nfnetlink.h> and nf_tables.h: NFT_MSG_GETGEN of nftables; <asm-generic/socket.h>.
_NETFILTER, _GENERATION, _NAMESPACE_COOKIE = 12, 10 << 8 | 16, 71
#: NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE and NFT_MSG_GETSETELEM, and NFPROTO_INET: the family of a table for IPv4 and IPv6.
_TABLES, _CHAINS, _RULES, _SET_ELEMENTS, _INET = 10 << 8 | 1, 10 << 8 | 4, 10 << 8 | 7, 10 << 8 | 13, 1
#: The families of tables as nft names them (<linux/netfilter.h>), and the policies of chains.
_FAMILIES = {_INET: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
_POLICIES = ("drop", "accept")
#: NLM_F_ACK, NLM_F_REPLACE and NLM_F_CREATE.
_PUT = 0x4 | 0x100 | 0x400
#: RTM_F_FIB_MATCH: the route as it was set is asked for, not what becomes of it for one address.
_WHOLE_ROUTE = 0x2000
#: RTN_LOCAL. The table does not tell: the kernel keeps `local` and `main` as one until somebody adds a rule.
_LOCAL = 2
#: Answers of the kernel that mean: there is none.
_NO_LINK = (errno.ENODEV,)
_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL)


class Link(NamedTuple):
    """`parent` is the index of the link below, `master` that of the bridge, 0 for none."""

    ifindex: int
    name: str
    kind: str
    up: bool
    mtu: int
    parent: int
    master: int
    alias: str


class Address(NamedTuple):
    """`link`: index of the link. `text`: with the prefix length."""

    link: int
    text: str


class Route(NamedTuple):
    """`link`: index of the output link; 0 for a multipath route, whose output links are `links`. `gateway` is empty and `mtu` 0 where none
    is set. `learned`: see `_CLONED`.
    """

    table: int
    net: str
    gateway: str
    link: int
    metric: int
    protocol: int
    learned: bool
    mtu: int
    links: tuple[int, ...] = ()


class Rule(NamedTuple):
    priority: int
    source: str
    destination: str
    incoming: str
    table: int


class Snapshot(NamedTuple):
    """The links, addresses, rules and routes of a namespace."""

    links: list[Link]
    addresses: list[Address]
    rules: list[Rule]
    routes: list[Route]


class Reader:
    """Reads the network namespace of the thread that makes the reader. Raises OSError."""

    def __init__(self, protocol: int = socket.NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._socket.settimeout(TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def snapshot(self, *, without: int = 0) -> Snapshot:
        """`without`: see `routes`."""
        return Snapshot(self.links(), self.addresses(), self.rules(), self.routes(without=without))

    def links(self) -> list[Link]:
        return [_link(body) for body in self.dump(_LINK, bytes(16) + _NO_COUNTERS)]

    def link(self, *, name: str = "", ifindex: int = 0) -> Link | None:
        """Finds a link by its name or its index; None when there is none."""
        named = _attribute(3, name.encode() + b"\0") if name else b""
        answer = self._request(_LINK, struct.pack("=BxHiII", 0, 0, ifindex, 0, 0) + named + _NO_COUNTERS, _NO_LINK)
        return _link(answer) if answer else None

    def addresses(self) -> list[Address]:
        return [_address(body) for body in self.dump(_ADDRESS, _family(8))]

    def rules(self) -> list[Rule]:
        return [_rule(body) for body in self.dump(_RULE, _family(12))]

    def routes(self, *, without: int = 0) -> list[Route]:
        """All routes but those of the table `without` and of the kernel's table `local`. Learned routes are always among them."""
        messages = self.dump(_ROUTE, _family(12))
        left_out = (
            _LOCAL_TABLE,
            without,
        )  # the table's low byte stands in the head: a thousand are passed by in a millisecond
        return [_route(body) for body in messages if body[4] not in left_out or _is_learned(body)]

    def output_link(self, address: str) -> int:
        """Index of the link through which packets for the address leave; 0 when they cannot leave."""
        request = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
        answer = self._request(_ROUTE, request + _attribute(1, socket.inet_aton(address)), _NO_WAY)
        return _route(answer).link if answer else 0

    def route_get(self, address: str) -> tuple[Route, bool] | None:
        """The route that packets for the address take, with the block that it is for, and whether they stay on this machine; None
        when they cannot go.
        """
        request = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, _WHOLE_ROUTE)
        answer = self._request(_ROUTE, request + _attribute(1, socket.inet_aton(address)), _NO_WAY)
        return (_route(answer), answer[7] == _LOCAL) if answer else None

    def ensure_address(self, link: int, host: str, length: int) -> None:
        """The address may exist already. pyroute2 would be slow for a thousand addresses, or while somebody waits for a tunnel."""
        value = socket.inet_aton(host)
        head = struct.pack("=BBBBI", socket.AF_INET, length, 0, 0, link)
        self._send(_ADD_ADDRESS, _PUT, head + _attribute(2, value) + _attribute(1, value))
        ((_, _, answer),) = _messages(self._socket.recv(1 << 16))
        if _code(answer):
            raise OSError(_code(answer), os.strerror(_code(answer)))

    def _request(self, kind: int, body: bytes, nothing: tuple[int, ...]) -> bytes | None:
        """Sends one request and returns the answer; None when the answer is one of the errors in `nothing`."""
        self._send(kind, 0, body)
        (answered, _, content), *_ = _messages(self._socket.recv(1 << 16))
        if answered != _ERROR:
            return content
        if _code(content) not in nothing:
            raise OSError(_code(content), os.strerror(_code(content)))
        return None

    def dump(self, kind: int, body: bytes) -> list[bytes]:
        """The bodies of the messages that answer a question for a whole list."""
        for _ in range(_ATTEMPTS):
            self._send(kind, _DUMP, body)
            messages, is_whole = self._list()
            if is_whole:
                break
        return messages

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 0, 0) + body)

    def _list(self) -> tuple[list[bytes], bool]:
        messages: list[bytes] = []
        interrupted = 0
        while True:
            for kind, flags, body in _messages(self._socket.recv(1 << 18)):
                interrupted |= flags & _INTERRUPTED
                if kind == _DONE:
                    return messages, not interrupted
                if kind == _ERROR:
                    raise OSError(_code(body), os.strerror(_code(body)))
                messages.append(body)


def firewall_generation() -> tuple[int, int]:
    """Counts every change of the nftables of the calling thread's namespace, whoever made it: the namespace's own number, which is
    never used again, and the count.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as asking:
        asking.settimeout(TIMEOUT)
        asking.send(_HEADER.pack(_HEADER.size + 4, _GENERATION, _REQUEST, 0, 0) + bytes(4))
        (kind, _, body), *_ = _messages(asking.recv(1 << 16))
        if kind == _ERROR:
            raise OSError(_code(body), os.strerror(_code(body)))
        cookie = asking.getsockopt(socket.SOL_SOCKET, _NAMESPACE_COOKIE, 8)
    return _number(cookie), int.from_bytes(_attributes(body, 4)[1], "big")


#: Name of a chain -> its policy, None for a chain without a hook, and the number of its rules.
Chains = dict[str, tuple[str | None, int]]


def firewall_tables(is_wanted: Callable[[str], object]) -> dict[tuple[str, str], Chains]:
    """(family, name) of each nftables table in the calling thread's namespace whose name is wanted -> its chains. It starts no
    process: `nft` takes 4 ms of a processor.
    """
    with Reader(_NETFILTER) as read:
        listed = [(body[0], _attributes(body, 4)[1]) for body in read.dump(_TABLES, bytes(4))]
        tables = [table for table in listed if is_wanted(_string(table[1]))]
        chains = read.dump(_CHAINS, bytes(4)) if tables else []
        return {(_FAMILIES[table[0]], _string(table[1])): _chains(read, table, chains) for table in tables}


def _chains(read: Reader, table: tuple[int, bytes], listed: list[bytes]) -> Chains:
    family, name = table
    rules = read.dump(_RULES, bytes([family, 0, 0, 0]) + _attribute(1, name))
    count = Counter(_attributes(body, 4)[2] for body in rules)
    chains = [_attributes(body, 4) for body in listed if body[0] == family]
    return {_string(chain[3]): (_policy(chain.get(5)), count[chain[3]]) for chain in chains if chain[1] == name}


def _policy(value: bytes | None) -> str | None:
    return None if value is None else _POLICIES[int.from_bytes(value, "big")]


class SetElement(NamedTuple):
    """`key`: its fields, each padded to 4 bytes. `packets`: of the element's counter, 0 without one."""

    key: bytes
    packets: int


def set_elements(table: str, name: str) -> list[SetElement]:
    """The elements of a set of an nftables table (family inet) in the calling thread's namespace; none where there is no such set."""
    named = _attribute(1, table.encode() + b"\0") + _attribute(2, name.encode() + b"\0")
    head = struct.pack("=BBH", _INET, 0, 0)
    elements: list[SetElement] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as asking:
        asking.settimeout(TIMEOUT)
        length = _HEADER.size + len(head) + len(named)
        asking.send(_HEADER.pack(length, _SET_ELEMENTS, _REQUEST | _DUMP, 0, 0) + head + named)
        while True:
            for kind, _, body in _messages(asking.recv(1 << 18)):
                if kind == _ERROR and _code(body) != errno.ENOENT:
                    raise OSError(_code(body), os.strerror(_code(body)))
                if kind in (_DONE, _ERROR):
                    return elements
                elements += map(_set_element, _each(_attributes(body, 4).get(3, b"")))


def _each(listed: bytes) -> Iterator[bytes]:
    """The values of a list, all of one kind."""
    at = 0
    while at < len(listed):
        length, _ = _ATTRIBUTE.unpack_from(listed, at)
        yield listed[at + 4 : at + length]
        at += length + 3 & ~3


def _set_element(body: bytes) -> SetElement:
    """Key and expression are nested; of a counter, the second attribute is the number of packets."""
    attributes = _attributes(body, 0)
    expression = _attributes(attributes.get(7, b""), 0)
    counted = _attributes(expression.get(2, b""), 0) if _string(expression.get(1)) == "counter" else {}
    return SetElement(_attributes(attributes[1], 0)[1], int.from_bytes(counted.get(2, b""), "big"))


def _family(size: int) -> bytes:
    return bytes([socket.AF_INET]) + bytes(size - 1)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(kind, flags, the rest) of each."""
    at = 0
    while at < len(data):
        length, kind, flags, _, _ = _HEADER.unpack_from(data, at)
        yield kind, flags, data[at + _HEADER.size : at + length]
        at += length + 3 & ~3


def _code(body: bytes) -> int:
    return -int.from_bytes(body[:4], sys.byteorder, signed=True)


def _attributes(body: bytes, at: int) -> dict[int, bytes]:
    """Kind -> value of the attributes from `at` on. The upper two bits of a kind are flags."""
    attributes = {}
    end = len(body)
    while at < end:
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        attributes[kind & 0x3FFF] = body[at + 4 : at + length]
        at += length + 3 & ~3
    return attributes


def _link(body: bytes) -> Link:
    ifindex, flags = struct.unpack_from("=iI", body, 4)
    attributes = _attributes(body, 16)
    kind = _attributes(attributes[18], 0).get(1, b"") if 18 in attributes else b""
    return Link(
        ifindex=ifindex,
        name=_string(attributes.get(3)),
        kind=_string(kind),
        up=bool(flags & 1),
        mtu=_number(attributes.get(4)),
        parent=_number(attributes.get(5)),
        master=_number(attributes.get(10)),
        alias=_string(attributes.get(20)),
    )


def _address(body: bytes) -> Address:
    attributes = _attributes(body, 8)
    return Address(int.from_bytes(body[4:8], sys.byteorder), _net(attributes.get(2), body[1]))


def _route(body: bytes) -> Route:
    attributes = _attributes(body, 12)
    metrics = _attributes(attributes[8], 0) if 8 in attributes else {}
    link = _number(attributes.get(4))
    return Route(
        table=_number(attributes.get(15)) or body[4],
        net=_net(attributes.get(1), body[1]),
        gateway=socket.inet_ntoa(attributes[5]) if 5 in attributes else "",
        link=link,
        metric=_number(attributes.get(6)),
        protocol=body[5],
        learned=_is_learned(body),
        mtu=_number(metrics.get(2)),
        links=tuple(_next_hops(attributes.get(9, b""))),
    )


def _next_hops(multipath: bytes) -> Iterator[int]:
    """The output links of RTA_MULTIPATH, in order: a `struct rtnexthop` for each."""
    at = 0
    while at < len(multipath):
        length, _, _, link = _NEXT_HOP.unpack_from(multipath, at)
        yield link
        at += length + 3 & ~3


def _is_learned(body: bytes) -> bool:
    return bool(_number(body[8:12]) & _CLONED)


def _rule(body: bytes) -> Rule:
    attributes = _attributes(body, 12)
    return Rule(
        priority=_number(attributes.get(6)),
        source=_net(attributes.get(2), body[2]),
        destination=_net(attributes.get(1), body[1]),
        incoming=_string(attributes.get(3)),
        table=_number(attributes.get(15)) or body[4],
    )


def _net(host: bytes | None, length: int) -> str:
    """The kernel leaves out what is all zeros."""
    return f"{socket.inet_ntoa(host or bytes(4))}/{length}"


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", sys.byteorder)


def _string(value: bytes | None) -> str:
    return (value or b"").rstrip(b"\0").decode(errors="replace")
