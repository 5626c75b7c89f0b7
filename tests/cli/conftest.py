"""The command line as a client, in this process, with a project of its own at a running service."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from landbridge.cli import main
from landbridge.paths import CLIENT_VARIABLES
from tests.conftest import VPC


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command ended with, and what it said."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Cli:
    """Runs commands. Each must end as `ends` says."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def __call__(self, *words: str, ends: int = 0, stdin: str = "") -> Ran:
        ran = self.any_end(*words, stdin=stdin)
        assert ran.status == ends, ran
        return ran

    def any_end(self, *words: str, stdin: str = "") -> Ran:
        """Runs a command that may end with any status."""
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        status = main.main(words)
        printed = self._capsys.readouterr()
        assert "Traceback" not in printed.err
        return Ran(status, printed.out, printed.err)

    def gateway(self, name: str = "hq", *flags: str) -> str:
        made = self(
            "gateway", "create", "--name", name, "--vpc", VPC, "--local-subnet", "10.0.0.0/24", "--wait", *flags
        )
        return made.out.strip()

    def connection(self, name: str = "hq-branch", *flags: str) -> str:
        """A connection of gateway hq to customer gateway branch, which is ACTIVE."""
        words = ("--gateway", "hq", "--customer-gateway", "branch", "--peer-subnet", "192.168.44.0/24", *flags)
        made = self(
            "connection", "create", "--name", name, *words, "--psk-file", "-", "--wait", stdin="Correct-Horse-7\n"
        )
        return made.out.strip()

    def pair(self) -> None:
        """Gateway hq, customer gateway branch, connection hq-branch."""
        self.gateway()
        self("customer-gateway", "create", "--name", "branch", "--address", "198.51.100.2")
        self.connection()


@pytest.fixture(autouse=True)
def _no_accounts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No account of whoever runs the tests."""
    for name in (*CLIENT_VARIABLES, "LANDBRIDGE_DATA", "LANDBRIDGE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(capsys, monkeypatch)


@pytest.fixture
def ours(cli: Cli, server: Any, tmp_path: Path) -> Cli:
    """With a context in use: a project of its own, and an admin's key."""
    add_context(cli, server, tmp_path.name)
    return cli


def add_context(cli: Cli, server: Any, project: str, *flags: str) -> None:
    data = ("--data", str(server.folder))
    cli("projects", "create", project, *data)
    made = cli("keys", "create", "--project", project, *data, *flags)
    cli("context", "add", "ours", "--file", "-", stdin=made.out)
