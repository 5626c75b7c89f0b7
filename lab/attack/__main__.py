"""Runs every attack and prints a table: what was tried, whether the service held, figures. Ends with 1 if it did not hold.

    python -m lab.attack [--only TOPIC ...]

A topic is a module beside this one with `run(folder) -> Iterator[Result]`. It starts what it attacks in `folder`, and leaves
nothing behind.
"""

import argparse
import importlib
import os
import pkgutil
import sys
import tempfile
import time
from pathlib import Path

import lab.attack
from lab.attack import base

NO_TOPICS = {"__main__", "base"}


def topics() -> list[str]:
    return sorted(one.name for one in pkgutil.iter_modules(lab.attack.__path__) if one.name not in NO_TOPICS)


def run(topic: str) -> list[base.Result]:
    """The results of a topic. An attack that breaks off did not hold."""
    module = importlib.import_module(f"lab.attack.{topic}")
    results: list[base.Result] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"attack-{topic}-") as folder:
        try:
            for result in module.run(Path(folder)):
                _print(topic, result)
                results.append(result)
        except Exception as error:  # noqa: BLE001 - the other topics are tried all the same
            results.append(base.Result("the attack broke off", False, f"{type(error).__name__}: {error}"))
            _print(topic, results[-1])
    print(f"{topic}: {len(results)} attacks in {time.monotonic() - started:.0f} s", flush=True)
    return results


def _print(topic: str, result: base.Result) -> None:
    held = "held" if result.held else "NOT HELD"
    print(f"{topic:10} {held:9} {result.what:70} {result.figures}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab.attack", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="+", choices=topics(), default=topics(), help="topics, all by default")
    given = parser.parse_args()
    if os.geteuid() != 0:
        print("attack: needs root, for network namespaces: sudo make attack", file=sys.stderr)
        return 1
    results = [result for topic in given.only for result in run(topic)]
    failed = sum(not result.held for result in results)
    print(f"attack: {len(results) - failed} held, {failed} not held")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
