"""`landbridge doctor`: whether this machine can carry tunnels."""

import dataclasses
from collections import Counter
from types import SimpleNamespace

from landbridge import config, errors, site_file
from landbridge.cli import counts
from landbridge.client import output
from landbridge.engine import local


def doctor(settings: config.Settings, arguments: SimpleNamespace) -> None:
    """Raises LandbridgeError when something is missing."""
    found = local.requirements(settings, site_file.find(settings))
    if arguments.form == "table":
        columns = ("STATE", "WHAT", "FOUND", "REMEDY")
        output.table(columns, [(each.state, each.name, each.found, each.remedy) for each in found])
    else:
        output.document({"requirements": [dataclasses.asdict(each) for each in found]}, arguments.form)
    missing = Counter(each.state for each in found)["missing"]
    if missing:
        raise errors.LandbridgeError(f"this machine cannot carry tunnels: {counts.count(missing, 'thing')} missing")
    output.say("this machine can carry tunnels")
