"""The files that tell people and scripts how to reach the API: `credentials.toml` and `endpoint`.

Invariant: an admin key is written to `credentials.toml` before its transaction commits, so no key exists that nobody ever saw.
"""

import contextlib
import os
import tomllib
from pathlib import Path

from landbridge import config, errors, paths
from landbridge.data_folder.opening import Data
from landbridge.operations import access, clock
from landbridge.store import vault
from landbridge.store.database import Transaction

NEW_KEY = "landbridge keys create --project default"


def write(data: Data, endpoint: str) -> None:
    """Writes both files for their owner only. The first start makes a project and an admin key for that project; a later start keeps them
    and renews the endpoint. `endpoint` is the API's URL. Raises ConfigError.
    """
    path = data.path / paths.CREDENTIALS
    try:
        if not data.database.read(access.list_projects):
            data.database.write(lambda tx: _make_first_key(tx, data, endpoint))
        elif path.exists():
            _write_private(path, tomllib.loads(path.read_text()) | {"endpoint": endpoint})
        (data.path / paths.ENDPOINT).write_text(f"{endpoint}\n")
    except OSError as error:
        raise errors.ConfigError(f"{path}: {error.strerror}") from None
    except errors.Busy as error:
        raise errors.ConfigError(f"{data.path}: {error}") from None


def _make_first_key(tx: Transaction, data: Data, endpoint: str) -> None:
    now = clock.now()
    made = access.create_key(tx, data.vault, access.create_project(tx, "default", now), "admin", now)
    values = {
        "endpoint": endpoint,
        "project_id": str(made.project_id),
        "access_key": made.access_key,
        "secret_key": made.secret_key.reveal(),
        "token": made.token.reveal(),
    }
    _write_private(data.path / paths.CREDENTIALS, values)


def _write_private(path: Path, values: dict[str, str]) -> None:
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.writelines(f'{name} = "{value}"\n' for name, value in values.items())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    vault.sync_folder(path.parent)


def describe(data: Data) -> str:
    """Returns where the first credentials are, or how to make a key without them."""
    path = data.path / paths.CREDENTIALS
    return f"first credentials in {path}" if path.exists() else f"no {path.name}; a new key: {NEW_KEY}"


def read_endpoint(settings: config.Settings) -> str | None:
    """The API's URL as the last start wrote it; None before the first start."""
    with contextlib.suppress(OSError):
        return (Path(settings.serve.data) / paths.ENDPOINT).read_text().strip()
    return None


def read_access_key(settings: config.Settings) -> str | None:
    """The access key of `credentials.toml`; None without the file."""
    with contextlib.suppress(OSError, tomllib.TOMLDecodeError):
        access_key = tomllib.loads((Path(settings.serve.data) / paths.CREDENTIALS).read_text()).get("access_key")
        return access_key if isinstance(access_key, str) else None
    return None
