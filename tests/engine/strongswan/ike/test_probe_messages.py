"""The messages of a probe, and the parser of answers: correct and malformed ones."""

import contextlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.engine.strongswan.ike import probe_messages as messages
from landbridge.model import allowed_values, negotiation

SPI, NONCE = bytes(range(8)), bytes(range(32))
RANDOM = bytes(messages.RANDOM_LENGTH)
US = negotiation.Identity(kind="ip", value="203.0.113.10")
#: Bytes that fit into one Ethernet frame after the headers of IPv4 and UDP.
FRAME = 1472
API_GROUPS = {int(name.removeprefix("group")) for name in allowed_values.GROUPS}


def payload(following: int, content: bytes):
    return struct.pack("!BBH", following, 0, 4 + len(content)) + content


def message(kind: int, *payloads: bytes, version: int = 0x20, exchange: int = 34, flags: int = 0x20, spi: bytes = SPI):
    body = b"".join(payloads)
    return spi + bytes(8) + struct.pack("!BBBBII", kind, version, exchange, flags, 0, 28 + len(body)) + body


def notify(number: int, data: bytes = b"", spi: bytes = b""):
    return payload(0, struct.pack("!BBH", 0, len(spi), number) + spi + data)


def v1_notify(number: int, spi: bytes = b""):
    return payload(0, struct.pack("!IBBH", 1, 1, len(spi), number) + spi)


def proposal(*transforms: bytes):
    """Each transform without its header."""
    parts = [
        struct.pack("!BBH", 3 if at < len(transforms) - 1 else 0, 0, 4 + len(each)) + each
        for at, each in enumerate(transforms)
    ]
    body = struct.pack("!BBBB", 1, 1, 0, len(parts)) + b"".join(parts)
    return struct.pack("!BBH", 0, 0, 4 + len(body)) + body


def v2_transform(kind: int, number: int, bits: int = 0):
    return struct.pack("!BBH", kind, 0, number) + (struct.pack("!HH", 0x800E, bits) if bits else b"")


def v2_answer(*transforms: bytes):
    """As both daemons answer: SA, KE, nonce and notifies."""
    rest = payload(40, struct.pack("!HH", 15, 0) + bytes(384)) + payload(41, NONCE) + notify(16388, bytes(20))
    return message(33, payload(34, proposal(*transforms)), rest)


def v1_answer(*attributes: tuple[int, int], rest: bytes = b"", following: int = 0, exchange: int = 2):
    chosen = b"".join(struct.pack("!HH", 0x8000 | kind, value) for kind, value in attributes)
    lifetime = struct.pack("!HHHHI", 0x800B, 1, 12, 4, 28800)
    offered = struct.pack("!II", 1, 1) + proposal(struct.pack("!BBH", 1, 1, 0) + chosen + lifetime)
    return message(1, payload(following, offered), rest, version=0x10, exchange=exchange, flags=0)


@pytest.mark.parametrize(
    ("transforms", "encryption", "integrity", "prf", "group"),
    [
        ([(1, 12, 128), (3, 12), (2, 5), (4, 15)], "aes-128", "sha2-256", "sha2-256", "group15"),
        ([(1, 12, 256), (3, 13), (2, 6), (4, 20)], "aes-256", "sha2-384", "sha2-384", "group20"),
        ([(1, 3), (3, 1), (2, 1), (4, 1)], "3des", "md5", "md5", "group1"),
        ([(1, 20, 128), (2, 5), (4, 19)], "aes-128-gcm-16", None, "sha2-256", "group19"),
        ([(1, 28), (2, 7), (4, 31)], "chacha20-poly1305", None, "sha2-512", "group31"),
        ([(1, 99, 77), (3, 98), (2, 97), (4, 96)], "cipher (99, 77)", "integrity 98", "prf 97", "group96"),
    ],
)
def test_what_a_device_chose_stands_in_the_words_of_the_api(
    transforms: list[tuple[int, ...]], encryption: str, integrity: str | None, prf: str, group: str
):
    answer = messages.parse_v2(v2_answer(*(v2_transform(*each) for each in transforms)), SPI)
    wanted = negotiation.Proposal(
        encryption=(encryption,), integrity=(integrity,) if integrity else (), prf=(prf,), groups=(group,)
    )
    assert answer == messages.Chosen(wanted)


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (notify(14), messages.Refused("NO_PROPOSAL_CHOSEN")),
        (notify(14, spi=b"1234"), messages.Refused("NO_PROPOSAL_CHOSEN")),
        (notify(24), messages.Refused("AUTHENTICATION_FAILED")),
        (notify(9999), messages.Refused("notify 9999")),
        (notify(17, b"\x00\x0f"), messages.GroupWanted(15)),
        (notify(16390, b"cookie"), messages.CookieWanted(b"cookie")),
    ],
)
def test_a_notify_says_what_to_do(payload: bytes, answer: messages.Answer):
    assert messages.parse_v2(message(41, payload), SPI) == answer


