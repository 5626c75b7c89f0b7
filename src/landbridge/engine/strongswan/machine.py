"""Checks what the strongSwan engine needs of this machine, before the engine makes anything."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from landbridge import model
from landbridge.engine import base
from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.ike import charon
from landbridge.engine.strongswan.network import namespace

PLUGINS = Path("/usr/lib/ipsec/plugins")
TUN = Path("/dev/net/tun")
#: file -> the Debian package that brings it.
_NEEDED = {
    charon.BINARY: "charon-systemd",
    PLUGINS / "libstrongswan-vici.so": "strongswan-swanctl",
    PLUGINS / "libstrongswan-openssl.so": "libstrongswan-standard-plugins",
}
#: What the userland data plane needs more.
_NEEDED_IN_USERLAND = {
    PLUGINS / "libstrongswan-kernel-libipsec.so": "libcharon-extra-plugins",
    TUN: "the kernel's TUN driver",
}


def needed(plane: model.Plane) -> dict[Path, str]:
    """file -> the Debian package, or the driver, that brings it."""
    return _NEEDED if plane == "kernel" else _NEEDED | _NEEDED_IN_USERLAND


def check_root() -> None:
    if os.geteuid() != 0:
        raise base.EngineUnavailable("the strongswan engine must run as root")


def check(folder: Path, underlay: str | None, plane: model.Plane) -> None:
    """`folder`: where the gateways' folders will be. Raises EngineUnavailable."""
    missing = [f"{path} ({source})" for path, source in needed(plane).items() if not path.exists()]
    missing += [f"the command {tool}" for tool in ("ip", "nft", "nsenter", "setsid") if not shutil.which(tool)]
    if underlay is not None and not namespace.exists(underlay):
        missing.append(f"the network namespace {underlay}")
    if missing:
        raise base.EngineUnavailable(f"this machine lacks {', '.join(missing)}")
    longest = len(os.fsencode(charon.CHARON.socket_path(folder / ("0" * 12))))
    if longest >= daemon.SOCKET_PATH_LIMIT:
        room = len(os.fsencode(folder.parent)) - (longest - daemon.SOCKET_PATH_LIMIT + 1)
        raise base.EngineUnavailable(f"the path of the data folder {folder.parent} is too long: {room} bytes at most")


def strongswan_version() -> str:
    """The version that `swanctl` of the same packages prints: charon-systemd knows no `--version` and would start."""
    done = subprocess.run(["swanctl", "--help"], capture_output=True, text=True, check=False)  # noqa: S607
    match = re.search(r"strongSwan (\S+) swanctl", done.stdout + done.stderr)
    return match[1] if match else "unknown"


def forwards(underlay: str | None) -> bool:
    """Whether packets for the EIPs can pass this machine at all. Only the operator may switch that on."""
    read = Path("/proc/sys/net/ipv4/ip_forward").read_text
    return namespace.inside(underlay, lambda _: read()).strip() == "1"
