"""The file of contexts: services by name, each with its key, and the one in use. Only its owner reads it.

`$XDG_CONFIG_HOME/landbridge/contexts.toml`; a table of it has the keys of `credentials.toml`, and `ca_file`.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landbridge.client import failures

KEYS = ("endpoint", "project_id", "access_key", "secret_key", "token", "ca_file")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contexts:
    """`accounts`: name -> the values of KEYS that are there. `current`: the name of the one in use, or empty."""

    path: Path
    accounts: Mapping[str, Mapping[str, Any]]
    current: str = ""


def read(environment: Mapping[str, str] = os.environ) -> Contexts:
    """All contexts; none when there is no file. Raises SignIn when the file cannot be read."""
    path = _path(environment)
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return Contexts(path=path, accounts={})
    except (OSError, ValueError) as error:
        raise failures.SignIn(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from None
    tables = content.get("contexts", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise failures.SignIn(f"{path}: each context is a table [contexts.NAME]")
    return Contexts(path=path, accounts=tables, current=str(content.get("current", "")))


def add(stored: Contexts, name: str, values: Mapping[str, str]) -> Contexts:
    """The contexts with one more. The first context is in use at once. Raises Usage."""
    if not _NAME.fullmatch(name):
        raise failures.Usage(f"{name!r} is no name of a context (letters, digits, _ and -)")
    accounts = {**stored.accounts, name: {key: values[key] for key in KEYS if values.get(key)}}
    return Contexts(path=stored.path, accounts=accounts, current=stored.current or name)


def write(changed: Contexts) -> None:
    """Replaces the file. Raises Failure."""
    lines = [f"current = {_quoted(changed.current)}"]
    for name, values in changed.accounts.items():
        lines += ["", f"[contexts.{name}]", *(f"{key} = {_quoted(value)}" for key, value in values.items())]
    fresh = changed.path.with_suffix(".new")
    try:
        changed.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
        fresh.replace(changed.path)
    except OSError as error:
        raise failures.Failure(f"{changed.path}: {error.strerror}") from None


def _quoted(value: object) -> str:
    """A basic string of TOML: JSON's escapes are some of TOML's."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _path(environment: Mapping[str, str]) -> Path:
    folder = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or Path.home()) / ".config"
    return Path(folder) / "landbridge/contexts.toml"
