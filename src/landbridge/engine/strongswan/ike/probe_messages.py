"""Builds the first messages of IKE with all algorithms that can be offered, and parses the answers. Pure.

An answer comes from the network: the parser checks every length, and raises nothing but `Malformed`. Algorithms have the names of the API;
those that the API does not have are named in the same way. Sources: RFC 7296, section 3 (IKEv2); RFC 2408, section 3, and RFC 2409,
appendix A (IKEv1); IANA's registries of both.
"""

import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from landbridge.model import negotiation

SPI_LENGTH, NONCE_LENGTH = 8, 32
#: Random bytes for a public value.
RANDOM_LENGTH = 256

_HEADER = struct.Struct("!8s8sBBBBII")
_V1, _V2 = 0x10, 0x20
_MAIN, _AGGRESSIVE, _INFORMATIONAL, _IKE_SA_INIT = 2, 4, 5, 34
_INITIATOR, _RESPONSE = 0x08, 0x20
_V1_SA, _V1_KE, _V1_ID, _V1_NONCE, _V1_NOTIFY = 1, 4, 5, 10, 11
_SA, _KE, _NONCE, _NOTIFY = 33, 34, 40, 41
_COOKIE, _INVALID_KE_PAYLOAD, _FIRST_STATUS = 16390, 17, 16384
_KEY_LENGTH = 14
#: Bytes of an attribute of the long form that means anything to us; a lifetime has four.
_LONG_ATTRIBUTE = 4

#: Transform number, and key bits where the cipher has several lengths -> the API's word, or one of its kind.
_CIPHERS = {
    (3, 0): "3des",
    (12, 128): "aes-128",
    (12, 192): "aes-192",
    (12, 256): "aes-256",
    (23, 128): "camellia-128",
    (23, 192): "camellia-192",
    (23, 256): "camellia-256",
}
#: Ciphers that authenticate by themselves.
_COMBINED = {
    **{(18, bits): f"aes-{bits}-gcm-8" for bits in (128, 192, 256)},
    **{(20, bits): f"aes-{bits}-gcm-16" for bits in (128, 192, 256)},
    **{(16, bits): f"aes-{bits}-ccm-16" for bits in (128, 192, 256)},
    (28, 0): "chacha20-poly1305",
}
_PRFS = {1: "md5", 2: "sha1", 5: "sha2-256", 6: "sha2-384", 7: "sha2-512", 4: "aes-xcbc", 8: "aes-cmac"}
_INTEGRITY = {1: "md5", 2: "sha1", 12: "sha2-256", 13: "sha2-384", 14: "sha2-512", 5: "aes-xcbc", 8: "aes-cmac"}
_V1_CIPHERS = {(5, 0): "3des", (7, 128): "aes-128", (7, 192): "aes-192", (7, 256): "aes-256"}
_V1_HASHES = {1: "md5", 2: "sha1", 4: "sha2-256", 5: "sha2-384", 6: "sha2-512"}

#: Bytes of a public value: of a number below a prime, and of the coordinate on a Montgomery curve.
_NUMBERS = {1: 96, 2: 128, 5: 192, 14: 256, 15: 384, 16: 512}
_COORDINATES = {31: 32, 32: 56}
_CURVES: Mapping[int, type[ec.EllipticCurve]] = {19: ec.SECP256R1, 20: ec.SECP384R1, 21: ec.SECP521R1}
#: Groups in which a message can be made.
GROUPS = (*_NUMBERS, *_CURVES, *_COORDINATES)
#: Groups without a value of ours are offered too: a device that wants one names it.
_OFFERED_GROUPS = (*GROUPS, 17, 18, 22, 23, 24, 27, 28, 29, 30)
#: The order in which IKEv1 is asked, a group a message: the likeliest first.
V1_GROUPS = (14, 2, 5, 15, 16, 19, 20, 21, 1)