@pytest.mark.parametrize(
    ("attributes", "encryption", "digest", "group"),
    [
        ([(1, 7), (14, 128), (2, 4), (3, 1), (4, 14)], "aes-128", "sha2-256", "group14"),
        ([(1, 5), (2, 2), (3, 1), (4, 2)], "3des", "sha1", "group2"),
        ([(1, 7), (14, 256), (2, 6), (3, 1), (4, 21)], "aes-256", "sha2-512", "group21"),
    ],
)
def test_an_answer_of_ikev1_has_a_transform(
    attributes: list[tuple[int, int]], encryption: str, digest: str, group: str
):
    chosen = negotiation.Proposal(encryption=(encryption,), integrity=(digest,), prf=(digest,), groups=(group,))
    assert messages.parse_v1(v1_answer(*attributes), SPI) == messages.Chosen(chosen)


@pytest.mark.parametrize("spi", [b"", bytes(16)])
@pytest.mark.parametrize("exchange", [2, 4, 5])
def test_a_refusal_of_ikev1_comes_in_any_exchange(exchange: int, spi: bytes):
    refusal = message(11, v1_notify(14, spi), version=0x10, exchange=exchange, flags=0)
    assert messages.parse_v1(refusal, SPI) == messages.Refused("NO_PROPOSAL_CHOSEN")


@pytest.mark.parametrize(
    ("content", "identity"),
    [
        (b"\1\0\0\0\xc6\x33\x64\x02", negotiation.Identity(kind="ip", value="198.51.100.2")),
        (b"\2\0\0\0branch.example", negotiation.Identity(kind="fqdn", value="branch.example")),
        (b"\3\0\0\0a@branch.example", negotiation.Identity(kind="email", value="a@branch.example")),
        (b"\x0b\0\0\0\0\1", negotiation.Identity(kind="key_id", value="0001")),
        (b"\2\0\0\0a\nb\x1b[2J\xff", negotiation.Identity(kind="fqdn", value="a\ufffdb\ufffd[2J\ufffd")),
    ],
)
def test_aggressive_mode_reveals_the_id_of_the_device(content: bytes, identity: negotiation.Identity):
    attributes = [(1, 7), (14, 128), (2, 4), (3, 1), (4, 14)]
    answer = messages.parse_v1(v1_answer(*attributes, rest=payload(0, content), following=5, exchange=4), SPI)
    assert isinstance(answer, messages.Chosen)
    assert answer.identity == identity


@pytest.mark.parametrize("group", messages.GROUPS)
def test_a_message_fits_into_a_frame(group: int):
    public = messages.public_value(group, RANDOM)
    assert len(messages.ike_sa_init(SPI, NONCE, group, public, bytes(64))) <= FRAME
    assert len(messages.aggressive_mode(SPI, NONCE, group, public, US)) <= FRAME


def test_the_main_mode_message_has_the_measured_size():
    assert len(messages.main_mode(SPI, 14)) == 588


def test_every_group_of_the_api_can_be_asked_for():
    assert set(messages.GROUPS) >= API_GROUPS
    assert set(messages.V1_GROUPS) == API_GROUPS


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        message(41, notify(14))[:-1],
        message(41, notify(14), spi=bytes(8)),
        message(41, notify(14), flags=0x08),
        message(41, notify(14), version=0x10),
        message(41, notify(14), exchange=35),
        message(41, payload(0, b"\0\0\0")),
        message(41, notify(17, b"\0")),
        message(41, notify(16390)),
        message(41, notify(16388)),
        message(0),
        message(33, payload(0, b"")),
        message(33, payload(0, proposal(v2_transform(1, 12, 128)))),
        message(33, struct.pack("!BBH", 0, 0, 3)),
        message(33, struct.pack("!BBH", 33, 0, 4)),
    ],
)
def test_what_is_no_answer_is_malformed(answer: bytes):
    with pytest.raises(messages.Malformed):
        messages.parse_v2(answer, SPI)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_malformed(body: bytes):
    for kind in (33, 41, 0):
        _read(messages.parse_v2, message(kind, body))
    for kind in (1, 5, 11):
        _read(messages.parse_v1, message(kind, body, version=0x10, exchange=4, flags=0))
    _read(messages.parse_v2, body)
    _read(messages.parse_v1, body)


@given(st.data())
def test_a_broken_answer_raises_nothing_but_malformed(data: st.DataObject):
    whole = data.draw(
        st.sampled_from(
            [
                v2_answer(*(v2_transform(*each) for each in [(1, 12, 128), (3, 12), (2, 5), (4, 15)])),
                v1_answer((1, 7), (14, 128), (2, 4), (3, 1), (4, 14), rest=payload(0, b"\2\0\0\0x"), following=5),
            ]
        )
    )
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(16, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for parse in (messages.parse_v2, messages.parse_v1):
        _read(parse, bytes(broken))
        _read(parse, bytes(broken[: data.draw(st.integers(0, len(whole)))]))


def test_a_long_attribute_is_no_number():
    """Python refuses to print a number of so many digits."""
    huge = struct.pack("!HH", 4, 4000) + b"\xff" * 4000
    offered = struct.pack("!II", 1, 1) + proposal(struct.pack("!BBHHHHH", 1, 1, 0, 0x8001, 7, 0x8002, 4) + huge)
    _read(messages.parse_v1, message(1, payload(0, offered), version=0x10, exchange=2, flags=0))


def _read(parse: Callable[[bytes, bytes], messages.Answer], given: bytes) -> None:
    with contextlib.suppress(messages.Malformed):
        parse(given, SPI)
