"""The file `gateway` in a gateway's folder: it holds the id of the gateway that everything of this name on the machine belongs to.

Names have 12 hex digits of an id (see `names`), so two ids may have the same name. Invariant: a mark is compared whole; whoever has
another id sees nothing and touches nothing.
"""

import contextlib
import os
import re
from collections.abc import Container
from pathlib import Path

from landbridge.engine.strongswan import names

NAME = "gateway"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def read(folder: Path) -> str | None:
    """The id in the mark; None without a mark. An empty file is no mark: a power cut interrupted its write."""
    try:
        return (folder / NAME).read_text() or None
    except (FileNotFoundError, NotADirectoryError):
        return None


def check(folder: Path, gateway_id: str) -> None:
    """Raises OSError where another gateway's mark stands."""
    marked = read(folder)
    if marked not in (None, gateway_id):
        raise OSError(f"{folder} is the folder of another gateway, {str(marked)[:64]}")


def write(folder: Path, gateway_id: str) -> None:
    """Writes the mark atomically and durably."""
    folder.mkdir(mode=0o700, exist_ok=True)
    fresh = folder / f"{NAME}.new"
    with fresh.open("w") as file:
        file.write(gateway_id)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(folder / NAME)


def find(engine: Path, *, but: Container[str] = ()) -> dict[str, Path]:
    """The folders of all gateways by id, except folders with the names `but`. A mark that does not fit its folder's name counts for no gateway."""
    folders = {}
    for folder in engine.iterdir() if engine.is_dir() else ():
        if folder.name in but:
            continue
        with contextlib.suppress(OSError, UnicodeDecodeError):
            gateway_id = (folder / NAME).read_text()
            if _ID.fullmatch(gateway_id) and names.short(gateway_id) == folder.name:
                folders[gateway_id] = folder
    return folders
