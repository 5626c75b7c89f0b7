"""Debian's own kernel for a virtual machine: downloaded and unpacked into a cache, never installed.

The cache has a folder for each version of the package; one that is there is complete and is never fetched again.
`python -m lab.kernel` fetches.
"""

import fcntl
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path.home() / ".cache/landbridge/kernel"
PACKAGE = "linux-image-amd64"

#: What the first megabyte of the guest needs to reach the rest; everything later is loaded by the guest's own modprobe.
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """`folder` is the package's own tree: `boot` and `lib/modules`."""

    release: str
    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        return self.folder / "lib/modules"

    def boot_modules(self) -> list[Path]:
        """The files of BOOT_MODULES and of what they need, in the order in which they can be inserted."""
        command = ["modprobe", "--dirname", str(self.folder), "--set-version", self.release, "--show-depends"]
        shown = "".join(_run(*command, name) for name in BOOT_MODULES)
        return list(dict.fromkeys(Path(line.split()[1]) for line in shown.splitlines() if line.startswith("insmod ")))


def fetch() -> Kernel:
    """The newest kernel that the machine's package lists name, from the cache or else from Debian."""
    wanted = _candidate()
    if wanted is None or not (CACHE / _key(*wanted)).exists():
        _run("apt-get", "update", "-qq")
        wanted = _candidate()
    if wanted is None:
        raise RuntimeError(f"no package {PACKAGE} in this machine's package lists: a Debian on amd64 has it")
    folder = CACHE / _key(*wanted)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _unpack(*wanted, folder)
    return Kernel(release=wanted[0].removeprefix("linux-image-"), folder=folder)


def _candidate() -> tuple[str, str] | None:
    """Name and version of the package that PACKAGE stands for; None while the lists do not know it."""
    shown = subprocess.run(
        ["apt-cache", "show", "--no-all-versions", PACKAGE], capture_output=True, text=True, check=False
    )
    found = re.search(r"^Depends: (linux-image-\S+) \(= (\S+)\)", shown.stdout, re.MULTILINE)
    return (found[1], found[2]) if found else None


def _key(name: str, version: str) -> str:
    return f"{name}_{version}"


def _unpack(name: str, version: str, folder: Path) -> None:
    """Beside its place first, so that one that is broken off is never taken for a kernel."""
    print(f"vm: fetching {name} {version}", flush=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="unpacking-") as scratch:
        _run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", f"{name}={version}", cwd=scratch)
        [package] = Path(scratch).glob("*.deb")
        tree = Path(scratch) / "tree"
        _run("dpkg", "-x", str(package), str(tree))
        _run("depmod", "--basedir", str(tree), name.removeprefix("linux-image-"))
        tree.rename(folder)


def _run(*command: str, cwd: str | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


if __name__ == "__main__":
    fetch()
