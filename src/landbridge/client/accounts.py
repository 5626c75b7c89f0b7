"""Finds the account of a command: the service to which it sends requests, and the key. The first place that names one decides, and the whole
account comes from there:

1. the flags `--context NAME` and `--data DIR`
2. the variables LANDBRIDGE_ENDPOINT, LANDBRIDGE_ACCESS_KEY, LANDBRIDGE_SECRET_KEY and LANDBRIDGE_TOKEN together; then
   LANDBRIDGE_CONTEXT; then LANDBRIDGE_DATA
3. the context that `landbridge context use` chose
4. `credentials.toml` in the data folder of this machine

An account is never put together from two places: a key would go to a service that it is not for. `--endpoint`, `--project` and
`--ca-file` (and LANDBRIDGE_PROJECT_ID, LANDBRIDGE_CA_FILE) replace one value of the account, whichever it is.
"""

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from landbridge import paths
from landbridge.client import contexts, failures

_KEYS = ("endpoint", "access_key", "secret_key", "token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`source`: where it was found, for people."""

    endpoint: str
    source: str
    project_id: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What the flags of a command say; None where they are not given."""

    context: str | None = None
    data: str | None = None
    endpoint: str | None = None
    project: str | None = None
    ca_file: str | None = None


def find(flags: Flags, environment: Mapping[str, str] = os.environ) -> Account:
    """The account of a command. Raises SignIn with what is missing, and how to give it."""
    account = _first(flags, environment)
    replaced = {
        "endpoint": flags.endpoint,
        "project_id": flags.project or environment.get("LANDBRIDGE_PROJECT_ID"),
        "ca_file": flags.ca_file or environment.get("LANDBRIDGE_CA_FILE"),
    }
    account = dataclasses.replace(account, **{name: value for name, value in replaced.items() if value})
    if not (account.token or (account.access_key and account.secret_key)):
        raise failures.SignIn(f"{account.source} has no key: access_key and secret_key, or token")
    for name in ("access_key", "token"):  # they go into headers as they are; the message has no key
        if not (getattr(account, name).isascii() and getattr(account, name).isprintable()):
            raise failures.SignIn(f"{account.source}: {name} has a character that is not allowed in a key")
    _check_endpoint(account)
    return account


def _check_endpoint(account: Account) -> None:
    """Raises SignIn unless the endpoint is the URL of a host. It may hold no password: errors print it."""
    endpoint = account.endpoint
    try:
        url = urlsplit(endpoint)
        fits = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        fits = False
    if "@" in endpoint:
        raise failures.SignIn(f"{account.source}: an endpoint has neither a user name nor an @")
    if not (fits and endpoint.isprintable() and " " not in endpoint):
        raise failures.SignIn(f"{account.source}: endpoint {endpoint!r} is not a URL (http://… or https://…)")


def _first(flags: Flags, environment: Mapping[str, str]) -> Account:
    if flags.context:
        return _of_context(flags.context, environment)
    if flags.data:
        return _of_data(Path(flags.data))
    if any(environment.get(_variable(key)) for key in _KEYS):
        return _account("the environment", {key: environment.get(_variable(key), "") for key in _KEYS})
    if environment.get("LANDBRIDGE_CONTEXT"):
        return _of_context(environment["LANDBRIDGE_CONTEXT"], environment)
    if environment.get("LANDBRIDGE_DATA"):
        return _of_data(Path(environment["LANDBRIDGE_DATA"]))
    if current := contexts.read(environment).current:
        return _of_context(current, environment)
    return _of_data(Path(_configured_data(environment)))


def _variable(key: str) -> str:
    return f"LANDBRIDGE_{key.upper()}"


def _of_context(name: str, environment: Mapping[str, str]) -> Account:
    stored = contexts.read(environment)
    if name not in stored.accounts:
        known = f"there are {', '.join(stored.accounts)}" if stored.accounts else "there is none"
        raise failures.SignIn(f"no context {name} in {stored.path} ({known}; `landbridge context add` makes one)")
    return _account(f"context {name}", stored.accounts[name])


def _of_data(folder: Path) -> Account:
    path = folder / paths.CREDENTIALS
    try:
        return _account(str(path), tomllib.loads(path.read_text()))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise failures.SignIn(
            f"no credentials: {path}: {why} (--data DIR names the data folder of a service on this machine;"
            " for another machine: `landbridge context add`, or LANDBRIDGE_ENDPOINT with a key)"
        ) from None


def _configured_data(environment: Mapping[str, str]) -> str:
    """The data folder that the settings of this machine's service name."""
    try:
        configured = tomllib.loads(Path(environment.get("LANDBRIDGE_CONFIG", "")).read_text())
        return str(configured["serve"]["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return paths.default_data()


def _account(source: str, values: Mapping[str, Any]) -> Account:
    names = {field.name for field in dataclasses.fields(Account)} - {"source"}
    given = {name: str(value) for name, value in values.items() if name in names}
    if not given.get("endpoint"):
        raise failures.SignIn(f"{source} has no endpoint: the URL of the API")
    return Account(source=source, **given)
