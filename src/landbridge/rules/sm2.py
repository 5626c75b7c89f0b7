"""SM2 over GB/T 32918: whose public key a private key is, and whether a signature is of a key. `cryptography` has neither.

It only ever checks: nothing is signed or hidden with it, so it need not run in constant time.
"""

import hashlib

Point = tuple[int, int]

#: GB/T 32918.5, the recommended curve: the prime, the equation, the order and the base point.
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
#: GM/T 0009 names the signer so when nothing else was agreed; OpenSSL 3.0 leaves the name empty when it is not told.
SIGNERS = (b"1234567812345678", b"")


def is_on_curve(point: Point) -> bool:
    x, y = point
    return x < P and y < P and (y * y - x * x * x - A * x - B) % P == 0


def public_key(private: int) -> Point | None:
    """None for a number that is no private key."""
    return _times(private, G) if 1 <= private < N - 1 else None


def verifies(message: bytes, r: int, s: int, key: Point) -> bool:
    """Whether (r, s) is the key's signature of the message, under SM3."""
    t = (r + s) % N
    if not (1 <= r < N and 1 <= s < N and t and is_on_curve(key)):
        return False
    point = _add(_times(s, G), _times(t, key))
    return point is not None and any((_digest(message, key, who) + point[0]) % N == r for who in SIGNERS)


def _digest(message: bytes, key: Point, signer: bytes) -> int:
    numbers = b"".join(number.to_bytes(32, "big") for number in (A, B, *G, *key))
    known = hashlib.new("sm3", (len(signer) * 8).to_bytes(2, "big") + signer + numbers).digest()
    return int.from_bytes(hashlib.new("sm3", known + message).digest(), "big")


def _add(one: Point | None, other: Point | None) -> Point | None:
    """None is the point at infinity."""
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if (one[1] + other[1]) % P == 0:
            return None
        slope = (3 * one[0] * one[0] + A) * pow(2 * one[1], -1, P) % P
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P) % P
    x = (slope * slope - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def _times(number: int, point: Point) -> Point | None:
    found, doubled = None, point
    while number:
        if number & 1:
            found = _add(found, doubled)
        doubled = _add(doubled, doubled) or doubled
        number >>= 1
    return found
