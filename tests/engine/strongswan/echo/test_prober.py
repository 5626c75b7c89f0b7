"""Echoes between network namespaces: what is answered, what is cut, and what comes back."""

import contextlib
import logging
import os
import subprocess
from collections.abc import Iterator

import pytest

from lab import sites
from landbridge import model
from landbridge.engine.strongswan.echo import icmp, prober
from landbridge.engine.strongswan.echo.state import Echoes, Kind
from landbridge.engine.strongswan.echo.window import Timing
from landbridge.engine.strongswan.network import namespace

pytestmark = pytest.mark.tunnel
NEAR, FAR, NOBODY = "192.0.2.1", "192.0.2.2", "192.0.2.3"
QUICK = Timing(interval=0.05, losses=3, stable=0.5)
GATEWAYS = ("one", "two")
NQA = Echoes(connection_id="c", kind="nqa", source=NEAR, destination=FAR, device="e1")
MONITOR = Echoes(connection_id="c", kind="monitor", source=NEAR, destination=FAR)


class Paths:
    """Two gateways' namespaces, each with a device, and a prober. `changed`: the gateways that it told of; `opened`: how often it tried to open
    a socket.
    """

    def __init__(self) -> None:
        self.opened = 0
        self.changed: list[str] = []
        self.prober = prober.Prober(self._open, self._note, {"nqa": QUICK, "monitor": QUICK})

    def name(self, gateway: str, end: str = "near") -> str:
        return f"lbp{os.getpid()}{gateway}{end}"

    def _open(self, gateway: str, kind: Kind) -> icmp.EchoSocket:
        self.opened += 1
        return namespace.inside(self.name(gateway), lambda _: icmp.EchoSocket())

    def _note(self, gateway: str) -> None:
        self.changed.append(gateway)

    def add(self, gateway: str) -> None:
        near, far = self.name(gateway), self.name(gateway, "far")
        namespace.add(near)
        namespace.add(far)
        _ip("-n", near, "link", "add", "e1", "type", "veth", "peer", "name", "e2", "netns", far)
        for name, link, address in ((near, "e1", NEAR), (far, "e2", FAR)):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", link)
            _ip("-n", name, "link", "set", link, "up")

    def cut(self, gateway: str) -> None:
        _ip("-n", self.name(gateway, "far"), "link", "set", "e2", "down")

    def mend(self, gateway: str) -> None:
        _ip("-n", self.name(gateway, "far"), "link", "set", "e2", "up")

    def nqa(self, gateway: str = "one") -> model.Reachability:
        return self.prober.state(gateway).nqa["c"]

    def becomes(self, state: str, gateway: str = "one") -> None:
        sites.wait_for(lambda: self.nqa(gateway).state == state, f"gateway {gateway} to be {state}")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@pytest.fixture
def paths() -> Iterator[Paths]:
    paths = Paths()
    with contextlib.ExitStack() as stack:
        for gateway in GATEWAYS:
            for end in ("near", "far"):
                stack.callback(namespace.remove, paths.name(gateway, end))
            paths.add(gateway)
        stack.enter_context(paths.prober.running())
        yield paths


def test_a_path_is_up_when_it_answers_down_when_it_is_cut_and_up_again(paths: Paths):
    for gateway in GATEWAYS:
        paths.prober.keep(gateway, [NQA, MONITOR])
        paths.becomes("up", gateway)
    assert paths.nqa().rtt_min is not None
    paths.changed.clear()
    paths.cut("one")
    paths.becomes("down")
    assert paths.nqa().since is not None
    sites.wait_for(lambda: "one" in paths.changed, "a look at the gateway")
    assert (paths.nqa("two").state, set(paths.changed)) == ("up", {"one"})
    paths.mend("one")
    paths.becomes("up")


def test_an_address_that_nobody_has_is_down_and_the_other_kind_is_not(paths: Paths):
    paths.prober.keep("one", [NQA, Echoes(connection_id="c", kind="monitor", source=NEAR, destination=NOBODY)])
    sites.wait_for(lambda: paths.prober.state("one").monitor["c"].state == "down", "the monitor to be down")
    paths.becomes("up")


def test_echoes_bound_to_an_interface_that_is_gone_are_lost(paths: Paths):
    paths.prober.keep("one", [Echoes(connection_id="c", kind="nqa", source=NEAR, destination=FAR, device="x9")])
    paths.becomes("down")


def test_what_is_kept_goes_on_and_what_is_changed_begins_anew(paths: Paths):
    paths.prober.keep("one", [NQA, MONITOR])
    paths.becomes("up")
    paths.prober.keep("one", [NQA])
    assert paths.nqa().state == "up"
    assert not paths.prober.state("one").monitor
    paths.prober.keep("one", [Echoes(connection_id="c", kind="nqa", source=NEAR, destination=NOBODY, device="e1")])
    assert paths.nqa().state == "unknown"


def test_a_gateway_without_echoes_leaves_its_namespace_free(paths: Paths):
    """An open socket would keep the namespace, and its links, after its name is gone."""
    paths.prober.keep("one", [NQA])
    paths.becomes("up")
    paths.prober.keep("one", [])
    namespace.remove(paths.name("one"))
    sites.wait_for(lambda: not _has_link(paths.name("one", "far")), "the link to go with the namespace")
    paths.prober.keep("two", [NQA])
    paths.becomes("up", "two")


def _has_link(name: str) -> bool:
    return subprocess.run(["ip", "-n", name, "link", "show", "e2"], capture_output=True, check=False).returncode == 0


def test_a_namespace_that_comes_later_is_found(paths: Paths):
    namespace.remove(paths.name("one"))
    namespace.remove(paths.name("one", "far"))
    paths.prober.keep("one", [NQA])
    paths.prober.keep("two", [NQA])
    paths.becomes("up", "two")
    assert paths.nqa("one").state == "unknown"
    paths.add("one")
    paths.becomes("up", "one")


def test_a_prober_that_ends_and_begins_again_goes_on():
    paths = Paths()
    with contextlib.ExitStack() as stack:
        for end in ("near", "far"):
            stack.callback(namespace.remove, paths.name("one", end))
        paths.add("one")
        paths.prober.keep("one", [NQA])
        for _ in range(2):
            with paths.prober.running():
                paths.becomes("up")
                paths.cut("one")
                paths.becomes("down")
                paths.mend("one")


def test_a_socket_that_cannot_be_opened_is_a_line_when_it_begins_and_when_it_ends(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, prober.__name__)
    monkeypatch.setattr(prober, "RETRY", 0.01)
    namespace.remove(paths.name("one"))
    namespace.remove(paths.name("one", "far"))
    tried = paths.opened
    paths.prober.keep("one", [NQA])
    sites.wait_for(lambda: paths.opened > tried + 3, "several attempts")
    paths.add("one")
    paths.becomes("up")
    assert [record.getMessage() for record in caplog.records] == [
        "gateway one: no echoes can be sent: No such file or directory",
        "gateway one: echoes can be sent again",
    ]
