"""`landbridge completion`: what a shell needs to complete commands, flags and names of resources."""

import click
from click.shell_completion import get_completion_class

from landbridge.client import failures

SHELLS = ("bash", "zsh", "fish")


@click.command
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
def completion(shell: str) -> None:
    """Print the script with which a shell completes: bash, zsh or fish.

    `source <(landbridge completion bash)` in ~/.bashrc, the same with zsh in ~/.zshrc, `landbridge completion fish | source` in
    ~/.config/fish/config.fish. Tab asks the service for names of gateways and connections. The Debian package installs all three.
    """
    print(script(shell))


def script(shell: str) -> str:
    """The script for one of SHELLS. Raises Failure."""
    from landbridge.cli import main  # noqa: PLC0415 - which imports this module

    made = get_completion_class(shell)
    if made is None:
        raise failures.Failure(f"no completion for {shell}")
    return made(main.landbridge, {}, "landbridge", "_LANDBRIDGE_COMPLETE").source()
