"""For devices that are configured on web pages: which page, which field, which value."""

from collections.abc import Iterable

from landbridge.peerconfig.device import PLACEHOLDER
from landbridge.peerconfig.side import Side

Page = tuple[str, list[tuple[str, str]]]


def write(pages: Iterable[Page]) -> str:
    """Values stand in a column; a page starts with its way through the menu."""
    return "\n".join(
        f"== {way} ==\n" + "".join(f"{f'{field}:':<34} {value}\n" for field, value in rows) for way, rows in pages
    )


def psk(side: Side) -> str:
    """Nobody pastes a worksheet, so the placeholder is no line that a device could take."""
    return side.psk.reveal() if side.psk is not None else f"{PLACEHOLDER} (not shown)"
