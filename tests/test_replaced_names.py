"""mypy reads the tests that `make unit` leaves out, but not the strings in them: a name that monkeypatch replaces must be there."""

import ast
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent
FOLDERS = re.findall(r"--ignore tests/,([a-z ]+)", (ROOT / "Makefile").read_text())[0].split()
LEFT_OUT = sorted(path for folder in FOLDERS for path in (HERE / folder).glob("*.py"))


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each name of an import stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                first = one.name.partition(".")[0]
                names[one.asname or first] = one.name if one.asname else first
        elif isinstance(node, ast.ImportFrom):
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    return names


def _replaced(tree: ast.Module) -> Iterator[str]:
    """`lab.sites.ping` for `monkeypatch.setattr(sites, "ping", …)`."""
    imported = _imported(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="setattr" | "delattr"), args=[ast.Constant(value=str(whole)), *_]):
                yield whole
            case ast.Call(
                func=ast.Attribute(attr="setattr" | "delattr"), args=[owner, ast.Constant(value=str(name)), *_]
            ):
                first, dot, rest = ast.unparse(owner).partition(".")
                if first in imported:
                    yield f"{imported[first]}{dot}{rest}.{name}"


def _missing(source: str) -> list[str]:
    return [name for name in _replaced(ast.parse(source)) if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (AttributeError, ImportError):
        return False
    return True


def test_mypy_reads_all_of_them():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {f"tests.{folder}" for folder in FOLDERS} <= set(settings["tool"]["mypy"]["packages"])


@pytest.mark.parametrize("path", LEFT_OUT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_a_test_replaces_is_there(path: Path):
    assert _missing(path.read_text()) == []


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ('from lab import sites\nm.setattr(sites, "ping", 1)', []),
        ('from lab import sites\nm.setattr(sites, "pong", 1)', ["lab.sites.pong"]),
        ('from lab import sites as s\nm.delattr(s.subprocess, "runs")', ["lab.sites.subprocess.runs"]),
        ('import lab.sites\nm.setattr(lab.sites, "pong", 1)', ["lab.sites.pong"]),
        ('m.setattr("lab.sites.pong", 1)', ["lab.sites.pong"]),
        ('m.setattr("lab.cites.ping", 1)', ["lab.cites.ping"]),
        ('def f(one, m):\n    m.setattr(one, "any", 1)', []),
    ],
)
def test_a_name_that_is_not_there_is_missing(lines: str, missing: list[str]):
    assert _missing(lines) == missing
