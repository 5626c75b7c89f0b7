"""Worksheets for devices that are configured on web pages: which page, which field, which value."""

from collections.abc import Iterable

from landbridge.peerconfig.device import PLACEHOLDER
from landbridge.peerconfig.side import DeviceSide

Page = tuple[str, list[tuple[str, str]]]


def write(pages: Iterable[Page]) -> str:
    """Values stand in a column. A page starts with its path through the menu."""
    return "\n".join(
        f"== {way} ==\n" + "".join(f"{f'{field}:':<34} {value}\n" for field, value in rows) for way, rows in pages
    )


def psk(side: DeviceSide) -> str:
    """A worksheet is not pasted into a device, so the placeholder needs no comment."""
    return side.psk.reveal() if side.psk is not None else f"{PLACEHOLDER} (not shown)"
