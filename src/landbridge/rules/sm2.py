"""SM2 (GB/T 32918): the public key of a private key, and the verification of signatures. `cryptography` has neither.

This module signs and encrypts nothing, so it need not run in constant time. Keys and signatures are read from DER (X.690). Its tags here: 2
INTEGER, 3 BIT STRING, 4 OCTET STRING, 0x30 SEQUENCE, 0xA0 and 0xA1 parts that may be left out.
"""

import hashlib

Point = tuple[int, int]
#: A tag and its content.
Element = tuple[int, bytes]

#: GB/T 32918.5, the recommended curve: the prime, the equation, the order and the base point.
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
#: The default name of the signer by GM/T 0009, and the empty name that OpenSSL 3.0 uses by default.
SIGNERS = (b"1234567812345678", b"")
#: The name of the curve in DER, and the AlgorithmIdentifier of its keys without its head: id-ecPublicKey and that name.
CURVE = bytes.fromhex("06082a811ccf5501822d")
ALGORITHM = bytes.fromhex("06072a8648ce3d0201") + CURVE


def is_on_curve(point: Point) -> bool:
    x, y = point
    return x < P and y < P and (y * y - x * x * x - A * x - B) % P == 0


def public_key(private: int) -> Point | None:
    """None for a number that is no private key."""
    return _times(private, G) if 1 <= private < N - 1 else None


def elements(der: bytes) -> list[Element] | None:
    """The elements of `der`, in order; None when `der` is not valid DER."""
    elements: list[Element] = []
    while der:
        if len(der) < 2:
            return None
        tag, size, der = der[0], der[1], der[2:]
        if size & 0x80:
            count = size & 0x7F
            size, der = int.from_bytes(der[:count], "big"), der[count:]
            if size < 0x80 or size < 1 << 8 * (count - 1):  # DER wants the shortest form
                return None
        if size > len(der):
            return None
        elements.append((tag, der[:size]))
        der = der[size:]
    return elements


def sequence(der: bytes) -> list[Element] | None:
    """The elements of a SEQUENCE; None when `der` is not exactly one SEQUENCE."""
    match elements(der):
        case [(0x30, content)]:
            return elements(content)
    return None


def public_point(bits: bytes) -> Point | None:
    """The uncompressed point (SEC 1, 2.3.4) in a BIT STRING; None when there is none on the curve."""
    point = int.from_bytes(bits[2:34], "big"), int.from_bytes(bits[34:], "big")
    return point if len(bits) == 66 and bits[:2] == b"\x00\x04" and is_on_curve(point) else None


def public_key_of(der: bytes, *, wrapped: bool) -> Point | None:
    """The public key of a private key: an ECPrivateKey (RFC 5915), or with `wrapped` a key in PKCS #8 (RFC 5208). None for anything else."""
    if wrapped:
        match sequence(der):
            case [(0x02, b"\x00"), (0x30, algorithm), (0x04, inner), *more] if algorithm == ALGORITHM and [
                tag for tag, _ in more
            ] in ([], [0xA0]):
                der = inner
            case _:
                return None
    match sequence(der):
        case [(0x02, b"\x01"), (0x04, number), *more] if len(number) == 32:
            key = public_key(int.from_bytes(number, "big"))
            return key if key is not None and more in _ends(key, wrapped=wrapped) else None
    return None


def _ends(key: Point, *, wrapped: bool) -> list[list[Element]]:
    """The elements that may follow the number: the curve, which PKCS #8 has named already, and the public key of this private key."""
    curve, public = (0xA0, CURVE), (0xA1, b"\x03\x42\x00\x04" + b"".join(n.to_bytes(32, "big") for n in key))
    return [[curve], [curve, public], *([[], [public]] if wrapped else [])]


def numbers(signature: bytes) -> tuple[int, int] | None:
    """The two numbers of a signature (GM/T 0009); None where it has other parts."""
    match sequence(signature):
        case [(0x02, r), (0x02, s)]:
            return int.from_bytes(r, "big"), int.from_bytes(s, "big")
    return None


def verifies(message: bytes, r: int, s: int, key: Point) -> bool:
    """Whether (r, s) is a signature of the message by this key, with SM3."""
    t = (r + s) % N
    if not (1 <= r < N and 1 <= s < N and t and is_on_curve(key)):
        return False
    point = _add(_times(s, G), _times(t, key))
    return point is not None and any((_digest(message, key, signer) + point[0]) % N == r for signer in SIGNERS)


def _digest(message: bytes, key: Point, signer: bytes) -> int:
    numbers = b"".join(number.to_bytes(32, "big") for number in (A, B, *G, *key))
    known = hashlib.new("sm3", (len(signer) * 8).to_bytes(2, "big") + signer + numbers).digest()
    return int.from_bytes(hashlib.new("sm3", known + message).digest(), "big")


def _add(first: Point | None, other: Point | None) -> Point | None:
    """None is the point at infinity."""
    if first is None or other is None:
        return first or other
    if first[0] == other[0]:
        if (first[1] + other[1]) % P == 0:
            return None
        slope = (3 * first[0] * first[0] + A) * pow(2 * first[1], -1, P) % P
    else:
        slope = (other[1] - first[1]) * pow(other[0] - first[0], -1, P) % P
    x = (slope * slope - first[0] - other[0]) % P
    return x, (slope * (first[0] - x) - first[1]) % P


def _times(number: int, point: Point) -> Point | None:
    total, doubled = None, point
    while number:
        if number & 1:
            total = _add(total, doubled)
        doubled = _add(doubled, doubled) or doubled
        number >>= 1
    return total
