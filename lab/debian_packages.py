"""Unpacks Debian packages into a cache, without installing them.

`python -m lab.debian_packages NAME…` fetches packages. Afterwards they are in the cache, for a machine without a network.
"""

import fcntl
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path.home() / ".cache/landbridge"
#: Package -> the files in its folder that are used.
USED = {
    "prometheus": ("usr/bin/prometheus", "usr/bin/promtool"),
    "libreswan": ("usr/sbin/ipsec", "usr/libexec/ipsec/pluto"),
    "shellcheck": ("usr/bin/shellcheck",),
}


def fetch(package: str) -> Path:
    """The folder with an unpacked package and what it needs, from the cache or else from Debian. A folder that lacks a file of `USED` is
    fetched again.
    """
    tree = CACHE / package / "tree"
    tree.parent.mkdir(parents=True, exist_ok=True)
    with (tree.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists() or _lacks(tree, package):
            shutil.rmtree(tree, ignore_errors=True)
            _unpack(package, tree)
    return tree


def _lacks(tree: Path, package: str) -> list[str]:
    return [file for file in USED.get(package, ()) if not (tree / file).exists()]


def _unpack(package: str, tree: Path) -> None:
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix="unpacking-") as scratch:
        _run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *_missing(package), cwd=scratch)
        for file in Path(scratch).glob("*.deb"):
            _run("dpkg", "-x", str(file), f"{scratch}/tree")
        (Path(scratch) / "tree").rename(tree)


def _missing(package: str) -> list[str]:
    """The package and those of its dependencies that this machine does not have. apt resolves them: each Debian has its own names."""
    steps = _run("apt-get", "install", "--simulate", "--reinstall", "--no-install-recommends", package)
    return re.findall(r"^Inst (\S+)", steps, re.MULTILINE)


def _run(*command: str, cwd: str | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(fetch(name))
