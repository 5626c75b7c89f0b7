"""ICMP messages as values, and echoes between two network namespaces."""

import errno
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest

from landbridge.engine.strongswan.echo import icmp
from landbridge.engine.strongswan.network import namespace
from tests.engine.strongswan.echo.conftest import FAR, NEAR


def ip_packet(source: str, destination: str, content: bytes, protocol: int = socket.IPPROTO_ICMP) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), 0, 0, 64, protocol, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(destination) + content


def message(kind: int, code: int, rest: int, content: bytes = b"") -> bytes:
    packed = struct.pack("!BBHI", kind, code, 0, rest) + content
    return packed[:2] + struct.pack("!H", icmp.checksum(packed)) + packed[4:]


ASKED = ip_packet(NEAR, "10.9.0.1", icmp.echo(77, 3, 64)[:8])
ESP = ip_packet(NEAR, FAR, bytes(8), protocol=50)


def error(kind: int, code: int, **fields: Any) -> icmp.IcmpError:
    quoted = {"source": NEAR, "destination": "10.9.0.1", "protocol": 1, "identifier": 77, "sequence": 3}
    return icmp.IcmpError(**{"type": kind, "code": code, "reporter": FAR, **quoted, **fields})


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param(
            message(0, 0, 77 << 16 | 3, bytes(36)),
            icmp.EchoReply(source=FAR, destination=NEAR, identifier=77, sequence=3, size=64),
            id="a reply",
        ),
        pytest.param(message(3, 0, 0, ASKED), error(3, 0), id="no route to the network"),
        pytest.param(message(3, 1, 0, ASKED), error(3, 1), id="no route to the host"),
        pytest.param(message(3, 4, 1400, ASKED), error(3, 4, mtu=1400), id="too big"),
        pytest.param(message(3, 4, 0, ASKED), error(3, 4, mtu=0), id="too big, from a router older than RFC 1191"),
        pytest.param(message(11, 0, 0, ASKED), error(11, 0), id="time exceeded"),
        pytest.param(
            message(3, 4, 1300, ESP),
            error(3, 4, mtu=1300, destination=FAR, protocol=50, identifier=None, sequence=None),
            id="about ESP",
        ),
        pytest.param(
            message(3, 1, 0, ASKED[:24]), error(3, 1, identifier=None, sequence=None), id="a quote that ends early"
        ),
        pytest.param(message(3, 1, 0, ASKED[:12]), None, id="a quote without a whole header"),
        pytest.param(message(8, 0, 77 << 16 | 3), None, id="a request"),
        pytest.param(message(0, 0, 0)[:6], None, id="a message that ends early"),
        pytest.param(b"\x00\x00\x12\x34" + bytes(8), None, id="a wrong checksum"),
    ],
)
def test_a_message_is_a_value(content: bytes, found: icmp.EchoReply | icmp.IcmpError | None):
    assert icmp.parse(ip_packet(FAR, NEAR, content)) == found


@pytest.mark.parametrize("packet", [b"", b"\x45", b"\x60" + bytes(60), b"\x4f" + bytes(30)])
def test_what_is_no_packet_is_no_message(packet: bytes):
    assert icmp.parse(packet) is None


@pytest.mark.parametrize("size", [28, 29, 64, 1438, 65535])
def test_an_echo_has_the_size_of_its_packet(size: int):
    packed = icmp.echo(1, 65535, size)
    assert len(packed) == size - 20
    assert icmp.checksum(packed) == 0


@pytest.mark.parametrize("size", [27, 65536])
def test_an_echo_of_another_size_is_refused(size: int):
    with pytest.raises(ValueError, match="28 to 65535"):
        icmp.echo(1, 1, size)


@pytest.fixture
def opened(near: str) -> Iterator[icmp.EchoSocket]:
    with namespace.inside(near, lambda _: icmp.EchoSocket()) as opened:
        yield opened


@pytest.mark.tunnel
def test_echoes_to_several_addresses_are_told_apart_by_their_numbers(opened: icmp.EchoSocket):
    before = time.time()
    opened.send(NEAR, FAR, identifier=7, sequence=1)
    opened.send(NEAR, "10.1.0.1", identifier=7, sequence=2)
    opened.send(NEAR, "10.2.0.1", identifier=7, sequence=3)
    opened.send(NEAR, FAR, device="e1", identifier=7, sequence=4, size=1400, dont_fragment=True)
    found: list[icmp.EchoReply | icmp.IcmpError] = []
    while len(found) < 3 and (more := list(opened.receive(5))):
        found += more
    by_number = {one.sequence: one for one in found}
    assert sorted(filter(None, by_number)) == [1, 3, 4]
    assert by_number[4] == icmp.EchoReply(source=FAR, destination=NEAR, identifier=7, sequence=4, size=1400)
    assert before <= by_number[4].at <= time.time()
    refused = by_number[3]
    assert isinstance(refused, icmp.IcmpError)
    assert (refused.type, refused.code) == (icmp.UNREACHABLE, 1)  # host unreachable (RFC 792)
    assert (refused.reporter, refused.destination) == (FAR, "10.2.0.1")


@pytest.mark.tunnel
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"device": "e9"}, errno.ENODEV, id="no such interface"),
        pytest.param({"size": 1401, "dont_fragment": True}, errno.EMSGSIZE, id="larger than the interface takes"),
        pytest.param({"destination": "10.3.0.1"}, errno.EHOSTUNREACH, id="no route"),
    ],
)
def test_an_echo_that_cannot_leave_is_an_error(opened: icmp.EchoSocket, fields: dict[str, Any], code: int):
    with pytest.raises(OSError, match=os.strerror(code)):
        opened.send(**{"source": NEAR, "destination": FAR, "identifier": 7, "sequence": 1, **fields})


@pytest.mark.tunnel
def test_what_comes_in_by_an_ignored_interface_is_not_received(near: str, opened: icmp.EchoSocket):
    with namespace.inside(near, lambda _: icmp.EchoSocket()) as other:
        other.ignore("lo")
        opened.ignore("e1")
        opened.send(NEAR, FAR, identifier=7, sequence=6)
        assert [one.sequence for one in other.receive(5)] == [6]
        assert list(opened.receive(0)) == []
        with pytest.raises(OSError, match=os.strerror(errno.ENODEV)):
            opened.ignore("e9")


@pytest.mark.tunnel
def test_a_device_is_taken_even_where_the_routes_refuse_the_address(opened: icmp.EchoSocket):
    opened.send(NEAR, "10.3.0.1", device="e1", identifier=7, sequence=5)
    assert [one.sequence for one in opened.receive(5)] == [5]
