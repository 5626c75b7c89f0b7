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
Measured on {day}: {size}. {machine}

| event | lost on the changed connection | lost on the changed gateway | lost on the others | dropped by full queues | seconds to converge |
|---|---|---|---|---|---|
"""
_SIZE = "{count} connections of {gateways} VPN gateways, an echo every {milliseconds} ms through each"
_DAY = re.compile(r"^Measured on (.+?): ", re.MULTILINE)
_MISSING = "\nNot measured on this data plane:\n"
_MACHINES = {
    "userland": "Two processors carried all of it: the service, the charons of the gateways and of the devices, and other work.",
    "kernel": "A virtual machine without KVM carried all of it, at about a tenth of the speed of its host.",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one event. Echoes that were lost: `changed`: on the connection that it changed, `disturbed`: on the gateway whose charon or
    namespace it took away, `others`: on all others; None where there is none. `dropped`: those of the others for which a queue of their charons was
    full. `sent`: on all connections. `seconds`: of its longest step. `wrong`: why it did not converge.
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


def joined(runs: Sequence[Run]) -> Run:
    """Runs of the same size, as one. A later outcome of an event replaces an earlier one."""
    outcomes = {one.name: one for run in runs for one in run.outcomes}
    return replace(runs[0], day=_days(*(run.day for run in runs)), outcomes=list(outcomes.values()))


def _days(*given: str) -> str:
    """Days, and lists of days with commas, as one list."""
    return ", ".join(sorted({day for each in given for day in each.split(", ")}))


def line(one: Outcome) -> str:
    """A row of the table."""
    counts = (
        "" if count is None else f"{count:,}"
        for count in (one.changed, one.disturbed, one.others - one.dropped, one.dropped)
    )
    return f"| {' | '.join([one.name, *counts, one.wrong or f'{one.seconds:.1f}'])} |"


def replaced(page: str, run: Run, order: Sequence[str]) -> str:
    """The page with the section of this plane anew. A row of the page stays when the run is of the same size and did not measure its event.
    `order`: the names of all events of this plane. Those that are in no row are named below the table.
    """
    old = _of_plane(page, run.plane)
    found = {one.name: line(one) for one in run.outcomes}
    kept = {name: row for name, row in _rows(page, run.plane).items() if name not in found and _size(run) in old}
    if kept:
        run = replace(run, day=_days(run.day, *_DAY.findall(old)))
    rows = found | kept
    missing = [f"- {name}" for name in order if name not in rows]
    heading = _HEADINGS[run.plane]
    table = _TABLE.format(day=run.day, size=_size(run), machine=_MACHINES[run.plane])
    below = [_MISSING, *missing] if missing else []
    new = "\n".join([f"{heading}{table.rstrip()}", *(rows[name] for name in order if name in rows), *below, ""])
    return re.sub(rf"{re.escape(heading)}\n.*?(?=\n## |\Z)", lambda _: new, page, flags=re.DOTALL)


def _size(run: Run) -> str:
    return _SIZE.format(
        count=run.gateways * run.connections, gateways=run.gateways, milliseconds=f"{1000 * run.interval:.0f}"
    )


def rows(page: str, plane: str) -> list[str]:
    """The names of the events in the table of a plane."""
    return list(_rows(page, plane))


def _rows(page: str, plane: str) -> dict[str, str]:
    """Name of an event -> its row in the table of a plane."""
    lines = _of_plane(page, plane).partition(_MISSING)[0].splitlines()
    return {each.split(" | ")[0].removeprefix("| "): each for each in lines if re.match(r"\| (?!event \|)", each)}


def missing(page: str, plane: str) -> list[str]:
    """The names of the events that were not measured on a plane."""
    lines = _of_plane(page, plane).partition(_MISSING)[2].splitlines()
    return [each.removeprefix("- ") for each in lines if each.startswith("- ")]


def _of_plane(page: str, plane: str) -> str:
    return page.partition(_HEADINGS[plane])[2].partition("\n## ")[0]
