"""`make bench-dataplane`: figures of tunnels, each beside strongSwan's or BIRD's own in the same run where there is such a floor.

Options: --only NAME…, --runs N, and --size N for a trial: gateways, connections or peers in place of the figure's own number.
"""

import argparse
import time
from collections.abc import Callable

from bench import many_tunnels, mass_reconnect

#: Name -> (figure, runs, size).
FIGURES: dict[str, tuple[Callable[[int, int], None], int, int]] = {
    "tunnels": (many_tunnels.one_gateway, 3, 1000),
    "gateways": (many_tunnels.many_gateways, 3, 200),
    "reconnect": (mass_reconnect.measure, 3, 500),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.dataplane")
    parser.add_argument("--only", nargs="+", choices=[*FIGURES], default=[*FIGURES])
    parser.add_argument("--runs", type=int)
    parser.add_argument("--size", type=int)
    given = parser.parse_args()
    for name in given.only:
        figure, runs, size = FIGURES[name]
        began = time.monotonic()
        figure(given.runs or runs, given.size or size)
        print(f"({name}: {time.monotonic() - began:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
