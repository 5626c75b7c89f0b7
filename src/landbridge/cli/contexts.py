"""`landbridge context`: services by name, each with its key."""

import os
import sys
import tomllib
from pathlib import Path

import click

from landbridge.cli import fields
from landbridge.client import accounts, contexts, failures, output


@click.group
def context() -> None:
    """Contexts: services by name, each with its key, in a file that only you read.

    The first place that names a service decides: --context and --data; the variables LANDBRIDGE_ENDPOINT, LANDBRIDGE_ACCESS_KEY,
    LANDBRIDGE_SECRET_KEY and LANDBRIDGE_TOKEN together, then LANDBRIDGE_CONTEXT, then LANDBRIDGE_DATA; the context in use; and
    credentials.toml in the data folder of this machine. LANDBRIDGE_PROJECT_ID and LANDBRIDGE_CA_FILE replace one value, as --project and
    --ca-file do.
    """


@context.command("list")
def _list() -> None:
    """List the contexts, and name the service that a command without flags asks.

    Columns: * for the one in use, name, endpoint, project.
    """
    stored = contexts.read()
    output.table(
        ("", "NAME", "ENDPOINT", "PROJECT"),
        [
            ("*" if name == stored.current else "", name, values.get("endpoint"), values.get("project_id"))
            for name, values in stored.accounts.items()
        ],
    )
    try:
        account = accounts.find(accounts.Flags())
    except failures.SignIn as error:
        output.say(str(error))
        return
    output.say(f"commands without flags ask {account.endpoint}: {account.source}")


@context.command("use")
@click.argument("name")
def _use(name: str) -> None:
    """Choose the context of commands that name none."""
    stored = _existing(name)
    contexts.write(contexts.Contexts(path=stored.path, accounts=stored.accounts, current=name))
    account = accounts.find(accounts.Flags())
    if account.source != f"context {name}":
        output.say(f"warning: the environment wins over contexts: commands ask {account.endpoint} ({account.source})")


@context.command("add")
@click.argument("name")
@click.option(
    "--file", metavar="FILE", help="What `landbridge keys create` printed, or a credentials.toml; - is stdin."
)
@click.option("--endpoint", metavar="URL", help="The URL of the API.")
@click.option("--project", "project_id", metavar="ID", help="The id of the project.")
@click.option("--access-key", metavar="KEY", help="The access key; its secret key is asked for, or read from stdin.")
@click.option("--ca-file", metavar="FILE", help="The CA of the service's certificate (PEM).")
def _add(name: str, file: str | None, ca_file: str | None, **given: str | None) -> None:
    """Add a context, or replace one. The first one is in use at once."""
    values = _credentials(file) if file else {}
    values |= {key: value for key, value in given.items() if value}
    if ca_file:
        values["ca_file"] = str(Path(ca_file).absolute())
    if not values.get("endpoint"):
        raise failures.Usage("--endpoint or --file must name the URL of the API")
    if not (values.get("token") or (values.get("access_key") and values.get("secret_key"))):
        if not values.get("access_key"):
            raise failures.Usage("--file must have a key, or --access-key names one")
        values["secret_key"] = _secret()
    contexts.write(contexts.add(contexts.read(), name, values))


def _existing(name: str) -> contexts.Contexts:
    """All contexts, of which one has this name. Raises NotFound."""
    stored = contexts.read()
    if name not in stored.accounts:
        raise failures.NotFound(
            f"no context {name} in {stored.path} (contexts: {', '.join(stored.accounts) or 'none'})"
        )
    return stored


def _secret() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Secret key", hide_input=True, err=True))
    return sys.stdin.readline().removesuffix("\n")


def _credentials(file: str) -> dict[str, str]:
    try:
        credentials = tomllib.loads(fields.read_text(file))
    except tomllib.TOMLDecodeError as error:
        raise failures.Usage(f"{file}: {error}") from None
    return {key: str(credentials[key]) for key in contexts.KEYS if key in credentials}


@context.command("delete")
@click.argument("name")
def _delete(name: str) -> None:
    """Forget a context. Its key stays valid (landbridge keys revoke)."""
    stored = _existing(name)
    left = {other: values for other, values in stored.accounts.items() if other != name}
    current = "" if stored.current == name else stored.current
    contexts.write(contexts.Contexts(path=stored.path, accounts=left, current=current))
    if current != stored.current and os.environ.get("LANDBRIDGE_CONTEXT") is None:
        output.say("no context is in use now")