_V2_ERRORS = {
    7: "INVALID_SYNTAX",
    14: "NO_PROPOSAL_CHOSEN",
    17: "INVALID_KE_PAYLOAD",
    24: "AUTHENTICATION_FAILED",
    5: "INVALID_MAJOR_VERSION",
    34: "SINGLE_PAIR_REQUIRED",
    35: "NO_ADDITIONAL_SAS",
}
_V1_ERRORS = {
    1: "INVALID_PAYLOAD_TYPE",
    7: "INVALID_EXCHANGE_TYPE",
    13: "ATTRIBUTES_NOT_SUPPORTED",
    14: "NO_PROPOSAL_CHOSEN",
    15: "BAD_PROPOSAL_SYNTAX",
    16: "PAYLOAD_MALFORMED",
    17: "INVALID_KEY_INFORMATION",
    18: "INVALID_ID_INFORMATION",
    24: "AUTHENTICATION_FAILED",
}
_ID_KINDS: Mapping[int, negotiation.IdKind] = {1: "ip", 2: "fqdn", 3: "email", 9: "dn", 11: "key_id"}
#: Characters of an id that are kept.
_ID_LIMIT = 255


class Malformed(ValueError):
    """The bytes are no answer to our message."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The device took this. `identity`: what it calls itself, in aggressive mode."""

    proposal: negotiation.Proposal
    identity: negotiation.Identity | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    notify: str


@dataclass(frozen=True, slots=True)
class CookieWanted:
    """The same message is to be sent again with this cookie."""

    cookie: bytes


@dataclass(frozen=True, slots=True)
class GroupWanted:
    """Something that was offered fits, with this Diffie-Hellman group (its number at IANA)."""

    group: int


Number = TypeVar("Number")
Answer = Chosen | Refused | CookieWanted | GroupWanted


