"""`make test-soak`: changes and faults, one after another, while an echo runs through each of many connections every few milliseconds.

What was measured becomes `docs/reference/behaviour-under-change.md`. The kernel's data plane runs in a virtual machine
(`--save FILE`), and `--with FILE…` writes what was measured into the page. Rows of other events stay.
"""

import argparse
import dataclasses
import fnmatch
import json
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lab import sites, soak_bed, soak_events, soak_page, testbed
from lab.soak_bed import Bed, Size
from lab.soak_events import Event
from lab.soak_page import Outcome

#: Seconds after an event that still count, and then the seconds that a late answer has.
LINGER = 1.0
#: What one machine carries: 5,000 echoes a second in charons, and what a virtual machine without KVM carries.
SIZES = {
    "userland": Size(plane="userland", gateways=5, connections=10, interval=0.01),
    "kernel": Size(plane="kernel", gateways=2, connections=3, interval=0.1),
}


def run(bed: Bed, event: Event, linger: float = LINGER) -> Outcome:
    """One event: what was lost by whom, and how long each step took to converge."""
    full, began = bed.drops(), time.monotonic()
    seconds, wrong = 0.0, ""
    try:
        seconds = max(_steps(bed, event), default=0.0)
    except (OSError, AssertionError, RuntimeError, testbed.Refused) as error:  # a TimeoutError is an OSError
        wrong = " ".join(f"{type(error).__name__}: {error}".split())
    time.sleep(linger)
    rounds = bed.pings.numbers(began, time.monotonic())
    time.sleep(linger * sites.SLOWNESS)
    dropped = [max(0, after - before) for before, after in zip(full, bed.drops(), strict=True)]
    return _outcome(bed, event, rounds, dropped, seconds=round(seconds, 1), wrong=wrong)


def _outcome(bed: Bed, event: Event, rounds: range, dropped: list[int], *, seconds: float, wrong: str) -> Outcome:
    """`dropped`: by full queues of each gateway. They explain as many losses of the gateway's connections."""
    changed, disturbed = event.changed(bed), event.disturbed(bed)
    lost = dict(enumerate(bed.pings.lost(flow, rounds) for flow in range(len(bed.flows))))
    own = [flow for flow, one in enumerate(bed.flows) if one is changed]
    of_disturbed = [flow for flow, one in enumerate(bed.flows) if one.gateway is disturbed]
    others = [0] * len(bed.gateways)
    for flow in lost.keys() - {*own, *of_disturbed}:
        others[bed.gateways.index(bed.flows[flow].gateway)] += lost[flow]
    return Outcome(
        name=event.name,
        changed=sum(lost[flow] for flow in own) if changed else None,
        disturbed=sum(lost[flow] for flow in of_disturbed) if disturbed else None,
        others=sum(others),
        dropped=sum(map(min, others, dropped)),
        sent=len(rounds) * len(bed.flows),
        seconds=seconds,
        wrong=wrong,
    )


def _steps(bed: Bed, event: Event) -> Iterator[float]:
    """Seconds from the beginning of each step until everything has converged."""
    began = time.monotonic()
    for _ in event.act(bed):
        acted = time.monotonic()
        bed.wait_converged(acted, f"the end of: {event.name}")
        yield time.monotonic() - began
        began = time.monotonic()


def soak(bed: Bed, events: Sequence[Event]) -> Iterator[Outcome]:
    for event in events:
        if bed.size.plane in event.planes:
            outcome = run(bed, event)
            print(soak_page.line(outcome), flush=True)
            yield outcome
            if outcome.wrong:
                return


def main() -> int:
    """Returns 0 when all gateways converged and no connection lost an echo that it must not lose."""
    asked = _parse()
    found = (
        soak_page.joined([soak_page.Run.read(one.read_text()) for one in asked.given]) if asked.given else _run(asked)
    )
    if not asked.save and asked.only == ["*"]:
        of_plane = [one.name for one in soak_events.EVENTS if found.plane in one.planes]
        soak_page.PATH.write_text(soak_page.replaced(soak_page.PATH.read_text(), found, of_plane))
    return 0 if all(one.is_well for one in found.outcomes) else 1


def _run(asked: argparse.Namespace) -> soak_page.Run:
    """What was measured is saved after each event."""
    size = dataclasses.replace(SIZES[asked.plane], **{n: v for n, v in vars(asked).items() if n in _SIZE and v})
    found = soak_page.Run(day=f"{datetime.now(UTC):%Y-%m-%d}", outcomes=[], **dataclasses.asdict(size))
    events = [one for one in soak_events.EVENTS if any(fnmatch.fnmatch(one.name, each) for each in asked.only)]
    with soak_bed.made(size) as bed:
        for outcome in soak(bed, events):
            found.outcomes.append(outcome)
            if asked.save:
                asked.save.write_text(json.dumps(dataclasses.asdict(found)))
    return found


_SIZE = ("gateways", "connections", "interval")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab.soak", description=__doc__)
    parser.add_argument("--plane", choices=tuple(SIZES), default="userland")
    parser.add_argument("--gateways", type=int)
    parser.add_argument("--connections", type=int, help="of each gateway")
    parser.add_argument("--interval", type=float, help="seconds between two echoes of a connection")
    parser.add_argument("--only", nargs="*", default=["*"], help="patterns of names; writes no page")
    parser.add_argument("--save", type=Path, help="where the outcomes are written, in place of the page")
    parser.add_argument(
        "--with",
        dest="given",
        type=Path,
        nargs="+",
        help="outcomes that --save wrote; their rows of the page are written",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
