"""Random ids, and the other values that operations generate for the rules."""

import os
import struct
from datetime import datetime

from landbridge.rules import fields, tunnel


def new_id(random: bytes = b"") -> str:
    """A version 4 UUID (RFC 9562, section 5.4) of 16 random bytes."""
    random = random or os.urandom(16)
    digits = random.hex()
    variant = "89ab"[random[8] & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def generate(now: datetime, number: int = 0) -> fields.Generated:
    """Random values for the rules, which generate nothing themselves. `number`: the position of a new connection among those of
    its gateway.
    """
    random = os.urandom(54)
    first, other = struct.unpack_from("2H", random, 50)
    return fields.Generated(
        id=new_id(random[:16]),
        now=now,
        suffix=random[48:50].hex(),
        other_ids=(new_id(random[16:32]), new_id(random[32:48])),
        tunnel_blocks=(tunnel.nth(number), tunnel.nth(first), tunnel.nth(other)),
    )
