"""The reference page of the command line is what its commands say."""

import click
import pytest

from lab import command_line_page
from landbridge import config
from landbridge.cli import local, main
from landbridge.operations import access


def test_the_page_is_that_of_the_commands():
    assert command_line_page.PAGE.read_text() == command_line_page.page(), "run: python -m lab.command_line_page"


COMMANDS = dict(command_line_page.commands(main.landbridge, "landbridge"))


@pytest.mark.parametrize("words", COMMANDS)
def test_each_command_and_each_option_says_what_it_does(words: str):
    command = COMMANDS[words]
    assert command.help
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


def test_the_choices_of_local_commands_are_those_of_the_service():
    """Copies: a command may not import the settings before it runs."""
    assert set(config.ENGINES) == set(local.ENGINES)
    assert set(access.ROLES) == set(local.ROLES)
