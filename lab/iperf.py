"""iperf3 between two namespaces, unpacked and never installed.

`python -m lab.iperf` fetches it; a machine without a network (lab.vm) finds it then in the cache.
"""

import json
import os
import subprocess
from pathlib import Path

from lab import debian_packages, sites

PORT = 5201


def fetch() -> Path:
    return debian_packages.fetch("iperf3")


def measure(client: str, server: str, address: str, *, seconds: float, streams: int = 1) -> float:
    """Mbit/s that arrive by TCP. `client` and `server` are namespaces, `address` is the server's."""
    listening = subprocess.Popen(
        _command(server, "--server", "--one-off"),
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        sites.wait_for(lambda: _listens(server), "iperf3 to listen")
        asked = _command(client, "--client", address, "--time", f"{seconds:.0f}", "--parallel", str(streams), "--json")
        done = subprocess.run(asked, env=_environment(), capture_output=True, text=True, check=False)
        found = json.loads(done.stdout)
        if "error" in found:
            raise RuntimeError(f"iperf3: {found['error']}")
        return float(found["end"]["sum_received"]["bits_per_second"]) / 1e6
    finally:
        listening.terminate()
        listening.wait()


def _command(name: str, *arguments: str) -> list[str]:
    return ["ip", "netns", "exec", name, str(fetch() / "usr/bin/iperf3"), "--port", str(PORT), *arguments]


def _environment() -> dict[str, str]:
    return os.environ | {"LD_LIBRARY_PATH": str(fetch() / "usr/lib/x86_64-linux-gnu")}


def _listens(name: str) -> bool:
    command = ["ip", "netns", "exec", name, "ss", "--listening", "--tcp", "--numeric", "--no-header"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return f":{PORT} " in listed


if __name__ == "__main__":
    print(fetch())
