"""The commands of the service's machine: they start things, or work on the data folder or the engine. Each calls one function of a module
beside this one, which is imported then.
"""

import importlib
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

import click

from landbridge import paths
from landbridge.client import failures, output

F = TypeVar("F", bound=Callable[..., Any])
#: As `landbridge.config` has them; tests hold both against each other.
ENGINES, ROLES = ("auto", "strongswan", "simulated", "none"), ("admin", "reader", "operator", "monitor")


def _call(module: str, function: str, **arguments: object) -> None:
    """Calls the function of the command with the settings and its arguments. Raises Failure."""
    from landbridge import config, errors  # noqa: PLC0415

    os.umask(0o077)  # the files of a data folder are for their owner only
    given = {name: arguments.get(name) for name in config.FLAGS}
    try:
        settings = config.load(given, os.environ)  # type: ignore[arg-type]
        getattr(importlib.import_module(f"landbridge.cli.{module}"), function)(settings, SimpleNamespace(**arguments))
    except errors.NotFound as error:
        raise failures.NotFound(f"not found: {error}") from None
    except errors.LandbridgeError as error:
        raise failures.Failure(str(error)) from None


def _settings(function: F) -> F:
    """The flags of each command that reads settings."""
    data = click.option("--data", metavar="DIR", help=f"Data folder (default {paths.DATA} for root).")
    return data(click.option("--config", metavar="FILE", help="Configuration file (TOML).")(function))


@click.command
@_settings
@click.option("--listen", metavar="HOST:PORT", help="Address of the API (default 127.0.0.1:8700).")
@click.option("--engine", type=click.Choice(ENGINES), help="What makes tunnels (default auto).")
@click.option("--site", metavar="FILE", help="Site file: EIPs and networks (default: documentation addresses).")
@click.option("--tls-certificate", metavar="FILE", help="Certificate and chain (PEM); renewed files are noticed.")
@click.option("--tls-key", metavar="FILE", help="The certificate's private key (PEM).")
@click.option("--insecure-http", is_flag=True, default=None, help="Listen beyond this machine without TLS.")
@click.option("--processes", metavar="N", help="Processes that answer the API (default one a processor, at most 4).")
def serve(**arguments: object) -> None:
    """Run the service: API, console and agent.

    A process for each processor answers requests, and the first of them has the agent. The console is at `/console`. The first start makes a
    project and an admin key, and writes `credentials.toml` (mode 0600) into the data folder. SIGTERM or SIGINT ends the service; tunnels stay up.
    """
    _call("serve", "serve", **arguments)


@click.command
@_settings
@click.option("--key", metavar="ACCESS_KEY", help="Who signs in (default: the key of credentials.toml).")
def console(**arguments: object) -> None:
    """Print a link that signs in to the console, once and within ten minutes.

    docs/how-to/use-the-console.md leads through the console.
    """
    _call("console", "make_link", **arguments)


@click.group
def keys() -> None:
    """Access keys, on the data folder, also while a service runs on it.

    The API has no operations on keys: who may read and write the data folder makes them.
    """


@keys.command("create")
@_settings
@click.option("--project", metavar="PROJECT", help="The key's project, id or name (none for operator and monitor).")
@click.option("--role", type=click.Choice(ROLES), default="admin", help="Default admin.")
def _create_key(**arguments: object) -> None:
    """Make a key and print it, once.

    The output is what `credentials.toml` has: endpoint (of the last start, else of the settings), project id, access key, secret key and
    token. `landbridge context add NAME --file FILE` takes it. The roles admin and reader need `--project`; operator and monitor take none.
    """
    _call("keys", "create", **arguments)


@keys.command("list")
@_settings
def _list_keys(**arguments: object) -> None:
    """List all keys with role, project, date and state, without their secrets."""
    _call("keys", "list_all", **arguments)


@keys.command("revoke")
@_settings
@click.argument("access_key")
def _revoke_key(**arguments: object) -> None:
    """Revoke a key. The service refuses it within a second."""
    _call("keys", "revoke", **arguments)


@keys.command("rotate-master")
@_settings
def _rotate_master(**arguments: object) -> None:
    """Encrypt all secrets anew under a new master key.

    It is refused while a service runs on the data folder (docs/how-to/backup-and-restore.md).
    """
    _call("backup", "rotate_master", **arguments)


@click.group
def projects() -> None:
    """Projects, on the data folder, also while a service runs on it."""


@projects.command("create")
@_settings
@click.argument("name")
def _create_project(**arguments: object) -> None:
    """Make a project and print its id."""
    _call("keys", "create_project", **arguments)


