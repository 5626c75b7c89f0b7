"""Many tunnels at once: how long they take to come up, beside the same requests sent to charon by hand, and what they cost then."""

import concurrent.futures
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

from bench import costs, cycle
from lab import cycles, fleet
from landbridge.agent import loop
from landbridge.engine.strongswan.ike import charon, steps, vici_session

#: Looks whose costs are measured, and the seconds that tunnels get to come to rest.
LOOKS = 5
SETTLING = 75.0

#: What charon logs when it has loaded a secret, which comes before the connections of a gateway.
LOADED = b"loaded IKE shared key"

Requests = dict[Path, list[vici_session.Request]]


def one_gateway(runs: int, count: int) -> None:
    """Connections of one gateway."""
    _many(runs, 1, count)


def many_gateways(runs: int, count: int) -> None:
    """Gateways with 5 connections each."""
    _many(runs, count, 5)


def _many(runs: int, gateways: int, each: int) -> None:
    with fleet.fleet(gateways, each) as made:
        _by_the_service(made)  # lays what tunnels lie on, which is not counted
        made.service.stop()
        made.take_down()
        requests = _requests(made)
        ours, floor = [], []
        for _ in range(runs):
            floor.append(_by_hand(made, requests))
            made.take_down()
            ours.append(_by_the_service(made))
            made.service.stop()
            if len(ours) < runs:
                made.take_down()
        ratio = statistics.median(one / other for one, other in zip(ours, floor, strict=True))
        print(
            f"{gateways:,} x {each:,} tunnels up: {statistics.median(ours):.1f} s, by hand over VICI"
            f" {statistics.median(floor):.1f} s: {ratio:.2f} times ({_list(ours)}; {_list(floor)})",
            flush=True,
        )
        _costs(made)


def _list(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


def _requests(made: fleet.Fleet) -> Requests:
    """What the engine would ask of the charons, which are empty."""
    with cycle.opened(str(made.service.data), str(made.service.site)) as (source, engine):
        return {
            folder: [
                request
                for step in cycles.plan(engine, gateway_id, source.desired(gateway_id))
                if isinstance(step, steps.CharonRequest)
                for request in vici_session.requests(step)
            ]
            for gateway_id, folder in made.folders.items()
        }


def _by_hand(made: fleet.Fleet, requests: Requests) -> float:
    """Seconds from the first request until all CHILD_SAs are installed. A script sends one request after another."""
    with fleet.Listener(requests) as listener:
        began = time.perf_counter()
        for folder, asked in requests.items():
            with fleet.session(folder) as session:
                for command, message in asked:
                    session.request(command, message)
        return listener.wait_for_children(made.count) - began


def _by_the_service(made: fleet.Fleet) -> float:
    """The same, from the moment at which a charon logs that it has loaded a secret."""
    logs = [folder / charon.CHARON.log_file for folder in made.folders.values()]
    with fleet.Listener(made.folders.values()) as listener, concurrent.futures.ThreadPoolExecutor(1) as beside:
        began = beside.submit(_wait_for_load, {log: log.stat().st_size for log in logs})
        made.service.start()
        return listener.wait_for_children(made.count) - began.result()


def _wait_for_load(sizes: dict[Path, int]) -> float:
    """The moment at which one of the logs has the line LOADED behind its first bytes. `sizes`: log -> the number of these bytes. A charon whose SAs were
    taken down logs other lines for some seconds, about rekeyed CHILD_SAs that it cannot find. A look may cut a log that is full.
    """
    deadline = time.perf_counter() + fleet.PATIENCE
    while True:
        for log, before in sizes.items():
            if (size := log.stat().st_size) != before:
                if LOADED in log.read_bytes()[min(before, size) :]:
                    return time.perf_counter()
                sizes[log] = size
        assert time.perf_counter() < deadline, "the service loads nothing"
        time.sleep(0.01)


def _costs(made: fleet.Fleet) -> None:
    """Of the tunnels that are up, with the service stopped."""
    charons = costs.daemons(made.folders, "charon-systemd")
    print(f"{LOOKS} looks and reports: {_looks(made, charons)}", flush=True)
    made.service.start()
    time.sleep(SETTLING)
    service = costs.service(made.service)
    print(f"memory: Landbridge {costs.memory(service):.0f} MB, charon {costs.memory(charons):.0f} MB")
    print(
        f"idle: Landbridge {costs.idle_share(service):.2%}, charon {costs.idle_share(charons):.2%} of a core",
        flush=True,
    )


def _looks(made: fleet.Fleet, charons: set[int]) -> str:
    """Processor seconds of one cycle of the agent with each gateway that changes nothing, the first cycles of a process not counted."""
    with cycle.opened(str(made.service.data), str(made.service.site)) as (source, engine):
        for gateway_id in made.folders:
            assert loop.cycle(source, engine, gateway_id)
        ours, theirs = time.process_time(), costs.processor_seconds(charons)
        for _ in range(LOOKS):
            for gateway_id in made.folders:
                assert loop.cycle(source, engine, gateway_id)
        ours, theirs = time.process_time() - ours, costs.processor_seconds(charons) - theirs
    return f"Landbridge {ours / LOOKS:.3f} s, charon {theirs / LOOKS:.3f} s"
