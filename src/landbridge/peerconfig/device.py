"""The types of a device family, of its abilities, and of a rendered text."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from landbridge import model
from landbridge.model import allowed_values
from landbridge.model.allowed_values import Range
from landbridge.peerconfig.side import DeviceSide, Net

#: Replaces the PSK in a comment. It is never a PSK, because the API allows neither < nor >.
PLACEHOLDER = "<PRE-SHARED-KEY>"

#: Names as most devices take them without quotes. A family that quotes may take more.
PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}", re.ASCII)
#: What the API allows in a PSK; and the same without the space, for devices that read a word.
_PSK_LENGTH = f"{{1,{allowed_values.PSK_LENGTH.high}}}"
PSK_TEXT = re.compile(f"[{allowed_values.PSK_CHARACTERS}]{_PSK_LENGTH}", re.ASCII)
PSK_WORD = re.compile(f"[{allowed_values.PSK_CHARACTERS.replace(' ', '')}]{_PSK_LENGTH}", re.ASCII)
#: Any visible line, for what quotes everything.
PRINTABLE = re.compile(r"[ -~]{1,255}", re.ASCII)

Table = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One entry of the list of supported devices. `proved`: its text was used here as it is printed, and the tunnel came up.

    `source` is the title of the vendor's manual that the text follows.
    """

    id: str
    vendor: str
    kind: str
    family: str
    versions: str
    format: str
    proved: bool
    source: str
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.family if self.family == self.vendor else f"{self.vendor} {self.family}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a family can configure. A table maps the API's values to the device's; the device cannot do what is
    missing in the table.
    """

    styles: frozenset[model.Style] = frozenset({"static", "policy", "bgp", "policy-template"})
    exchanges: frozenset[str] = frozenset({"v2", "v1 main", "v1 aggressive"})
    ike_encryption: Table
    ike_authentication: Table
    ike_groups: Table
    esp_encryption: Table
    esp_authentication: Table
    pfs: Table
    identity: "re.Pattern[str]" = PLAIN_NAME
    psk: "re.Pattern[str]" = PSK_TEXT
    #: Ranges are seconds.
    ike_lifetime: Range = allowed_values.IKE.lifetime_seconds
    ipsec_lifetime: Range = allowed_values.IPSEC.lifetime_seconds
    dpd_interval: Range = allowed_values.DPD.interval
    #: True when a static connection uses routes into a tunnel interface where the gateway offers 0.0.0.0/0. False
    #: when it uses pairs, which the gateway accepts too.
    interface: bool = True
    #: Whether the tunnel interface has CHILD_SAs for pairs of subnets, so that BGP works with a gateway that does not
    #: offer 0.0.0.0/0.
    bgp_through_pairs: bool = False
    #: Finds what no table can express.
    limits: Callable[[DeviceSide], Iterator[model.Violation]] = lambda _: iter(())


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the device, or the lines for its command line (`path` is then None)."""

    path: str | None
    content: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Text:
    """The printed text for a device: `str()` gives all of it. The text may hold the PSK, so its repr does not show it."""

    device: Device
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "\n".join(part.content for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A device with its abilities and the function that writes its text. `comment` starts a line that the device skips.

    A routing daemon has no abilities: it makes no tunnel, it speaks BGP through one.
    """

    device: Device
    abilities: Abilities | None
    comment: str
    write: Callable[[DeviceSide], list[Part]]
    notes: Callable[[DeviceSide], Iterator[str]] = lambda _: iter(())


def lines(*items: str | list[str] | None) -> str:
    """Joins lines and lists of lines. None is left out."""
    flat: list[str] = []
    for item in items:
        flat.extend([item] if isinstance(item, str) else item or [])
    return "\n".join(flat) + "\n"


#: The distance of a route of last resort: every other route to the network is preferred. `network` announces only networks with a route.
LAST_DISTANCE = 254
#: What a text says of such routes.
BLACKHOLES = "BGP announces only networks with a route: the routes of distance 254 exist for that, and every other route comes before them."


def indent(text: list[str], by: int) -> list[str]:
    return [" " * by + line for line in text]


def wildcard(net: Net) -> str:
    """Address and wildcard mask, as Cisco and Huawei write a network."""
    return f"{net.network_address} {net.hostmask}"


def clamp(seconds: int, allowed: Range) -> int:
    return max(allowed.low, min(seconds, allowed.high))


def psk_line(side: DeviceSide, comment: str, write: Callable[[str], str]) -> str:
    """The line with the PSK. Without a PSK it is the same line as a comment, which no device takes for a key."""
    if side.psk is None:
        return f"{comment} {write(PLACEHOLDER)}"
    return write(side.psk.reveal())