@projects.command("list")
@_settings
def _list_projects(**arguments: object) -> None:
    """List all projects: id and name."""
    _call("keys", "list_projects", **arguments)


@click.command
@_settings
@click.argument("gateway_id", required=False)
def pause(**arguments: object) -> None:
    """Pause the agent: it looks and reports, and changes nothing until `resume`.

    GATEWAY_ID is the id of a VPN gateway, or none for all. The pause lasts across restarts. A cycle that has begun is finished. Tunnels
    stay as they are; the diagnoses say since when, and `/readyz` to an operator's key (to anybody: how many).
    """
    _call("pause", "pause", **arguments)


@click.command
@_settings
@click.argument("gateway_id", required=False)
def resume(**arguments: object) -> None:
    """Let the agent act again, within a second.

    The pause of one gateway and that of all are apart.
    """
    _call("pause", "resume", **arguments)


@click.command
@_settings
@click.argument("file")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def backup(**arguments: object) -> None:
    """Save the database to a file, also while a service runs.

    The master key is not in the file (docs/how-to/backup-and-restore.md).
    """
    _call("backup", "backup", **arguments)


@click.command
@_settings
@click.argument("file")
@click.option("--force", is_flag=True, help="Restore over a database, and keep it aside.")
def restore(**arguments: object) -> None:
    """Make a data folder of a backup.

    It is refused while a service runs on the data folder (docs/how-to/backup-and-restore.md).
    """
    _call("backup", "restore", **arguments)


@click.group
def db() -> None:
    """The database of a data folder."""


@db.command("check")
@_settings
def _check_database(**arguments: object) -> None:
    """Check that the database holds what it must hold; change nothing.

    It works while a service runs, too. Findings are a line each (docs/reference/durability.md).
    """
    _call("db", "check", **arguments)


@click.group
def engine() -> None:
    """The tunnels of this machine."""


@engine.command("stop")
@_settings
@click.option("--site", metavar="FILE", help="The site file that the service ran with.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def _stop_engine(**arguments: object) -> None:
    """Take down all that the engine made for this data folder.

    It works also when the data folder is gone, and is refused while a service runs on it. At a terminal it asks first. A script is not
    asked: gateways are taken down at once, and only what has no folder any more needs `--yes`.
    """
    _call("engine", "stop", **arguments)


@click.command("check-config")
@_settings
@click.option("--site", metavar="FILE", help="Site file.")
@click.option("--files-only", is_flag=True, help="Do not look whether this machine has what the site names.")
def check_config(**arguments: object) -> None:
    """Read all settings and the site file, print them, and say what this machine lacks.

    What the machine lacks of the bridges, interfaces, network namespaces and addresses that the site names is a line each, and the exit
    status is 1. A project that the site file names and the data folder does not have is a warning.
    """
    _call("check_config", "check", **arguments)


@click.command
@_settings
@click.option("--site", metavar="FILE", help="Site file: what it names is looked for, too.")
@click.option("-o", "--output", "form", type=click.Choice(output.FORMATS), default="table", help="Default table.")
def doctor(**arguments: object) -> None:
    """Say whether this machine can carry tunnels, what it lacks, and how to get that. The command changes nothing.

    It looks at root and capabilities, commands, the data planes, strongSwan, TUN, BIRD, forwarding, the ports of IKE, disk, and what the site
    file names. A warning is about something that works less well; with something missing the exit status is 1.

    Columns: state (ok, warning or missing), what, found, remedy.
    """
    _call("doctor", "doctor", **arguments)


_ROOT = click.option("--root", metavar="DIR", default="/", help="The root of a host that does not run (an image).")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Tell what would be done.")
_PACKAGE = click.option("--package", is_flag=True, help="For the scripts of the Debian package.")


@click.command
@_ROOT
@_DRY_RUN
@_PACKAGE
def install(**arguments: object) -> None:
    """Install this program as a service of this host, or upgrade it; tunnels stay up.

    docs/how-to/run-a-gateway.md says what it makes. On a machine with the Debian package it is refused.
    """
    _call("install", "install", **arguments)


@click.command
@_settings
@click.option("--purge", is_flag=True, help="Remove data and configuration too.")
@_ROOT
@_DRY_RUN
@_PACKAGE
def uninstall(**arguments: object) -> None:
    """Take the tunnels down and remove the program; the data stays.

    On a machine with the Debian package it is refused: `apt-get remove landbridge` and `apt-get purge landbridge` do the same.
    """
    _call("install", "uninstall", **arguments)
