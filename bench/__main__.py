"""`make bench`: median of five interleaved runs of every figure of docs/reference/figures.md.

Options: --runs N, --only NAME (start, creates, gateway, page, reads, scrape, console, load, up, idle), --connections N (of the last three), --profile (a cProfile of the server under 32 clients).
"""

import argparse
import concurrent.futures
import contextlib
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import console, engine, floors, load, rows
from bench.costs import processor_seconds
from bench.server import BIN, Server, serving
from lab import processes

GATEWAYS = 100
CLIENTS = 32
VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"


@contextlib.contextmanager
def _constant_server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(BIN / "uvicorn"), "--factory", "bench.floors:app", "--port", str(port), "--no-access-log"]
    process = subprocess.Popen([*command, "--log-level", "error"], cwd=Path(__file__).parent.parent)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _gateways(server: Server, count: int = GATEWAYS) -> list[dict[str, Any]]:
    for _ in range(count):
        asked = {"vpn_gateway": {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"]}}
        server.call("POST", "vpn-gateways", asked)
    for _ in range(600):
        found = server.call("GET", "vpn-gateways")["vpn_gateways"]
        if all(g["status"] == "ACTIVE" for g in found):
            return list(found)
        time.sleep(0.05)
    raise RuntimeError("the gateways did not become ACTIVE")


def _requests(server: Server, gateways: list[dict], count: int, offset: int) -> list[bytes]:  # type: ignore[type-arg]
    """Signed creates, each to a customer gateway of its own that is made here, before the clock starts."""
    made = []
    for n in range(offset, offset + count):
        peer = {"customer_gateway": {"id_value": f"20.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"}}
        peer_id = server.call("POST", "customer-gateways", peer)["customer_gateway"]["id"]
        gateway = gateways[n % len(gateways)]
        asked = {
            "vgw_id": gateway["id"],
            "vgw_ip": gateway["eip1"]["id"],
            "cgw_id": peer_id,
            "peer_subnets": ["192.168.44.0/24"],
            "psk": "Example-Key-1",
            "ikepolicy": {"ike_version": "v2", "encryption_algorithm": "aes-256", "dh_group": "group16"},
            "ipsecpolicy": {"encryption_algorithm": "aes-256", "pfs": "group16", "lifetime_seconds": 7200},
        }
        made.append(server.signed("POST", "vpn-connection", content={"vpn_connection": asked}))
    return made


def creates(folder: Path, runs: int) -> None:
    """The API alone (`--engine none`, as on a machine without tunnels), then with an agent in the same process."""
    _creates(folder, runs, "none")
    _creates(folder, runs, "simulated")


def _creates(folder: Path, runs: int, engine: str) -> None:
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    data = folder / f"creates-{engine}"
    with serving(data, "simulated") as server:
        gateways = _gateways(server)
    with serving(data, engine) as server, _constant_server() as constant:
        offset = 0
        plain = b"POST /create HTTP/1.1\r\nhost: x\r\ncontent-length: 600\r\n\r\n" + b"x" * 600
        for _ in range(runs):
            rate, _ = load.run("127.0.0.1", constant, [plain] * 20000, CLIENTS, b"HTTP/1.1 201")
            note("a", rate)
            note("b", floors.grouped(folder, 2))
            note("c", floors.single(folder, 2))
            requests = _requests(server, gateways, 4000, offset)
            rate, p99 = load.run(server.host, server.port, requests[:3200], CLIENTS, b"HTTP/1.1 201")
            note("32 clients", rate)
            note("32 clients p99", p99)
            rate, p99 = load.run(server.host, server.port, requests[3200:], 1, b"HTTP/1.1 201")
            note("1 client", rate)
            note("1 client p99", p99)
            note("32 / a", found["32 clients"][-1] / found["a"][-1])
            note("32 / b", found["32 clients"][-1] / found["b"][-1])
            note("1 / c", found["1 client"][-1] / found["c"][-1])
            offset += 4000
    m = {name: statistics.median(values) for name, values in found.items()}
    print(f"--engine {engine}\nfloors: (a) {m['a']:,.0f}/s  (b) {m['b']:,.0f}/s  (c) {m['c']:,.0f}/s")
    print(
        f"creates, 32 clients: {m['32 clients']:,.0f}/s  p99 {m['32 clients p99']:.1f} ms"
        f"  = {m['32 / a']:.3f} of (a), {m['32 / b']:.3f} of (b)"
    )
    print(f"creates, 1 client: {m['1 client']:,.0f}/s  p99 {m['1 client p99']:.1f} ms  = {m['1 / c']:.3f} of (c)")


def gateway(folder: Path, runs: int) -> None:
    """From the POST of a gateway to ACTIVE on the strongSwan engine."""
    times = []
    with serving(folder / "gateway", "strongswan") as server:
        try:
            for _ in range(runs * 4):
                started = time.perf_counter()
                asked = {"vpn_gateway": {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"]}}
                made = server.call("POST", "vpn-gateways", asked)["vpn_gateway"]["id"]
                while server.call("GET", f"vpn-gateways/{made}")["vpn_gateway"]["status"] != "ACTIVE":
                    time.sleep(0.01)
                times.append(time.perf_counter() - started)
        finally:
            server.stop()
            subprocess.run([str(BIN / "landbridge"), "engine", "stop", "--data", str(server.data)], check=True)
    times.sort()
    print(f"gateway POST to ACTIVE: median {statistics.median(times):.3f} s, p99 {times[int(len(times) * 0.99)]:.3f} s")


#: What a start imports of others. A CI that starts `--engine simulated` for each run pays for these in any case.
LIBRARIES = "alembic.command, cryptography.x509, pydantic, sqlalchemy, starlette.applications, httptools, uvloop"


def start(folder: Path, runs: int) -> None:
    """Processor time of a start on an empty folder against the import of its libraries."""
    starts, floors_of_it = [], []
    for number in range(runs):
        with serving(folder / f"start-{number}", "simulated") as server:
            starts.append(processor_seconds([server.process.pid]))
        code = f"import time, {LIBRARIES}; print(time.process_time())"
        floors_of_it.append(float(subprocess.check_output([sys.executable, "-c", code], text=True)))
    ratio = statistics.median(own / floor for own, floor in zip(starts, floors_of_it, strict=True))
    print(f"start on an empty folder: {statistics.median(starts):.2f} s of a processor, {ratio:.2f} of its libraries'")


def page(folder: Path, runs: int) -> None:
    """A page of 50 connections from 1,000,000 rows against one from 1,000."""
    sizes = {1_000: folder / "few", 1_000_000: folder / "many"}
    for size, data in sizes.items():
        _fill(data, 1, size)
    times: dict[int, list[float]] = {size: [] for size in sizes}
    with serving(sizes[1_000], "none") as few, serving(sizes[1_000_000], "none") as many:
        for server, size in ((few, 1_000), (many, 1_000_000)):
            answer = server.call("GET", "vpn-connection?limit=50")
            assert (len(answer["vpn_connections"]), answer["total_count"]) == (50, size)
        for _ in range(runs):
            for server, size in ((few, 1_000), (many, 1_000_000)):
                times[size].append(_page_time(server, size))
    ratio = statistics.median(large / small for small, large in zip(times[1_000], times[1_000_000], strict=True))
    small, large = (statistics.median(times[size]) * 1000 for size in sizes)
    print(f"page of 50: {small:.2f} ms from 1,000 rows, {large:.2f} ms from 1,000,000: {ratio:.2f} times")


def _page_time(server: Server, size: int) -> float:
    """Seconds for a page of 50, mean of 100: 20 pages spread over the whole list, five times. A thousand rows have no more, and what
    was read before stays decoded.
    """
    after = [(size - 60) * n // 20 for n in range(20)]
    markers = rows.markers(server.data, server.credentials["project_id"], after) * 5
    started = time.perf_counter()
    for marker in markers:
        server.call("GET", f"vpn-connection?limit=50&marker={marker}")
    return (time.perf_counter() - started) / 100


def reads(folder: Path, runs: int) -> None:
    """Of 1,000,000 connections on 100 gateways: show of any, the first page of 50 of any gateway with its `total_count`, and any of
    a gateway's first 20 pages.
    """
    size, data = 1_000_000, folder / "reads"
    _fill(data, GATEWAYS, size)
    found: dict[str, list[float]] = {}
    with serving(data, "none") as server, _constant_server() as constant:
        with sqlite3.connect(data / "landbridge.db") as stored:
            ids = [one for (one,) in stored.execute("select id from connection")]
        stored.close()
        pages = [_pages(server, gateway["id"], 20) for gateway in server.call("GET", "vpn-gateways")["vpn_gateways"]]
        answer = server.call("GET", f"vpn-connection?{pages[0][0]}")
        assert (len(answer["vpn_connections"]), answer["total_count"]) == (50, size // GATEWAYS)
        plain = b"POST /create HTTP/1.1\r\nhost: x\r\ncontent-length: 600\r\n\r\n" + b"x" * 600
        for _ in range(runs):
            a, _ = load.run("127.0.0.1", constant, [plain] * 20000, CLIENTS, b"HTTP/1.1 201")
            asked = {
                "show": [(f"vpn-connection/{one}", "") for one in random.sample(ids, 8000)],
                "first page of 50 of a gateway": [("vpn-connection", random.choice(pages)[0]) for _ in range(3000)],
                "any page of 50 of a gateway": [("vpn-connection", query) for of in pages for query in of],
            }
            for name, paths in asked.items():
                requests = [server.signed("GET", *path) for path in paths]
                rate, p99 = load.run(server.host, server.port, requests, CLIENTS, b"HTTP/1.1 200")
                for figure, value in (("rate", rate), ("p99", p99), ("ratio", rate / a)):
                    found.setdefault(f"{name} {figure}", []).append(value)
            found.setdefault("a", []).append(a)
    m = {name: statistics.median(values) for name, values in found.items()}
    print(f"reads in {size:,} connections, 32 clients; floor (a) {m['a']:,.0f}/s")
    for name in asked:
        print(f"{name}: {m[f'{name} rate']:,.0f}/s  p99 {m[f'{name} p99']:.1f} ms  = {m[f'{name} ratio']:.3f} of (a)")


def _pages(server: Server, gateway_id: str, count: int) -> list[str]:
    """The queries of the gateway's first pages of 50, each with the marker that the page before gave."""
    queries = [f"limit=50&vgw_id={gateway_id}"]
    while len(queries) < count:
        marker = server.call("GET", f"vpn-connection?{queries[-1]}")["page_info"]["next_marker"]
        queries.append(f"limit=50&marker={urllib.parse.quote(marker, safe='')}&vgw_id={gateway_id}")
    return queries


def scrape(folder: Path, runs: int) -> None:
    """`/metrics` with 10,000 connections, and how long another client waits meanwhile for one connection at a time."""
    data, count = folder / "scrape", runs * 4
    _fill(data, GATEWAYS, 10_000)
    times, alone, beside = [], [], []
    with serving(data, "none") as server:
        pids = {server.process.pid, *processes.workers(server.process.pid)}
        before = processor_seconds(pids)
        for _ in range(count):
            _scrape(server)
        spent = (processor_seconds(pids) - before) / count
        one = server.call("GET", "vpn-connection?limit=1")["vpn_connections"][0]["id"]
        shows = [server.signed("GET", f"vpn-connection/{one}")] * 500
        with concurrent.futures.ThreadPoolExecutor(1) as scraper:
            for _ in range(count):
                alone.append(load.run(server.host, server.port, shows, 1, b"HTTP/1.1 200")[1])
                scraping = scraper.submit(_scrape, server)
                beside.append(load.run(server.host, server.port, shows, 1, b"HTTP/1.1 200")[1])
                seconds, size = scraping.result()
                times.append(seconds)
    print(
        f"/metrics of 10,000 connections: {statistics.median(times):.3f} s, {spent:.3f} s of a processor, {size / 1e6:.1f} MB;"
        f" p99 of a show meanwhile {statistics.median(beside):.1f} ms, else {statistics.median(alone):.1f} ms"
    )


def _scrape(server: Server) -> tuple[float, int]:
    """Seconds and bytes of one scrape."""
    request = urllib.request.Request(
        f"{server.credentials['endpoint']}/metrics", headers={"Authorization": f"Bearer {server.credentials['token']}"}
    )
    started = time.perf_counter()
    with urllib.request.urlopen(request) as answer:
        content = answer.read()
    assert content.count(b"landbridge_connection_up{") == 10_000
    return time.perf_counter() - started, len(content)


def _fill(data: Path, gateways: int, size: int, *, peers: bool = False) -> None:
    """A folder with so many connections, spread over the gateways, as the simulated engine would show them."""
    with serving(data, "simulated") as server:
        made = _gateways(server, gateways)
        load.run(server.host, server.port, _requests(server, made, 1, 0), 1, b"HTTP/1.1 201")
        while server.call("GET", "vpn-connection")["vpn_connections"][0]["status"] != "ACTIVE":
            time.sleep(0.05)
    rows.multiply(data, size, peers=peers)


def pages(folder: Path, runs: int) -> None:
    """Pages of the console with 10,000 connections on 100 gateways, one in 25 of them down; then the open estates of viewers."""
    data = folder / "console"
    _fill(data, GATEWAYS, 10_000, peers=True)
    console.break_some(data)
    with serving(data, "none") as server:
        console.measure(server, runs)


def profile(folder: Path) -> None:
    """Where the time of a create goes."""
    import pstats  # noqa: PLC0415

    path = folder / "profile"
    data = folder / "profiled"
    with serving(data, "simulated") as server:
        gateways = _gateways(server)
    with serving(data, "none", profile=path) as server:
        requests = _requests(server, gateways, 3000, 0)
        load.run(server.host, server.port, requests, CLIENTS, b"HTTP/1.1 201")
    pstats.Stats(str(path)).sort_stats("tottime").print_stats(40)


FIGURES = {
    "start": start,
    "creates": creates,
    "gateway": gateway,
    "page": page,
    "reads": reads,
    "scrape": scrape,
    "console": pages,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=[*FIGURES, *engine.FIGURES])
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lb-bench-") as name:
        folder = Path(name)
        if given.profile:
            profile(folder)
            return
        for figure, measure in FIGURES.items():
            if given.only in (None, figure):
                measure(folder, given.runs)
    for figure, measure_engine in engine.FIGURES.items():
        if given.only in (None, figure):
            measure_engine(given.runs, given.connections)


if __name__ == "__main__":
    main()
