"""`landbridge`: the tree of commands. A module of commands is imported when one of its commands is called, and a command imports its
libraries when it runs. `tests/cli/test_start.py` lists the imports of a start.
"""

import importlib
import os
import sys
from collections.abc import Sequence

import click

from landbridge import __version__
from landbridge.client import failures, output

#: Section of the help -> command -> the module that has it.
COMMANDS = {
    "Commands of the API": {
        "status": "overview",
        "gateway": "gateways",
        "customer-gateway": "customer_gateways",
        "connection": "connections",
        "monitor": "monitors",
        "certificate": "certificates",
        "tags": "tags",
        "quota": "overview",
        "audit": "overview",
        "api": "raw",
        "context": "contexts",
    },
    "Commands of the service's machine": {
        "serve": "local",
        "doctor": "local",
        "console": "local",
        "keys": "local",
        "projects": "local",
        "pause": "local",
        "resume": "local",
        "backup": "local",
        "restore": "local",
        "db": "local",
        "engine": "local",
        "check-config": "local",
        "install": "local",
        "uninstall": "local",
    },
    "Others": {"completion": "completion"},
}


class Commands(click.Group):
    """The commands of COMMANDS, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for section in COMMANDS.values():
            if cmd_name in section:
                module = importlib.import_module(f"landbridge.cli.{section[cmd_name]}")
                command: click.Command = getattr(module, cmd_name.replace("-", "_"))
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:  # click looks for similar names in what is imported
            raise click.NoSuchCommand(error.command_name, possibilities=self.list_commands(ctx), ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, section in COMMANDS.items():
            commands = [(name, self.get_command(ctx, name)) for name in section]
            with formatter.section(title):
                formatter.write_dl([(name, command.get_short_help_str(100)) for name, command in commands if command])


@click.group(cls=Commands, context_settings={"help_option_names": ["--help"], "max_content_width": 120})
@click.version_option(__version__, message="%(version)s")
def landbridge() -> None:
    """Site-to-site VPN with the VPN v5 API."""


def main(command_line: Sequence[str] | None = None) -> int:
    """Runs a command, and returns its exit status (`client.failures`)."""
    arguments = sys.argv[1:] if command_line is None else list(command_line)
    if damaged := next((word for word in arguments if _is_not_utf8(word)), None):
        return _fail(f"{damaged!r} is not text in UTF-8", 2)
    try:
        status = landbridge.main(arguments, prog_name="landbridge", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _fail(_usage(error), 2)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except failures.Failure as error:
        return _fail(str(error), error.status)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would fail again at the exit
        return 1
    except OSError as error:  # of this machine, whatever the command did: a disk, a folder, a limit
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    return status if isinstance(status, int) else 0


def _is_not_utf8(word: str) -> bool:
    """Python decodes each byte that is not UTF-8 to a surrogate. SQLite, TOML and the output of a command have no such characters."""
    return any("\ud800" <= character <= "\udfff" for character in word)


def _usage(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split()).removesuffix(".")
    context = getattr(error, "ctx", None)
    return f"{message} ({context.command_path} --help)" if context else message


def _fail(reason: str, status: int) -> int:
    output.say(reason)
    return status


if __name__ == "__main__":
    sys.exit(main())
