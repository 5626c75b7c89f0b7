"""All peers of a gateway lose their tunnels in one moment, since the devices or the gateway's charon are restarted: how they come back."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from lab import fleet, sas, sites, testbed
from landbridge.engine.strongswan import names

#: Counts requests of IKE_SA_INIT (RFC 7296, 3.1: exchange 34, sent by the initiator), retransmits too.
_COUNTERS = """
table ip reconnect {
  counter first_messages { }
  chain forward {
    type filter hook forward priority 0;
    udp dport 500 @th,208,16 0x2208 counter name first_messages
  }
}
"""
PAGE = 500


@dataclass
class Reconnect:
    """`seconds`: until the last tunnel was ACTIVE again. `first_messages`: requests of IKE_SA_INIT on the wire meanwhile, of both sides, retransmits
    too. `slowest_answer`: seconds of a GET of the API meanwhile; `failed_answers`: requests without a right answer.
    """

    seconds: float
    first_messages: int
    slowest_answer: float
    failed_answers: int


def restart_devices(made: fleet.Fleet) -> Reconnect:
    """The device of all tunnels is killed, which tells nobody, and starts again. It initiates them."""
    [device] = made.devices

    def restart() -> None:
        device.stop(kill=True)
        device.restart()
        device.load(*made.tunnels(start=True))

    return _measure(made, restart)


def kill_charon(made: fleet.Fleet) -> Reconnect:
    """The gateway's charon is killed. The devices wait."""

    def kill() -> None:
        for gateway in made.gateways:
            listed = subprocess.run(
                ["ip", "netns", "pids", names.namespace(gateway["id"])], capture_output=True, text=True, check=True
            )
            for pid in listed.stdout.split():
                os.kill(int(pid), signal.SIGKILL)

    return _measure(made, kill)


def _measure(made: fleet.Fleet, interrupt: Callable[[], None]) -> Reconnect:
    before = {spi for sa in made.sas() for spi in sa.spis}
    with _counting(made.world.wan) as count, _asking(made) as asked:
        began = time.monotonic()
        interrupt()
        sites.wait_for(lambda: is_whole(made, before), "all tunnels to be up again", seconds=fleet.PATIENCE)
        took = time.monotonic() - began
        messages = count()
    return Reconnect(took, messages, max(asked.seconds, default=0.0), asked.failures)


def is_whole(made: fleet.Fleet, before: Collection[str] = ()) -> bool:
    """Whether each connection has one IKE_SA with one CHILD_SA, new ones, the same at both ends, and is ACTIVE."""
    try:
        ours, theirs = made.sas(), [sa for device in made.devices for sa in sas.read(device.uri)]
    except OSError:  # a charon is not there
        return False
    spis = [sa.spis for sa in ours]
    return (
        Counter(sa.remote[0] for sa in ours) == {sites.peer(number): 1 for number in range(made.count)}
        and all(len(sa.children) == 1 for sa in (*ours, *theirs))
        and Counter(spis) == Counter(sa.spis for sa in theirs)
        and not any(spi in before for each in spis for spi in each)
        and statuses(made) == {"ACTIVE": made.count}
    )


def statuses(made: fleet.Fleet) -> Counter[str]:
    """How many connections have each status."""
    api, found, path = testbed.Api(made.service.credentials), Counter[str](), f"vpn-connection?limit={PAGE}"
    marker = ""
    while marker is not None:
        page = api.get("/v5/{project}/" + path + (f"&marker={urllib.parse.quote(marker)}" if marker else ""))
        found.update(one["status"] for one in page["vpn_connections"])
        marker = page["page_info"].get("next_marker")
    return found


@contextlib.contextmanager
def _counting(wan: str) -> Iterator[Callable[[], int]]:
    testbed.nft(wan, _COUNTERS)
    try:
        yield lambda: _packets(wan)
    finally:
        testbed.nft(wan, "delete table ip reconnect\n")


def _packets(wan: str) -> int:
    command = ["ip", "netns", "exec", wan, "nft", "list", "counter", "ip", "reconnect", "first_messages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(re.findall(r"packets (\d+)", listed)[0])


@dataclass
class _Asked:
    seconds: list[float] = field(default_factory=list)
    failures: int = 0


@contextlib.contextmanager
def _asking(made: fleet.Fleet) -> Iterator[_Asked]:
    """Asks for a connection five times a second."""
    asked, ended, api = _Asked(), threading.Event(), testbed.Api(made.service.credentials)
    one = api.get("/v5/{project}/vpn-connection?limit=1")["vpn_connections"][0]["id"]

    def ask() -> None:
        while not ended.wait(0.2):
            began = time.monotonic()
            try:
                api.get(f"/v5/{{project}}/vpn-connection/{one}")
            except (OSError, testbed.Refused):
                asked.failures += 1
            asked.seconds.append(time.monotonic() - began)

    thread = threading.Thread(target=ask, name="asking")
    thread.start()
    try:
        yield asked
    finally:
        ended.set()
        thread.join()
