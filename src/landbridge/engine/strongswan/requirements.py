"""Lists everything that tunnels need of this machine, with its state and a remedy (`landbridge doctor`). It changes nothing."""

import errno
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from landbridge import model, paths
from landbridge.engine.base import Requirement
from landbridge.engine.strongswan import data_plane, machine
from landbridge.engine.strongswan.network import namespace

#: capability -> its bit (capability.h): those of the service and of its daemons.
_CAPABILITIES = {
    "CHOWN": 0,
    "DAC_OVERRIDE": 1,
    "KILL": 5,
    "SETPCAP": 8,
    "NET_BIND_SERVICE": 10,
    "NET_ADMIN": 12,
    "NET_RAW": 13,
    "IPC_LOCK": 14,
    "SYS_PTRACE": 19,
    "SYS_ADMIN": 21,
}
#: command -> the Debian package that brings it.
_COMMANDS = {"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux", "setsid": "util-linux"}
#: Bytes of free disk: below the first a database soon cannot be written, below the second it is time to look.
_NO_ROOM, _LITTLE_ROOM = 100 * 2**20, 2**30
_KERNEL = (
    "load esp4 and xfrm_interface (modprobe), or take a kernel that has them: userland is for demonstrations and tests"
)
_NO_TUN = "the kernel's module tun (modprobe tun; a container needs the device /dev/net/tun)"
_NO_BIRD = "apt-get install bird2: connections of style bgp are ERROR without it"
_FORWARDING = "sysctl net.ipv4.ip_forward=1 (landbridge install writes it): EIPs that are routed or nat need it"


def check(data: Path, site: model.Site) -> Iterator[Requirement]:
    """`data`: the data folder, which need not exist."""
    yield _root()
    yield _capabilities()
    yield from _commands()
    plane, requirement = _plane()
    yield requirement
    yield from _files(plane)
    yield _bird()
    yield _forwarding(site.underlay)
    yield from map(_port, (500, 4500))
    yield _disk(data)


def _root() -> Requirement:
    if os.geteuid() == 0:
        return Requirement(name="root", found="yes")
    return Requirement(name="root", state="missing", found="no", remedy="run as root: landbridge install, or sudo")


def _capabilities() -> Requirement:
    status = Path("/proc/self/status").read_text()
    effective = int(re.findall(r"^CapEff:\s+([0-9a-f]+)$", status, re.MULTILINE)[0], 16)
    lacks = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if not lacks:
        return Requirement(name="capabilities", found="all that are needed")
    remedy = "a container needs --cap-add for each; a unit of systemd CapabilityBoundingSet="
    return Requirement(name="capabilities", state="missing", found=f"no CAP_{', CAP_'.join(lacks)}", remedy=remedy)


def _commands() -> Iterator[Requirement]:
    for command, package in _COMMANDS.items():
        where = shutil.which(command)
        if where:
            yield Requirement(name=f"command {command}", found=where)
        else:
            yield Requirement(
                name=f"command {command}", state="missing", found="no", remedy=f"apt-get install {package}"
            )


def _plane() -> tuple[model.Plane, Requirement]:
    name = "data plane"
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return "userland", Requirement(name=name, state="warning", found="not seen: that takes root, and unshare")
    plane, why = data_plane.detect()
    if plane == "kernel":
        return plane, Requirement(name=name, found=f"kernel: {why}")
    return plane, Requirement(name=name, state="warning", found=f"userland: {why}", remedy=_KERNEL)


def _files(plane: model.Plane) -> Iterator[Requirement]:
    version = machine.strongswan_version() if shutil.which("swanctl") else "unknown"
    needed = machine.needed(plane)
    lacks = {path: source for path, source in needed.items() if not path.exists()}
    tun = machine.TUN in lacks
    lacks.pop(machine.TUN, None)
    if lacks:
        packages = " ".join(sorted(set(lacks.values())))
        names = ", ".join(path.name for path in lacks)
        remedy = f"apt-get install --no-install-recommends {packages}"
        yield Requirement(name="strongSwan", state="missing", found=f"{version}, without {names}", remedy=remedy)
    else:
        yield Requirement(name="strongSwan", found=version)
    if machine.TUN in needed:
        yield Requirement(
            name="TUN",
            state="missing" if tun else "ok",
            found="no" if tun else str(machine.TUN),
            remedy=_NO_TUN if tun else "",
        )


def _bird() -> Requirement:
    if not Path(paths.BIRD).exists():
        return Requirement(name="BIRD", state="warning", found="no", remedy=_NO_BIRD)
    done = subprocess.run([paths.BIRD, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    match = re.search(r"version (\S+)", done.stdout + done.stderr)
    version = match[1] if match else "unknown"
    if version.startswith("2."):
        return Requirement(name="BIRD", found=version)
    return Requirement(name="BIRD", state="warning", found=version, remedy="apt-get install bird2: BIRD 2 is needed")


def _forwarding(underlay: str | None) -> Requirement:
    if underlay is not None and not namespace.exists(underlay):
        return Requirement(name="forwarding", state="warning", found=f"not seen: no network namespace {underlay}")
    if machine.forwards(underlay):
        return Requirement(name="forwarding", found="on")
    return Requirement(name="forwarding", state="warning", found="off", remedy=_FORWARDING)


def _port(port: int) -> Requirement:
    """Whether the machine itself holds a port of IKE. Gateways have theirs in namespaces of their own."""
    name = f"UDP {port}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
        try:
            tried.bind(("", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return Requirement(name=name, state="warning", found=error.strerror or str(error))
            remedy = f"ss -lunp 'sport = :{port}' names the program; often: systemctl disable --now strongswan"
            problem = "held by a program of this machine: an EIP with attach = nat cannot use it"
            return Requirement(name=name, state="warning", found=problem, remedy=remedy)
    return Requirement(name=name, found="free")


def _disk(data: Path) -> Requirement:
    folder, why = _existing(data)
    if why:
        return Requirement(
            name="disk", state="missing", found=f"{folder} {why}", remedy="name another data folder: --data"
        )
    free = shutil.disk_usage(folder).free
    space = f"{free / 2**30:.1f} GiB free for {data}"
    if free >= _LITTLE_ROOM:
        return Requirement(name="disk", found=space)
    remedy = "make room: a full disk refuses every change"
    return Requirement(name="disk", state="missing" if free < _NO_ROOM else "warning", found=space, remedy=remedy)


def _existing(data: Path) -> tuple[Path, str]:
    """The data folder, or the nearest path above it that exists, and why the data folder cannot be there: empty when it can."""
    for path in (data, *data.parents):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError, PermissionError):  # the last one: this user may not look
            if os.path.islink(path):  # noqa: PTH114 - `Path.is_symlink` raises where this user may not look
                return path, "is a link to nothing"
        except OSError as error:
            return path, f"cannot be a folder: {error.strerror}"
        else:
            return path, "" if path.is_dir() else "is not a folder"
    return data, ""
