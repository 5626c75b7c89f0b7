"""`make test-scenarios`: replays every scenario of `lab.scenarios`, several at a time, and writes `docs/reference/scenarios.md`.

Those that need the kernel's data plane are replayed in a virtual machine (`--plane kernel --save FILE`); `--with FILE` takes their verdicts over into
the page. `--only PATTERN` replays a part, and writes no page. `--every` also replays those that do not name this plane.
"""

import argparse
import fnmatch
import json
import queue
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from lab import replay, scenarios, scenarios_page
from lab.replay import Place, Plane, Scenario
from landbridge import model
from landbridge.engine.strongswan.engine import StrongSwan

PLACES = 3


Verdicts = dict[tuple[str, Plane], tuple[str, float]]
#: Scenarios of libipsec are about the userland data plane itself.
OF_USERLAND = "libipsec/"


def run(wanted: Sequence[Scenario], plane: Plane, count: int = PLACES, save: Path | None = None) -> Verdicts:
    """`pass` for each, or what was not true; with the seconds that it took. Written to the file `save` after each one."""
    waiting: queue.SimpleQueue[Scenario] = queue.SimpleQueue()
    for scenario in sorted(wanted, key=lambda one: bool(one.body), reverse=True):  # those that wait for timers first
        waiting.put(scenario)
    verdicts: Verdicts = {}
    saving = threading.Lock()

    def work(place: Place) -> None:
        while True:
            try:
                scenario = waiting.get_nowait()
            except queue.Empty:
                return
            verdict = _verdict(place, scenario)
            with saving:
                verdicts[scenario.name, plane] = verdict
                if save:
                    save.write_text(json.dumps([[*key, *each] for key, each in verdicts.items()]))

    with replay.places(min(count, len(wanted)), plane) as found:
        threads = [threading.Thread(target=work, args=(place,)) for place in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return verdicts


def _verdict(place: Place, scenario: Scenario) -> tuple[str, float]:
    started = time.monotonic()
    try:
        replay.run(place, scenario)
        verdict = scenarios_page.PASS
    except Exception as error:  # noqa: BLE001  one that fails must not hide the others
        verdict = " ".join(f"{type(error).__name__}: {error}".split())
    seconds = round(time.monotonic() - started, 1)
    print(f"{seconds:6.1f} s  {scenario.name}: {verdict}", flush=True)
    return verdict, seconds


def main() -> int:
    """0 when all passed."""
    asked = _parse()
    chosen = [one for one in scenarios.SCENARIOS if any(fnmatch.fnmatch(one.name, each) for each in asked.only)]
    others = [one.name for one in chosen if asked.every and not one.name.startswith(OF_USERLAND)]
    wanted = [one for one in chosen if asked.plane in one.planes or one.name in others]
    made = run(wanted, asked.plane, asked.places, asked.save)
    verdicts = {key: verdict for key, (verdict, _) in made.items()}
    if asked.others:
        verdicts |= {(name, plane): verdict for name, plane, verdict, _ in json.loads(asked.others.read_text())}
        today = datetime.now(UTC).date()
        page = scenarios_page.render(chosen, verdicts, version=_version(), day=today, few=len(scenarios.FEW))
        scenarios_page.PATH.write_text(page)
    return 0 if set(verdicts.values()) == {scenarios_page.PASS} else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab.replay_all", description=__doc__)
    parser.add_argument("--plane", choices=("userland", "kernel"), default="userland")
    parser.add_argument("--places", type=int, default=PLACES, help="how many at a time (%(default)s)")
    parser.add_argument("--only", nargs="*", default=["*"], help="patterns of names")
    parser.add_argument(
        "--every", action="store_true", help="also those that do not name this plane, but those of libipsec"
    )
    parser.add_argument("--save", type=Path, help="where the verdicts are written")
    parser.add_argument("--with", dest="others", type=Path, help="verdicts of another plane; the page is written")
    return parser.parse_args()


def _version() -> str:
    with TemporaryDirectory() as folder:
        site = model.Site(eips=(), networks=(), zones=(), any_network=True)
        return StrongSwan(Path(folder), site).describe()["version"]


if __name__ == "__main__":
    sys.exit(main())
