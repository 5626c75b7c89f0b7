"""Tunnel interface addresses: the two hosts of one /30 in the network that the API page allows.

A block is a /30. Its number counts from the first address of that network.
"""

from collections.abc import Iterator

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import ipv4

_FIRST, _SECOND = allowed_values.TUNNEL_NETWORK
_RESERVED, _MASK = allowed_values.TUNNEL_RESERVED_OCTET, allowed_values.TUNNEL_MASK
BASE = _FIRST << 24 | _SECOND << 16
BLOCKS = 1 << _MASK - 16
ALLOWED = str(allowed_values.TUNNEL_ADDRESS)
#: Third octets that the service never picks by itself: 0 and 255 are reserved (RFC 3927, section 2.1), 169 has the
#: metadata address of clouds, and the last one is not allowed at all.
NEVER_PICKED = frozenset({0, 169, 255, _RESERVED})
PICKABLE = tuple(n for n in range(BLOCKS) if n >> 6 not in NEVER_PICKED)
#: Coprime to the number of pickable blocks, so that steps of this size visit every block once before any block comes again.
_STRIDE = 5003


def nth(number: int) -> int:
    """The block for the connection with this number of its gateway. The blocks repeat after some sixteen thousand
    connections.
    """
    return PICKABLE[number * _STRIDE % len(PICKABLE)]


def check(path: str, text: str) -> Iterator[model.Violation]:
    parsed = ipv4.parse_block(text)
    if parsed is None:
        yield model.Violation(path, f"{text!r} is not an address with a mask", ALLOWED)
        return
    if parsed.length != _MASK:
        yield model.Violation(path, f"the mask length is {parsed.length}", str(_MASK))
    if parsed.number >> 16 != BASE >> 16:
        yield model.Violation(path, f"{text} does not start with {_FIRST}.{_SECOND}", ALLOWED)
        return
    if parsed.number >> 8 & 255 == _RESERVED:
        yield model.Violation(path, f"{_FIRST}.{_SECOND}.{_RESERVED}.xxx is reserved", ALLOWED)
    if parsed.length == _MASK and parsed.number & 3 in (0, 3):
        yield model.Violation(path, f"{text} is not a host address of its block", _hosts(block_of(text)))


def check_pair(local: str, peer: str) -> Iterator[model.Violation]:
    """Checks that two sound addresses are the two hosts of one /30."""
    if block_of(local) != block_of(peer):
        yield model.Violation(
            "tunnel_peer_address", f"{peer} is not in the block of tunnel_local_address", _hosts(block_of(local))
        )
    elif local == peer:
        yield model.Violation("tunnel_peer_address", "is the same as tunnel_local_address", "the other host of the /30")


def is_sound(text: str | None) -> bool:
    return text is not None and not any(check("", text))


def block_of(text: str) -> int:
    return (ipv4.block(text).number & 0xFFFF) >> 2


def addresses(block: int) -> tuple[str, str]:
    """The two hosts of a /30, lower first, with their mask."""
    first = BASE + block * 4 + 1
    return f"{ipv4.render(first)}/{_MASK}", f"{ipv4.render(first + 1)}/{_MASK}"


def other(text: str) -> str:
    """The other host of the /30."""
    low, high = addresses(block_of(text))
    return high if text == low else low


def _hosts(block: int) -> str:
    return " or ".join(addresses(block))
