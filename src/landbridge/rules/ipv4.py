"""IPv4 addresses and blocks as numbers. Text is strict: dotted decimal without leading zeros, a mask as a length."""

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from landbridge.model import allowed_values

_OCTET = allowed_values.OCTET
_ADDRESS = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}", re.ASCII)
_MASKS = tuple((0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF for length in range(33))
_CIDR = re.compile(rf"({_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET})/(3[0-2]|[12]?\d)", re.ASCII)


class Block(NamedTuple):
    """A CIDR block, or an address with the length of its mask (then `number` may have host bits)."""

    number: int
    length: int

    @property
    def mask(self) -> int:
        return _MASKS[self.length]

    @property
    def has_host_bits(self) -> bool:
        return bool(self.number & ~self.mask)

    @property
    def network(self) -> "Block":
        return Block(self.number & self.mask, self.length)

    @property
    def ends(self) -> tuple[int, int]:
        """The first and the last address: of a network, itself and its broadcast."""
        return self.number & self.mask, self.number | (~self.mask & 0xFFFFFFFF)

    def contains(self, other: "Block") -> bool:
        return other.length >= self.length and other.number & _MASKS[self.length] == self.number

    def overlaps(self, other: "Block") -> bool:
        return self.contains(other) or other.contains(self)

    def __str__(self) -> str:
        return f"{render(self.number)}/{self.length}"


def parse_address(text: str) -> int | None:
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return None
    a, b, c, d = match.groups()
    return int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)


def is_between(number: int, ends: tuple[str, str]) -> bool:
    """Whether an address lies in a range of addresses, its ends included."""
    first, last = map(parse_address, ends)
    return first is not None and last is not None and first <= number <= last


@functools.lru_cache(maxsize=4096)
def parse_block(text: str) -> Block | None:
    match = _CIDR.fullmatch(text)
    if match is None:
        return None
    _, a, b, c, d, length = match.groups()
    return Block(int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d), int(length))


def render(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def block(text: str) -> Block:
    """The block of a text that was checked before."""
    parsed = parse_block(text)
    if parsed is None:
        raise ValueError(f"not a CIDR block: {text}")
    return parsed


def joined(blocks: Iterable[Block]) -> list[tuple[int, int]]:
    """First and last address of each stretch without a gap, in order."""
    spans: list[tuple[int, int]] = []
    for first, last in sorted(block.ends for block in blocks):
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = spans[-1][0], max(spans[-1][1], last)
        else:
            spans.append((first, last))
    return spans
