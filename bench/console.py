"""The pages of the console with many connections: processor time of the server, and bytes."""

import concurrent.futures
import gzip
import http.client
import itertools
import sqlite3
import statistics
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.costs import processor_seconds
from bench.server import Server
from lab import processes

#: One connection in so many is down.
DOWN = 25
VIEWERS = (1, 10, 50)
#: Seconds between two refreshes of an open page, and a little more: a mark is held for as long at most.
PERIOD = 5.2
PAGES = (
    ("overview", ""),
    ("overview, searched", "?q=site-77"),
    ("overview, those that are down", "?health=down"),
    ("connections", "/connections"),
    ("connections as CSV", "/connections.csv"),
    ("50 connections before their reset", "/connections/selected?do=reset&{rows}"),
    ("50 connections before their delete", "/connections/selected?do=delete&{rows}"),
    ("gateways", "/gateways"),
    ("a gateway", "/gateways/{gateway}"),
    ("a connection", "/connections/{connection}"),
    ("customer gateways", "/customer-gateways"),
    ("a customer gateway", "/customer-gateways/{peer}"),
    ("new connection", "/new-connection"),
    ("new gateway", "/new-gateway"),
    ("edit a gateway", "/gateways/{gateway}/edit"),
    ("tags", "/tags"),
    ("quotas", "/quotas"),
    ("keys", "/keys"),
    ("audit", "/audit"),
    ("node", "/node"),
)


def break_some(data: Path) -> None:
    """Makes the state of some connections down, as a look would have found them."""
    connection = sqlite3.connect(data / "landbridge.db")
    with connection:
        connection.execute("update connection_observation set state = 'down' where connection_seq % ? = 0", (DOWN,))
        connection.execute(
            "insert into connection_state (connection_seq, at, status)"
            " select seq, 1, 'DOWN' from connection where seq % ? = 0",
            (DOWN,),
        )
    connection.close()


class Viewer:
    """A browser with a session of its own and a connection that stays open."""

    def __init__(self, server: Server) -> None:
        self._http = http.client.HTTPConnection(server.host, server.port)
        self._headers = {"Accept-Encoding": "gzip"}
        self._tag = ""
        known = server.credentials
        form = urllib.parse.urlencode({"access_key": known["access_key"], "secret_key": known["secret_key"]})
        self._http.request("POST", "/console/sign-in", form)
        answer = self._http.getresponse()
        answer.read()
        assert answer.status == 303, answer.status
        self._headers["Cookie"] = (answer.headers["Set-Cookie"] or "").partition(";")[0]
        self._home = f"/console/{known['project_id']}"

    def open(self, path: str, **headers: str) -> tuple[int, bytes]:
        """The status and the content, as it was sent."""
        try:
            self._http.request("GET", self._home + path, headers=self._headers | headers)
            answer = self._http.getresponse()
        except ConnectionError:  # the server ends a connection that is silent for long
            self._http.close()
            return self.open(path, **headers)
        content = answer.read()
        self._tag = answer.headers["ETag"] or ""
        return answer.status, content

    def refresh(self, path: str) -> int:
        """What the script does every five seconds."""
        return self.open(path, **{"If-None-Match": self._tag, "Landbridge-Refresh": "1"})[0]

    def close(self) -> None:
        self._http.close()


def measure(server: Server, runs: int) -> None:
    pids = {server.process.pid, *processes.workers(server.process.pid)}

    def spent() -> float:
        return processor_seconds(pids)

    _wait_for_quiet(spent)
    viewer, change = Viewer(server), _changes(server)
    for name, path in _pages(server):
        costs, plain = [], 0
        viewer.open(path)
        for _ in range(runs * 4):
            next(change)
            before = spent()
            status, content = viewer.open(path)
            assert status == 200, (name, status)
            costs.append(spent() - before)
            plain = len(gzip.decompress(content))
        print(
            f"console, {name}: {statistics.mean(costs) * 1000:.0f} ms of a processor,"
            f" {len(content) / 1000:.1f} kB compressed, {plain / 1000:.1f} kB plain"
        )
    viewer.close()
    for viewers in VIEWERS:
        _live(server, viewers, runs, spent, change)


def _wait_for_quiet(spent: Callable[[], float]) -> None:
    """Waits until the workers have started, which is after the first answers. Else the figures of the first pages would contain their start."""
    before = -1.0
    while (now := spent()) - before > 0.02:
        before = now
        time.sleep(1)


def _changes(server: Server) -> Iterator[None]:
    """Changes a connection each time."""
    one = server.call("GET", "vpn-connection?limit=1")["vpn_connections"][0]
    for number in itertools.count():
        server.call("PUT", f"vpn-connection/{one['id']}", {"vpn_connection": {"name": f"named-{number}"}})
        yield


def _pages(server: Server) -> Iterator[tuple[str, str]]:
    some = server.call("GET", "vpn-connection?limit=50")["vpn_connections"]
    one, rows = some[0], "&".join(f"row={each['id']}" for each in some)
    places = {"gateway": one["vgw_id"], "connection": one["id"], "peer": one["cgw_id"], "rows": rows}
    for name, path in PAGES:
        yield name, path.format_map(places)


def _live(server: Server, viewers: int, runs: int, spent: Callable[[], float], change: Iterator[None]) -> None:
    """In each period of the script a change of the project, and then one refresh of each viewer, all at once."""
    changed: list[float] = []
    quiet: list[float] = []
    people = [Viewer(server) for _ in range(viewers)]
    with concurrent.futures.ThreadPoolExecutor(viewers) as pool:
        list(pool.map(lambda each: each.open(""), people))
        for _ in range(runs * 2):
            for costs in (quiet, changed):
                time.sleep(PERIOD)
                before = spent()
                list(pool.map(lambda each: each.refresh(""), people))
                costs.append(spent() - before)
                if costs is quiet:
                    next(change)
    for each in people:
        each.close()
    print(
        f"console, the overview at {viewers} viewers: the refreshes of {PERIOD:.0f} s {statistics.median(changed) * 1000:.0f} ms of a processor"
        f" after a change, {statistics.median(quiet) * 1000:.0f} ms without one"
    )
