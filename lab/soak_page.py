"""`docs/reference/behaviour-under-change.md`: what a soak measured, as a table for each data plane. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

PATH = Path(__file__).parents[1] / "docs/reference/behaviour-under-change.md"
_HEADINGS = {"userland": "## Userland data plane", "kernel": "## Kernel data plane"}
_TABLE = """
Measured on {day}: {count} connections of {gateways} VPN gateways, an echo every {milliseconds:.0f} ms through each. {sent:,} echoes were sent. {machine}

| event | lost on the changed connection | lost on the gateway that was hit | lost on the others | dropped by full queues | seconds to converge |
|---|---|---|---|---|---|
"""
_MISSING = "\nNot measured on this data plane:\n"
_MACHINES = {
    "userland": "Two processors carried all of it: the service, the charons of the gateways and of the devices, and other work.",
    "kernel": "A virtual machine without KVM carried all of it, at about a tenth of the speed of its host.",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one event. Echoes that were lost: `changed`: on the connection that it changed, `disturbed`: on the gateway that it hits, `others`: on
    all others; None where there is none. `dropped`: those of the others for which a queue of their charons was full. `sent`: on all
    connections. `seconds`: of its longest step. `wrong`: why it did not converge.
    """

    name: str
    changed: int | None
    disturbed: int | None
    others: int
    sent: int
    seconds: float
    wrong: str = ""
    dropped: int = 0

    @property
    def is_well(self) -> bool:
        return not self.wrong and self.others <= self.dropped


@dataclass(frozen=True, kw_only=True)
class Run:
    """A soak on one data plane. `interval`: seconds between two echoes of a connection."""

    plane: str
    gateways: int
    connections: int
    interval: float
    day: str
    outcomes: list[Outcome]

    @classmethod
    def read(cls, text: str) -> Self:
        values = json.loads(text)
        return cls(**values | {"outcomes": [Outcome(**each) for each in values["outcomes"]]})


def joined(runs: Sequence[Run], order: Sequence[str]) -> Run:
    """Runs of the same size, as one. `order`: the names of the events."""
    outcomes = {one.name: one for run in runs for one in run.outcomes}
    return replace(runs[0], outcomes=[outcomes[name] for name in order if name in outcomes])


def line(one: Outcome) -> str:
    """A row of the table."""
    counts = (
        "" if count is None else f"{count:,}"
        for count in (one.changed, one.disturbed, one.others - one.dropped, one.dropped)
    )
    return f"| {' | '.join([one.name, *counts, one.wrong or f'{one.seconds:.1f}'])} |"


def section(run: Run, order: Sequence[str]) -> str:
    """`order`: the names of all events of this plane. Those that were not measured are named below the table."""
    table = _TABLE.format(
        day=run.day,
        count=run.gateways * run.connections,
        gateways=run.gateways,
        milliseconds=1000 * run.interval,
        sent=sum(one.sent for one in run.outcomes),
        machine=_MACHINES[run.plane],
    )
    measured = [one.name for one in run.outcomes]
    missing = [f"- {name}" for name in order if name not in measured]
    below = [_MISSING, *missing, ""] if missing else [""]
    return "\n".join([f"{_HEADINGS[run.plane]}{table.rstrip()}", *map(line, run.outcomes), *below])


def replaced(page: str, run: Run, order: Sequence[str]) -> str:
    """The page with the section of this plane anew. `order`: as for `section`."""
    heading = re.escape(_HEADINGS[run.plane])
    new = section(run, order).rstrip("\n") + "\n"
    return re.sub(rf"{heading}\n.*?(?=\n## |\Z)", lambda _: new, page, flags=re.DOTALL)


def rows(page: str, plane: str) -> list[str]:
    """The names of the events in the table of a plane."""
    lines = _of_plane(page, plane).partition(_MISSING)[0].splitlines()
    return [each.split(" | ")[0].removeprefix("| ") for each in lines if each.startswith("| ")][1:]


def missing(page: str, plane: str) -> list[str]:
    """The names of the events that were not measured on a plane."""
    lines = _of_plane(page, plane).partition(_MISSING)[2].splitlines()
    return [each.removeprefix("- ") for each in lines if each.startswith("- ")]


def _of_plane(page: str, plane: str) -> str:
    return page.partition(_HEADINGS[plane])[2].partition("\n## ")[0]
