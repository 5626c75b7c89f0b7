"""First messages of IKE as a device sends them: sound enough that charon does all the work that they ask for."""

import secrets
import socket
import struct
from typing import Literal

from lab import wire

#: Who begins aggressive mode says so at once. charon looks for a connection with that name before it does more.
NAME = "branch.example"

Kind = Literal["main", "aggressive", "init"]

#: Numbers of payloads: RFC 2408, 3.1 and RFC 7296, 3.2.
_SA, _KE, _ID, _NONCE = 1, 4, 5, 10
_SA2, _KE2, _NONCE2 = 33, 34, 40
#: Version and exchange type.
_EXCHANGE = {"main": (0x10, 2, 0), "aggressive": (0x10, 4, 0), "init": (0x20, 34, 8)}
#: A modp3072 value (group 15) is so long.
_KE_LENGTH, _GROUP = 384, 15
_NON_ESP = bytes(4)


def first_message(kind: Kind, cookie: bytes | None = None) -> bytes:
    """aes128, sha2-256, group 15 and a PSK, which is what the API's defaults are. `cookie`: the initiator's, or a fresh one."""
    payloads = _v2() if kind == "init" else _v1(aggressive=kind == "aggressive")
    version, exchange, flags = _EXCHANGE[kind]
    body = b"".join(
        struct.pack("!BBH", following, 0, 4 + len(content)) + content
        for (_, content), following in zip(payloads, [number for number, _ in payloads[1:]] + [0], strict=True)
    )
    head = (cookie or secrets.token_bytes(8)) + bytes(8) + bytes([payloads[0][0], version, exchange, flags])
    return head + struct.pack("!II", 0, 28 + len(body)) + body


def with_responder_cookie(message: bytes) -> bytes:
    """No first message any more, but one of an exchange that nobody knows."""
    return message[:8] + secrets.token_bytes(8) + message[16:]


def _v1(*, aggressive: bool) -> list[tuple[int, bytes]]:
    """RFC 2409, appendix A: AES-CBC, key length, SHA2-256, group, PSK, seconds."""
    attributes = ((1, 7), (14, 128), (2, 4), (4, _GROUP), (3, 1), (11, 1), (12, 28800))
    chosen = b"".join(struct.pack("!HH", 0x8000 | number, value) for number, value in attributes)
    transform = struct.pack("!BBHBBH", 0, 0, 8 + len(chosen), 1, 1, 0) + chosen
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + len(transform), 1, 1, 0, 1) + transform
    offered = [(_SA, struct.pack("!II", 1, 1) + proposal)]
    if not aggressive:
        return offered
    identity = b"\2\0\0\0" + NAME.encode()
    key = b"\1" + secrets.token_bytes(_KE_LENGTH - 1)
    return [*offered, (_KE, key), (_NONCE, secrets.token_bytes(32)), (_ID, identity)]


def _v2() -> list[tuple[int, bytes]]:
    """RFC 7296, 3.3.2: AES-CBC with 128 bits, PRF and integrity with SHA2-256, group."""
    chosen = ((1, 12, struct.pack("!HH", 0x800E, 128)), (2, 5, b""), (3, 12, b""), (4, _GROUP, b""))
    transforms = b"".join(
        struct.pack("!BBHBBH", 3 if number < 4 else 0, 0, 8 + len(more), number, value, 0) + more
        for number, value, more in chosen
    )
    proposal = struct.pack("!BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, len(chosen)) + transforms
    key = struct.pack("!HH", _GROUP, 0) + b"\1" + secrets.token_bytes(_KE_LENGTH - 1)
    return [(_SA2, proposal), (_KE2, key), (_NONCE2, secrets.token_bytes(32))]


def packet(source: str, target: str, message: bytes, *, port: int = 500) -> bytes:
    """The whole IPv4 packet, to UDP 500 or 4500."""
    marker = _NON_ESP if port == 4500 else b""
    return wire.ipv4(source, target, socket.IPPROTO_UDP, wire.udp(port, marker + message, source=port))
