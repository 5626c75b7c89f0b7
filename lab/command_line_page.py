"""Writes docs/reference/command-line.md from the commands themselves.

python -m lab.command_line_page
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from landbridge.cli import main, overview, remote
from landbridge.client import failures

PAGE = Path(__file__).parents[1] / "docs/reference/command-line.md"

_INTRODUCTION = """\
# The command line

`landbridge` is a client of the HTTP API, and it starts and keeps the service on its own machine. `python -m lab.command_line_page` writes this page
from the commands, and a test holds it against them.

```
landbridge status                                   # the overview on one screen
landbridge connection list --status DOWN
landbridge connection diagnose hq-branch
```

## Which service

The first place that names a service decides. Endpoint, project and key all come from there:

| | place |
|---|---|
| 1 | the flags `--context NAME`, then `--data DIR` |
| 2 | the variables `LANDBRIDGE_ENDPOINT`, `LANDBRIDGE_PROJECT_ID`, `LANDBRIDGE_ACCESS_KEY`, `LANDBRIDGE_SECRET_KEY` and `LANDBRIDGE_TOKEN` together; then `LANDBRIDGE_CONTEXT`; then `LANDBRIDGE_DATA` |
| 3 | the context that `landbridge context use` chose, in `$XDG_CONFIG_HOME/landbridge/contexts.toml` (`~/.config`) |
| 4 | `credentials.toml` in the data folder of this machine: on the service's machine nothing needs to be set up |

`--endpoint`, `--project` and `--ca-file` (and `LANDBRIDGE_PROJECT_ID`, `LANDBRIDGE_CA_FILE`) replace one value, whichever place decides.
`landbridge context list` names the service that a command without flags asks. A request is signed with the secret key (SDK-HMAC-SHA256), so the key itself is
not sent; without a secret key the token is. No flag takes a secret, since others on the machine see flags.

## Names

NAME|ID is a whole id, a whole name, or the first four or more digits of an id, in this order. When several resources are meant, the command lists them
and ends with status 2.

## Output

Data goes to standard output, and everything else that a command says goes to standard error. `-o json` and `-o yaml` print what the API answers; a list
has all pages in one. `-o table`, the default, is for people on a terminal: colours (not with `NO_COLOR`), times as "5 m ago", the first digits of ids.
In a pipe it is a line for each row: the columns separated by tabs, whole, without a head.

A command waits at most 30 seconds for the service to answer a request. A command sends a GET again, twice at most, when the network breaks or the
service is busy. It sends no other request again.

Each command of the API has these options:

{shared}
## Exit statuses

| status | meaning |
|---|---|
"""


def page() -> str:
    """The whole page."""
    shared = _options(overview.quota, shared=True)
    parts = [
        _INTRODUCTION.replace("{shared}", shared.strip() + "\n"),
        *(f"| {status} | {text} |\n" for status, text in failures.STATUSES.items()),
    ]
    context = click.Context(main.landbridge, info_name="landbridge")
    for section, commands in main.COMMANDS.items():
        parts.append(f"\n## {section}\n")
        for name in commands:
            command = main.landbridge.get_command(context, name)
            if command is not None:
                parts += _command(command, f"landbridge {name}")
    return "".join(parts)


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Each command below a command that can be called, with its words."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command, info_name=path)
    names = command.commands or command.list_commands(context)  # in the order in which they are written
    for name in names:
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, f"{path} {name}")


def _command(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        yield f"\n### {path}\n\n{_text(command)}\n"
        for inner_path, inner in commands(command, path):
            yield f"\n#### {inner_path}\n\n{_usage(inner, inner_path)}\n\n{_text(inner)}\n{_options(inner)}"
        return
    yield f"\n### {path}\n\n{_usage(command, path)}\n\n{_text(command)}\n{_options(command)}"


def _usage(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path)
    arguments = [each.make_metavar(context) for each in command.params if isinstance(each, click.Argument)]
    return f"`{' '.join([path, *arguments, '[OPTIONS]'])}`"


def _text(command: click.Command) -> str:
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    text = "\n\n".join(" ".join(each.split()) for each in paragraphs)
    return re.sub(r"(?<!`)docs/(\S+?)/([\w-]+)\.md", r"[\2](../\1/\2.md)", text)


def _options(command: click.Command, *, shared: bool = False) -> str:
    """The options that all commands of the API have stand on the page once."""
    context = click.Context(command, info_name="landbridge")
    rows = []
    for each in command.params:
        record = each.get_help_record(context)
        if isinstance(each, click.Option) and record is not None and shared == _is_shared(command, each):
            rows.append(f"| `{record[0].replace('|', chr(92) + '|')}` | {record[1]} |\n")
    return "\n| option | |\n|---|---|\n" + "".join(rows) if rows else ""


def _is_shared(command: click.Command, option: click.Option) -> bool:
    return any(each.name == "form" for each in command.params) and option.name in (*remote.ACCOUNT, "form")


if __name__ == "__main__":
    PAGE.write_text(page())
