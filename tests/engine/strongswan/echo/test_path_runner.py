"""Checks of paths in the background: what one check meets is its own, and a gateway that goes takes its results along."""

import subprocess
import threading
import uuid
from collections.abc import Iterator

import pytest

from landbridge import model
from landbridge.engine.strongswan import names, path_runner, steps
from landbridge.engine.strongswan.network import namespace

pytestmark = pytest.mark.tunnel
HERE = "127.0.0.1"


@pytest.fixture
def gateway_id() -> Iterator[str]:
    """A gateway whose namespace has one interface, lo."""
    made = str(uuid.uuid4())
    name = names.namespace(made)
    namespace.add(name)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "mtu", "1400", "up"], check=True)
        yield made
    finally:
        namespace.remove(name)


def check(connection_id: str, device: str, probe_id: str | None = None) -> steps.PathCheck:
    return steps.PathCheck(
        connection_id=connection_id,
        configuration="0" * 12,
        local_address="203.0.113.10",
        peer_address="198.51.100.7",
        device=device,
        targets=((HERE, HERE),),
        probe_id=probe_id,
    )


class Runner:
    def __init__(self) -> None:
        self._ended = threading.Event()
        self.paths = path_runner.PathRunner(lambda _: self._ended.set(), None)

    def wait(self) -> None:
        assert self._ended.wait(60)

    def results(self, gateway_id: str) -> dict[str, model.ProbeResult]:
        return dict(self.paths.state(gateway_id).results)


def test_an_interface_that_is_missing_fails_its_own_check_alone(gateway_id: str):
    runner = Runner()
    runner.paths.start(
        gateway_id, steps.CheckPaths(checks=(check("there", "lo"), check("gone", "x9", probe_id="order")))
    )
    runner.wait()
    found = runner.results(gateway_id)
    assert found["there"].failure is None
    assert found["there"].path is not None
    assert found["there"].path.outcome == "passes"
    assert (found["gone"].id, found["gone"].path, found["gone"].failure) == ("order", None, "x9: No such device")


def test_a_gateway_that_went_during_its_check_leaves_no_result(gateway_id: str):
    runner = Runner()
    runner.paths.start(gateway_id, steps.CheckPaths(checks=(check("there", "lo"),)))
    runner.paths.keep(gateway_id, ())
    runner.wait()
    assert (runner.results(gateway_id), runner.paths.state(gateway_id).checking) == ({}, False)


def test_a_connection_that_stays_keeps_its_result(gateway_id: str):
    runner = Runner()
    runner.paths.start(gateway_id, steps.CheckPaths(checks=(check("there", "lo"), check("deleted", "lo"))))
    runner.paths.keep(gateway_id, {"there", "new"})
    runner.wait()
    assert set(runner.results(gateway_id)) == {"there"}
