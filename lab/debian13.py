"""Debian 13 on a machine that has another Debian: the README's commands, in a folder that debootstrap makes.

    python -m lab.debian13 [--own-network] [--keep] [-- COMMAND…]

Without a command: `make setup .venv/.unpacked`, which fetch packages over this machine's network, then `make demo ONCE=1` and `make test` in a
network namespace without any. The folder is a bare Debian with `make`; everything else comes by `make setup`. Apt sources,
certificates and settings of pip are this machine's own, read at run time. The command runs in mount, PID and IPC namespaces of
its own and dies with this process, so nothing of it stays, however it ends; the folder is removed unless --keep is given.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUITE = "trixie"
FOLDER = Path("build/debian13").resolve()
#: Packages move: a base of last week says little of a fresh machine.
BASE_SECONDS = 7 * 24 * 3600
TREE = "root/landbridge"
CERTIFICATES = "etc/ssl/host-certificates.pem"
HOST_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_FILES = ("etc/pip.conf", "root/.config/pip/pip.conf")
#: What a user may have set for pip and for the network. Paths of this machine mean nothing in there.
PASSED_ON = re.compile(r"PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|DEFAULT_TIMEOUT|RETRIES)|\w+_proxy", re.IGNORECASE)

#: `sh` as the first process of its PID namespace: it also collects processes whose parent ended.
_ENTER = """\
set -eu
mount --make-rprivate /
mount --bind {root} {root}
cd {root}
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
ip link set lo up
pivot_root . mnt
cd /{tree}
umount -l /mnt
env -i {environment} {command}
exit $?
"""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one part of a Debian comes from: `release` is bookworm, bookworm-updates and so on."""

    address: str
    release: str


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parse(arguments)
    try:
        root = make_root()
        if asked.command:
            return enter(root, *asked.command, own_network=asked.own_network)
        return enter(root, "make", "setup", ".venv/.unpacked", own_network=False) or _run_all(root)
    except KeyboardInterrupt:
        return 130
    except (RuntimeError, OSError) as problem:
        print(f"debian13: {problem}", file=sys.stderr)
        return 125
    finally:
        if not asked.keep:
            shutil.rmtree(FOLDER / "root", ignore_errors=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.debian13", description="Runs a command in a fresh Debian 13.")
    parser.add_argument("--own-network", action="store_true", help="run the command without this machine's network")
    parser.add_argument("--keep", action="store_true", help="leave build/debian13/root to look at")
    parser.add_argument("command", nargs="*")
    return parser.parse_args(arguments)


def _run_all(root: Path) -> int:
    return enter(root, "make", "demo", "ONCE=1", own_network=True) or enter(
        root, "make", "test", "COVERAGE=no", own_network=True
    )


def make_root() -> Path:
    """A fresh folder with a bare Debian, this machine's way to packages, and a copy of this tree."""
    root = FOLDER / "root"
    shutil.rmtree(root, ignore_errors=True)
    _run("cp", "--archive", "--reflink=auto", str(_base()), str(root))
    _add_sources(root)
    _add_pip(root)
    _add_tree(root / TREE)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")  # packages start no services
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    return root


def _base() -> Path:
    """What debootstrap made, from the last days or else made now. One that is there is whole."""
    base, making = FOLDER / "base", FOLDER / "base.making"
    if base.exists() and time.time() - base.stat().st_mtime < BASE_SECONDS:
        return base
    print(f"debian13: debootstrap makes {base}", flush=True)
    for old in (base, making):
        shutil.rmtree(old, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    address = next((one.address for one in _sources() if one.release == SUITE), None)
    if address is None:
        raise RuntimeError("this machine's apt sources name no release of Debian")
    _run("debootstrap", "--variant=minbase", "--include=make", SUITE, str(making), address)
    making.touch()
    making.rename(base)
    return base


def _sources() -> list[Source]:
    """This machine's sources of Debian packages, for SUITE in place of its own release."""
    own = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    listed = _run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages")
    found = dict.fromkeys(tuple(line.split()) for line in listed.splitlines())
    begins = own[1] if own else ""
    return [
        Source(address, SUITE + release.removeprefix(begins))
        for address, release in found
        if release in {begins, f"{begins}-updates", f"{begins}-security"}
    ]


def _add_sources(root: Path) -> None:
    """Debian's main packages, fetched as this machine fetches its own: its proxies, its checks of dates."""
    lines = "".join(f"deb {one.address} {one.release} main\n" for one in _sources())
    (root / "etc/apt/sources.list").write_text(lines)
    settings = re.findall(r"^Acquire::(?:https?|Check|Retries).*$", _run("apt-config", "dump"), re.MULTILINE)
    (root / "etc/apt/apt.conf.d/99host").write_text("".join(f"{line}\n" for line in settings))


def _add_pip(root: Path) -> None:
    for name in PIP_FILES:
        _copy(Path("/", name), root / name)
    _copy(HOST_CERTIFICATES, root / CERTIFICATES)


def _add_tree(folder: Path) -> None:
    """Files that git knows or would: no virtual environment, nothing that was built."""
    names = _run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, names):
        _copy(Path(name), folder / name)


def _copy(source: Path, target: Path) -> None:
    """Nothing where there is no source."""
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def enter(root: Path, *command: str, own_network: bool) -> int:
    """The exit status of a command in the folder. `setpriv`: it dies with us, also when we are killed."""
    print(f"debian13: {shlex.join(command)}", flush=True)
    script = _ENTER.format(
        root=shlex.quote(str(root)),
        tree=TREE,
        environment=shlex.join(f"{name}={value}" for name, value in _environment(own_network=own_network).items()),
        command=shlex.join(command),
    )
    spaces = ["--mount", "--pid", "--ipc", *(["--net"] if own_network else [])]
    unshare = ["setpriv", "--pdeathsig", "KILL", "unshare", *spaces, "--fork", "--kill-child", "bash", "-c", script]
    return subprocess.run(unshare, check=False).returncode


def _environment(*, own_network: bool) -> dict[str, str]:
    words = {"HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    if own_network:
        return words
    words |= {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
    return words | ({"PIP_CERT": f"/{CERTIFICATES}"} if HOST_CERTIFICATES.exists() else {})


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RuntimeError(f"{' '.join(command[:2])}: {' / '.join(lines[-5:])}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
