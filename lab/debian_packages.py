"""Debian packages that are unpacked beside this machine's own and never installed.

`python -m lab.debian_packages NAME` fetches one of SETS; a machine without a network finds it then in the cache.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path.home() / ".cache/landbridge"
#: Each with what its programs need and a Debian may not have.
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
    """The unpacked tree of a set, from the cache or else from Debian. One that is there is whole."""
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
