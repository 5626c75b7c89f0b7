"""Unpacks Debian packages into a cache, without installing them.

`python -m lab.debian_packages NAME` fetches one of SETS. Afterwards the set is in the cache, for a machine without a network.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path.home() / ".cache/landbridge"
#: Name of a set -> its packages, with the libraries that Debian may not have.
SETS = {
    "libreswan": (
        "libreswan",
        "libcap-ng0",
        "libevent-core-2.1-7",
        "libevent-pthreads-2.1-7",
        "libldns3",
        "libnspr4",
        "libnss3",
        "libnss3-tools",
        "libunbound8",
    ),
    "prometheus": ("prometheus",),
}


def fetch(name: str) -> Path:
    """The folder with an unpacked set, from the cache or else from Debian. A folder in the cache is always complete."""
    tree = CACHE / name / "tree"
    if not tree.exists():
        tree.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=tree.parent, prefix="unpacking-") as scratch:
            _run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *SETS[name], cwd=scratch)
            for package in Path(scratch).glob("*.deb"):
                _run("dpkg", "-x", str(package), f"{scratch}/tree")
            (Path(scratch) / "tree").rename(tree)
    return tree


def _run(*command: str, cwd: str | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    print(fetch(sys.argv[1]))
