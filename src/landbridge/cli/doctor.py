"""`landbridge doctor`: checks whether this machine can carry tunnels."""

import dataclasses
from collections import Counter
from types import SimpleNamespace

from landbridge import config, errors, site_file
from landbridge.cli import counts
from landbridge.client import output
from landbridge.engine import local


def doctor(settings: config.Settings, arguments: SimpleNamespace) -> None:
    """Raises LandbridgeError when something is missing."""
    requirements = local.requirements(settings, site_file.find(settings))
    if arguments.form == "table":
        columns = ("STATE", "WHAT", "FOUND", "REMEDY")
        output.table(
            columns,
            [
                (requirement.state, requirement.name, requirement.found, requirement.remedy)
                for requirement in requirements
            ],
        )
    else:
        output.document(
            {"requirements": [dataclasses.asdict(requirement) for requirement in requirements]}, arguments.form
        )
    missing = Counter(requirement.state for requirement in requirements)["missing"]
    if missing:
        raise errors.LandbridgeError(f"this machine cannot carry tunnels: {counts.count(missing, 'thing')} missing")
    output.say("this machine can carry tunnels")
