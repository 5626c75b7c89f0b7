"""What is left when somebody deletes a data folder, or a gateway's in it; and a second data folder with a copy of the database."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import cycles, demo
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.engine import StrongSwan
from landbridge.engine.strongswan.network import namespace
from tests.engine.strongswan import fault_bench
from tests.engine.strongswan.fault_bench import Bench

pytestmark = pytest.mark.tunnel


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with fault_bench.bench() as made:
        yield made


@pytest.fixture
def stray(bench: Bench) -> Bench:
    """A gateway that carries and has no folder any more."""
    bench.settle(bench.desired(bench.main))
    shutil.rmtree(bench.folder)
    return bench


def _stop(bench: Bench, *words: str, data: Path | None = None, answer: str = "") -> subprocess.CompletedProcess[str]:
    """`answer`: of a person at a terminal."""
    site = bench.world.folder / "site.toml"
    site.write_text(demo.SITE_FILE.format(underlay=bench.world.wan, vpc=demo.VPC_ID, eips=""))
    command = [demo.BIN / "landbridge", "engine", "stop", "--data", data or bench.world.folder, "--site", site]
    person, terminal = os.openpty() if answer else (None, subprocess.DEVNULL)
    if person is not None:
        os.write(person, f"{answer}\n".encode())
    try:
        return subprocess.run([*command, *words], stdin=terminal, capture_output=True, text=True, check=False)
    finally:
        for end in (person, terminal) if person is not None else ():
            os.close(end)


def _links(bench: Bench) -> str:
    command = ["ip", "-n", bench.world.wan, "-br", "link"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _nothing_is_left(bench: Bench) -> None:
    assert not namespace.exists(bench.namespace)
    assert names.short(bench.id) not in _links(bench)
    assert bench.fresh().orphans() == []


def test_what_has_no_folder_is_told_and_goes_only_when_that_is_wanted(stray: Bench):
    (pid,) = fault_bench.pids(stray.namespace)
    asked = _stop(stray)
    assert (asked.returncode, "--yes takes them down too" in asked.stderr) == (1, True)
    assert asked.stdout == f"network namespace {stray.namespace}, its charon {pid} runs, its folder is gone\n"
    no = _stop(stray, answer="n")
    assert (no.returncode, no.stdout.splitlines()[-1]) == (
        0,
        "Take them down? Their tunnels end. [y/N] took down 0 gateways",
    )
    stray.carries()
    done = _stop(stray, "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "took down 1 gateway"), done.stderr
    _nothing_is_left(stray)


def test_a_person_at_a_terminal_is_asked(bench: Bench):
    bench.settle(bench.desired(bench.main))
    assert _stop(bench, answer="").stdout.endswith("took down 1 gateway\n")
    bench.settle(bench.desired(bench.main))
    assert "took down 0 gateways" in _stop(bench, answer="no").stdout
    bench.carries()
    asked = _stop(bench, answer="y").stdout
    assert asked.splitlines()[0] == f"gateway {bench.id}"
    assert "took down 1 gateway" in asked
    _nothing_is_left(bench)


def test_a_namespace_says_whose_it_is_without_a_charon(stray: Bench):
    assert stray.kill()
    assert [one.name for one in stray.fresh().orphans()] == [names.short(stray.id)]
    stray.fresh().stop_all()
    _nothing_is_left(stray)


def test_a_charon_says_whose_it_is_when_its_namespace_does_not(stray: Bench):
    """Made by a version that wrote nothing into namespaces."""
    subprocess.run(["ip", "-n", stray.namespace, "link", "set", "lo", "alias", ""], check=True)
    assert [str(one)[:33] for one in stray.fresh().orphans()] == [f"network namespace {stray.namespace}"]
    stray.fresh().stop_all()
    _nothing_is_left(stray)


def test_a_second_data_folder_with_the_same_gateway_touches_nothing_and_advises_no_harm(bench: Bench):
    """A restore beside the old folder: the same ids, another place."""
    both = bench.desired(bench.main, bench.other)
    end, kept = bench.settle(both), bench.spis(bench.main)
    folder = bench.world.folder / "second"
    second = StrongSwan(folder, bench.world.site("vpc-1"))
    refused = cycles.run_cycle(second, bench.id, both).failure
    assert refused is not None
    assert f"is of another data folder, {bench.world.folder}, and left alone" in refused
    assert "delete" not in refused
    assert (second.orphans(), second.gateways()) == ([], frozenset())
    stopped = _stop(bench, "--yes", data=folder)
    assert (stopped.returncode, stopped.stdout) == (0, "took down 0 gateways\n")
    assert (bench.settle(both), bench.spis(bench.main)) == (end, kept)
    bench.carries()


def test_a_folder_that_never_was_is_told(bench: Bench, tmp_path: Path):
    stopped = _stop(bench, data=tmp_path / "typo")
    assert stopped.returncode == 1
    assert f"{tmp_path / 'typo'}: no such data folder" in stopped.stderr
    assert not (tmp_path / "typo").exists()