def public_value(group: int, random: bytes) -> bytes:
    """A public value of a group of `GROUPS` that no device refuses; nobody knows a private one. `random`: RANDOM_LENGTH bytes."""
    if group in _CURVES:
        base_point = ec.derive_private_key(1, _CURVES[group]()).public_key()
        return base_point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    if group in _COORDINATES:
        return random[: _COORDINATES[group]]
    length = _NUMBERS[group]
    root = b"\x7f" + random[: length // 2 - 1]  # a square is in the subgroup of prime order, as OpenSSL demands
    return (int.from_bytes(root, "big") ** 2).to_bytes(length, "big")


def ike_sa_init(spi: bytes, nonce: bytes, group: int, public: bytes, cookie: bytes = b"") -> bytes:
    """The first message of IKEv2. AEAD ciphers stand in a proposal of their own (RFC 7296, 3.3)."""
    payloads = [(_SA, _v2_offer()), (_KE, struct.pack("!HH", group, 0) + public), (_NONCE, nonce)]
    if cookie:
        payloads.insert(0, (_NOTIFY, struct.pack("!BBH", 0, 0, _COOKIE) + cookie))
    return _message(spi, _V2, _IKE_SA_INIT, _INITIATOR, payloads)


def main_mode(spi: bytes, group: int) -> bytes:
    """The first message of IKEv1 main mode: every cipher with every hash, in one group."""
    return _message(spi, _V1, _MAIN, 0, [(_V1_SA, _v1_offer(group))])


def aggressive_mode(spi: bytes, nonce: bytes, group: int, public: bytes, identity: negotiation.Identity) -> bytes:
    """The first message of IKEv1 aggressive mode. `identity` is ours, of kind ip or fqdn."""
    if identity.kind == "ip":
        ours = struct.pack("!BBH", 1, 0, 0) + socket.inet_aton(identity.value)
    else:
        ours = struct.pack("!BBH", 2, 0, 0) + identity.value.encode()
    payloads = [(_V1_SA, _v1_offer(group)), (_V1_KE, public), (_V1_NONCE, nonce), (_V1_ID, ours)]
    return _message(spi, _V1, _AGGRESSIVE, 0, payloads)


def _message(spi: bytes, version: int, exchange: int, flags: int, payloads: Sequence[tuple[int, bytes]]) -> bytes:
    kinds = [kind for kind, _ in payloads]
    body = b"".join(
        struct.pack("!BBH", after, 0, 4 + len(content)) + content
        for (_, content), after in zip(payloads, [*kinds[1:], 0], strict=True)
    )
    return _HEADER.pack(spi, bytes(8), kinds[0], version, exchange, flags, 0, _HEADER.size + len(body)) + body


def _v2_offer() -> bytes:
    common = [*_transforms(2, _PRFS), *_transforms(4, _OFFERED_GROUPS)]
    lists = (
        [*_ciphers(_CIPHERS), *_transforms(3, _INTEGRITY), *common],
        [*_ciphers(_COMBINED), *common],
    )
    proposals = [
        struct.pack("!BBBB", number, 1, 0, len(listed)) + _linked(listed, 3) for number, listed in enumerate(lists, 1)
    ]
    return _linked(proposals, 2)


def _transforms(kind: int, numbers: Sequence[int] | Mapping[int, str]) -> list[bytes]:
    return [struct.pack("!BBH", kind, 0, number) for number in numbers]


def _ciphers(table: Mapping[tuple[int, int], str]) -> list[bytes]:
    return [
        struct.pack("!BBH", 1, 0, number) + (struct.pack("!HH", 0x8000 | _KEY_LENGTH, bits) if bits else b"")
        for number, bits in table
    ]


def _v1_offer(group: int) -> bytes:
    """DOI IPsec, situation identity only; attributes 1 cipher, 14 key length, 2 hash, 3 authentication (1: PSK), 4 group."""
    combinations = [
        [(1, number), *([(_KEY_LENGTH, bits)] if bits else []), (2, digest), (3, 1), (4, group)]
        for number, bits in _V1_CIPHERS
        for digest in _V1_HASHES
    ]
    transforms = [
        struct.pack("!BBH", number, 1, 0)
        + b"".join(struct.pack("!HH", 0x8000 | kind, value) for kind, value in transform)
        for number, transform in enumerate(combinations, 1)
    ]
    proposal = struct.pack("!BBBB", 1, 1, 0, len(transforms)) + _linked(transforms, 3)
    return struct.pack("!II", 1, 1) + _linked([proposal], 2)


def _linked(parts: Sequence[bytes], more: Literal[2, 3]) -> bytes:
    """Proposals (2) or transforms (3), each with the mark whether another one follows and its length."""
    last = len(parts) - 1
    return b"".join(
        struct.pack("!BBH", more if at < last else 0, 0, 4 + len(part)) + part for at, part in enumerate(parts)
    )


def parse_v2(message: bytes, spi: bytes) -> Answer:
    """An answer to `ike_sa_init`. Raises Malformed."""
    payloads = _payloads(message, spi, _V2, (_IKE_SA_INIT,), _RESPONSE)
    for kind, content in payloads:
        if kind == _SA:
            return Chosen(_v2_proposal(content))
        if kind == _NOTIFY:
            number, data = _notify(content, 0)
            if number == _COOKIE and data:
                return CookieWanted(data)
            if number == _INVALID_KE_PAYLOAD:
                return GroupWanted(_short(data))
            if number < _FIRST_STATUS:
                return Refused(_V2_ERRORS.get(number, f"notify {number}"))
    raise Malformed("no SA and no error in the answer")


def parse_v1(message: bytes, spi: bytes) -> Answer:
    """An answer to `main_mode` or `aggressive_mode`. Raises Malformed."""
    proposal = identity = None
    for kind, content in _payloads(message, spi, _V1, (_MAIN, _AGGRESSIVE, _INFORMATIONAL), 0):
        if kind == _V1_NOTIFY:
            number, _ = _notify(content, 4)
            if number < _FIRST_STATUS:
                return Refused(_V1_ERRORS.get(number, f"notify {number}"))
        elif kind == _V1_SA:
            proposal = _v1_proposal(content)
        elif kind == _V1_ID:
            identity = _identity(content)
    if proposal is None:
        raise Malformed("no SA and no error in the answer")
    return Chosen(proposal, identity)


def _payloads(
    message: bytes, spi: bytes, version: int, exchanges: Sequence[int], flags: int
) -> list[tuple[int, bytes]]:
    """The payloads of an unencrypted message, each with its kind."""
    if len(message) < _HEADER.size:
        raise Malformed("shorter than a header")
    initiator, _, kind, its_version, exchange, its_flags, _, length = _HEADER.unpack_from(message)
    if initiator != spi:
        raise Malformed("of another negotiation")
    if its_version != version or exchange not in exchanges or its_flags != flags or length != len(message):
        raise Malformed("not an answer to our message")
    payloads, at = [], _HEADER.size
    while kind:
        content = _part(message, at)
        payloads.append((kind, content[4:]))
        kind, at = content[0], at + len(content)
    return payloads


def _part(data: bytes, at: int) -> bytes:
    """The part that begins at `at`: its length, with these four bytes, stands in its third and fourth."""
    if at + 4 > len(data):
        raise Malformed("ends within a part")
    (length,) = struct.unpack_from("!H", data, at + 2)
    if length < 4 or at + length > len(data):
        raise Malformed("the length of a part is wrong")
    return data[at : at + length]


def _notify(content: bytes, before: int) -> tuple[int, bytes]:
    """Number and data of a notify payload; `before`: bytes of a DOI."""
    if len(content) < before + 4:
        raise Malformed("a notify payload is too short")
    spi_size, number = struct.unpack_from("!BH", content, before + 1)
    return number, content[before + 4 + spi_size :]


def _short(data: bytes) -> int:
    if len(data) != 2:
        raise Malformed("a group has two bytes")
    return int.from_bytes(data, "big")


def _transforms_of(data: bytes) -> Iterator[bytes]:
    """The transforms of the only proposal."""
    proposal = _part(data, 0)
    if len(proposal) != len(data) or len(proposal) < 8:
        raise Malformed("an answer has one proposal")
    at = 8 + proposal[6]
    for _ in range(proposal[7]):
        transform = _part(proposal, at)
        if len(transform) < 8:
            raise Malformed("a transform is too short")
        yield transform
        at += len(transform)


def _v2_proposal(content: bytes) -> negotiation.Proposal:
    chosen: dict[int, tuple[int, int]] = {}
    for transform in _transforms_of(content):
        kind, number = struct.unpack_from("!BxH", transform, 4)
        chosen[kind] = number, _attributes(transform[8:]).get(_KEY_LENGTH, 0)
    if not {1, 2, 4} <= set(chosen):
        raise Malformed("no cipher, PRF or group is chosen")
    integrity = chosen.get(3, (0, 0))[0]
    return negotiation.Proposal(
        encryption=(_word(_CIPHERS | _COMBINED, chosen[1], "cipher"),),
        integrity=(_word(_INTEGRITY, integrity, "integrity"),) if integrity else (),
        prf=(_word(_PRFS, chosen[2][0], "prf"),),
        groups=(f"group{chosen[4][0]}",),
    )


def _v1_proposal(content: bytes) -> negotiation.Proposal:
    transforms = list(_transforms_of(content[8:]))
    if len(transforms) != 1:
        raise Malformed("an answer has one transform")
    chosen = _attributes(transforms[0][8:])
    if not {1, 2, 4} <= set(chosen):
        raise Malformed("no cipher, hash or group is chosen")
    digest = _word(_V1_HASHES, chosen[2], "hash")
    cipher = _word(_V1_CIPHERS, (chosen[1], chosen.get(_KEY_LENGTH, 0)), "cipher")
    return negotiation.Proposal(encryption=(cipher,), integrity=(digest,), prf=(digest,), groups=(f"group{chosen[4]}",))


def _word(table: Mapping[Number, str], number: Number, kind: str) -> str:
    return table.get(number, f"{kind} {number}")


def _attributes(data: bytes) -> dict[int, int]:
    """Attributes of a transform (RFC 2408, 3.3): the short form has its value in place of a length."""
    attributes, at = {}, 0
    while at < len(data):
        if at + 4 > len(data):
            raise Malformed("ends within an attribute")
        kind, value = struct.unpack_from("!HH", data, at)
        at += 4
        if kind & 0x8000:
            attributes[kind & 0x7FFF] = value
            continue
        if at + value > len(data):
            raise Malformed("the length of an attribute is wrong")
        if value <= _LONG_ATTRIBUTE:
            attributes[kind] = int.from_bytes(data[at : at + value], "big")
        at += value
    return attributes


def _identity(content: bytes) -> negotiation.Identity:
    """An id for logs and answers: printable, and not longer than a name."""
    if len(content) < 4:
        raise Malformed("an id is too short")
    kind, value = _ID_KINDS.get(content[0], "other"), content[4:]
    if kind == "ip":
        if len(value) != 4:
            raise Malformed("an address has four bytes")
        return negotiation.Identity(kind="ip", value=socket.inet_ntoa(value))
    if kind in ("key_id", "dn", "other"):
        return negotiation.Identity(kind=kind, value=value[:_ID_LIMIT].hex())
    text = value[:_ID_LIMIT].decode(errors="replace")
    return negotiation.Identity(
        kind=kind, value="".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    )
