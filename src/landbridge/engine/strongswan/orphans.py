"""Finds the owner of a network namespace or a charon, even when the gateway's folder is gone.

The alias of a namespace's `lo` names the folder, and a charon's environment names its configuration. This module may change nothing but
that alias. Invariant: a namespace or charon that names no folder is not ours.
"""

import contextlib
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from landbridge.engine.strongswan import marks, names
from landbridge.engine.strongswan.ike import charon
from landbridge.engine.strongswan.network import namespace, netlink, nftables

_ALIAS = "landbridge "
#: What a link's alias may have (IFALIASZ without the zero at its end).
_ALIAS_BYTES = 255
_LO = 1
_PREFIX = names.namespace("")
_NAME = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Orphan:
    """The remains of a gateway whose folder was deleted. `name` is what its namespace, links and tables are called by."""

    name: str
    charons: tuple[int, ...] = ()

    def __str__(self) -> str:
        runs = "".join(f", its charon {pid} runs" for pid in self.charons)
        return f"network namespace {_PREFIX}{self.name}{runs}"


def sign(name: str, folder: Path) -> None:
    """Writes into a gateway's namespace which folder it belongs to, where the kernel has room for the path."""
    alias = f"{_ALIAS}{folder}"
    if len(os.fsencode(alias)) <= _ALIAS_BYTES:
        namespace.inside(name, lambda ip: ip.link("set", index=_LO, ifalias=alias))


def find(engine: Path) -> list[Orphan]:
    """Finds what belongs to the folder `engine` of a data folder and has no mark there any more."""
    marked = {folder.name for folder in marks.find(engine).values()}
    pids: defaultdict[str, list[int]] = defaultdict(list)
    for pid, folder in charon.running().items():
        pids[folder.name if folder.parent.resolve() == engine else ""].append(pid)
    for path in namespace.RUN.glob(f"{_PREFIX}*"):
        if _signed(path.name) == engine / path.name.removeprefix(_PREFIX):
            pids.setdefault(path.name.removeprefix(_PREFIX), [])
    return [
        Orphan(name, tuple(sorted(pids[name]))) for name in sorted(pids) if _NAME.fullmatch(name) and name not in marked
    ]


def owner(name: str) -> Path | None:
    """The gateway's folder that a namespace belongs to. None when nobody says."""
    if (signed := _signed(name)) is not None:
        return signed
    with contextlib.suppress(OSError):
        here = (namespace.RUN / name).stat().st_ino
        for pid, folder in charon.running().items():
            if Path(f"/proc/{pid}/ns/net").stat().st_ino == here:
                return folder
    return None


def is_foreign(name: str, folder: Path) -> bool:
    """Whether a namespace has the name `name` and does not belong to the gateway of the folder. It belongs to it when it names it, or when it names a
    folder without a mark: that is the path from which the folder was moved. A namespace that names none is ours when an earlier version
    or an interrupted step made it.
    """
    if not namespace.exists(name):
        return False
    signed = _signed(name)
    if signed is not None:
        return signed.resolve() != folder and marks.read(signed) is not None
    try:
        return not namespace.read(name, _looks_like_ours)
    except OSError:  # a namespace of another kind
        return True


def _looks_like_ours(read: netlink.Reader) -> bool:
    """Whether the filter table of a gateway stands, or nothing yet."""
    is_empty = not any(link.up for link in read.links()) and not read.addresses()
    return is_empty or nftables.summary() is not None


def charon_in_unnamed_namespace(folder: Path) -> int | None:
    """The pid of the charon of a gateway, when it runs in the gateway's namespace; None without one. Called when no namespace has the gateway's name."""
    for pid, started_from in charon.running().items():
        if started_from == folder and _signed(f"/proc/{pid}/ns/net") == folder:
            return pid
    return None


def _signed(name: str) -> Path | None:
    """`name`: of a namespace, or the path of one."""
    if not namespace.exists(name):
        return None
    with contextlib.suppress(OSError):
        lo = namespace.read(name, lambda read: read.link(ifindex=_LO))
        if lo is not None and lo.alias.startswith(_ALIAS):
            return Path(lo.alias.removeprefix(_ALIAS))
    return None
