"""Shared parts of the commands of the API: the flags that choose the service, the form of the output, and names of resources."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from landbridge.client import accounts, api, failures, output, resources
from landbridge.client.output import Cell
from landbridge.client.resources import Kind

F = TypeVar("F", bound=Callable[..., Any])
#: Seconds that Tab may wait for names of resources.
_COMPLETION_SECONDS = 2.0
#: Seconds that --wait waits without --timeout.
WAIT_SECONDS = 120.0

_OPTIONS = (
    click.option("--context", metavar="NAME", help="The service and key of this context (landbridge context list)."),
    click.option("--data", metavar="DIR", help="The service of this data folder, with its credentials.toml."),
    click.option("--endpoint", metavar="URL", help="Another URL of the API than that of the context."),
    click.option("--project", metavar="ID", help="Another project, for an operator's key."),
    click.option("--ca-file", metavar="FILE", help="The CA of the service's certificate (PEM)."),
    click.option("-o", "--output", "form", type=click.Choice(output.FORMATS), default="table", help="Default table."),
)
#: Names of the parameters of _OPTIONS that choose the account.
ACCOUNT = ("context", "data", "endpoint", "project", "ca_file")

YES = click.option("--yes", is_flag=True, help="Ask nothing. It is needed without a terminal.")
WAIT = click.option("--wait", is_flag=True, help="Wait until it is carried out, and print each status meanwhile.")
TIMEOUT = click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", default=WAIT_SECONDS, help="Of --wait (default 120)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun:
    """One run of a command that sends requests to the API. `form`: the output format, one of output.FORMATS."""

    api: api.Api
    form: str

    def show(
        self, answer: Mapping[str, Any], columns: Sequence[str], rows: Callable[[], Sequence[Sequence[Cell]]]
    ) -> None:
        """Prints the rows as a table, or the answer itself in another format."""
        if self.form == "table":
            output.table(columns, rows())
        else:
            output.document(answer, self.form)

    def show_fields(self, answer: Mapping[str, Any], pairs: Sequence[tuple[str, Cell]]) -> None:
        """Prints a name and a value in each line, or the answer itself in another format."""
        if self.form == "table":
            output.fields(pairs)
        else:
            output.document(answer, self.form)

    def find(self, kind: Kind, given: str) -> str:
        return resources.find(self.api, kind, given)


def api_command(function: Callable[..., object]) -> Callable[..., Any]:
    """Makes the function a command of the API: adds the options of the account and the output, and passes a CommandRun before the arguments."""

    @functools.wraps(function)
    def run(form: str, **arguments: Any) -> object:
        flags = accounts.Flags(**{name: arguments.pop(name) for name in ACCOUNT})
        made = api.Api(accounts.find(flags), lambda text: output.say(f"warning: {text}"))
        with contextlib.closing(made):
            return function(CommandRun(api=made, form=form), **arguments)

    command: Callable[..., Any] = run
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def name_of(kind: Kind, parameter: str = "name", *, required: bool = True) -> Callable[[F], F]:
    """Adds an argument that names a resource, with completion by Tab."""
    return click.argument(
        parameter, metavar="NAME|ID" if required else "[NAME|ID]", required=required, shell_complete=_complete(kind)
    )


def _complete(kind: Kind) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    def names(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        flags = accounts.Flags(**{name: context.params.get(name) for name in ACCOUNT})
        try:
            quick = api.Api(accounts.find(flags, os.environ), timeout=_COMPLETION_SECONDS)
            with contextlib.closing(quick):
                names_of_kind = resources.names(quick, kind).values()
        except failures.Failure:  # no place for an error
            return []
        return [CompletionItem(name) for name in names_of_kind if name.startswith(incomplete)]

    return names


def confirm(question: str, *, yes: bool, name: str | None = None) -> None:
    """Asks the question on a terminal. With `name`, the person must type that name. Raises Usage without a terminal, and Abort after a no."""
    if yes:
        return
    question = output.clean(question)
    if not sys.stdin.isatty():
        raise failures.Usage(f"{question} --yes is needed without a terminal")
    if name is None:
        click.confirm(question, abort=True, err=True)
    elif click.prompt(f"{question} Type its name", err=True, default="", show_default=False) != name:
        raise click.Abort
