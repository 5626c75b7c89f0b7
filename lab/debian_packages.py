"""Unpacks Debian packages into a cache, without installing them.

`python -m lab.debian_packages NAME…` fetches packages. Afterwards they are in the cache, for a machine without a network.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path.home() / ".cache/landbridge"


def fetch(package: str) -> Path:
    """The folder with an unpacked package and what it needs, from the cache or else from Debian. A folder in the cache is always complete."""
    tree = CACHE / package / "tree"
    if not tree.exists():
        tree.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=tree.parent, prefix="unpacking-") as scratch:
            _run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *_missing(package), cwd=scratch)
            for file in Path(scratch).glob("*.deb"):
                _run("dpkg", "-x", str(file), f"{scratch}/tree")
            (Path(scratch) / "tree").rename(tree)
    return tree


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
