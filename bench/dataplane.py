"""`make bench-dataplane`: figures of tunnels, each beside strongSwan's or BIRD's own in the same run where there is such a floor.

Options: --only NAME…, --runs N, and --size N for a trial: gateways, connections, routes, peers or seconds in place of the figure's own number.
"""

import argparse
import os
import time
from collections.abc import Callable

from bench import learned_routes, many_tunnels, mass_reconnect, throughput, virtual_machine

#: Name -> (figure, runs, size). Of throughput, the size is the seconds of a run.
FIGURES: dict[str, tuple[Callable[[int, int], None], int, int]] = {
    "tunnels": (many_tunnels.one_gateway, 3, 1000),
    "gateways": (many_tunnels.many_gateways, 3, 200),
    "routes": (learned_routes.measure, 3, 10_000),
    "reconnect": (mass_reconnect.measure, 3, 500),
    "throughput": (throughput.through_planes, 5, 10),
    "kernel": (virtual_machine.throughput, 3, 20),
    "failover": (virtual_machine.failover, 1, 0),
}
#: On the kernel data plane: `kernel` runs these in a virtual machine.
IN_KERNEL = {"throughput": FIGURES["throughput"], "ecmp": (throughput.by_ecmp, 5, 10)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.dataplane")
    parser.add_argument("--only", nargs="+", choices=[*FIGURES | IN_KERNEL], default=[*FIGURES])
    parser.add_argument("--runs", type=int)
    parser.add_argument("--size", type=int)
    given = parser.parse_args()
    for name in given.only:
        figure, runs, size = (FIGURES | IN_KERNEL)[name]
        began = time.monotonic()
        figure(given.runs or runs, given.size or size)
        print(f"({name}: {time.monotonic() - began:.0f} s, a load of {os.getloadavg()[1]:.0f})", flush=True)


if __name__ == "__main__":
    main()
