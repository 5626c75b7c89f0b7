"""Tests inside the virtual machine of `make test-kernel`, where starting Python costs seconds: nothing heavy is imported here."""

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator

import pytest

#: Half of what a start of the service costs is its second process. Installed services have as many as by default.
os.environ["LANDBRIDGE_PROCESSES"] = "1"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "tunnel: needs root and makes real tunnels")
    config.addinivalue_line("markers", "long: takes minutes; `make test-kernel-full` runs it")


@pytest.fixture
def inside() -> Iterator[Callable[..., str]]:
    """Runs a command in a network namespace that lives as long as the test: `inside("ip", "link")`; fails when it fails."""
    name = f"t{secrets.token_hex(3)}"

    def run(*command: str, said: str | None = None) -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", name, *command], input=said, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield run
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
