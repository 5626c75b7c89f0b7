"""Where a charon listens and how it was started make no difference to how it is found."""

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import vici

from landbridge.engine.strongswan import daemon
from landbridge.engine.strongswan.ike import charon

pytestmark = pytest.mark.tunnel


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"t{secrets.token_hex(3)}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A gateway's; whatever charon was started there ends with the test."""
    folder = tmp_path / "0123456789ab"
    folder.mkdir()
    yield folder
    charon.CHARON.stop(folder)


@pytest.fixture
def elsewhere(tmp_path: Path) -> daemon.Launch:
    return daemon.Launch(sockets=tmp_path / "run")


def test_a_charon_that_listens_elsewhere_is_found_by_its_folder(
    folder: Path, namespace: str, elsewhere: daemon.Launch, tmp_path: Path
) -> None:
    charon.start(folder, namespace, "userland", elsewhere)
    assert (tmp_path / "run/0123456789ab.vici").is_socket()
    with charon.CHARON.connect(folder) as connection:
        assert vici.Session(connection).version()["daemon"] == b"charon-systemd"
    charon.CHARON.stop(folder)
    assert not charon.CHARON.is_alive(folder)
    assert list((tmp_path / "run").iterdir()) == []
    assert not charon.CHARON.socket_path(folder).is_symlink()


def test_a_charon_of_the_other_way_is_taken_as_it_is(folder: Path, namespace: str, elsewhere: daemon.Launch) -> None:
    charon.start(folder, namespace, "userland")
    with pytest.raises(OSError, match="a charon runs already"):
        charon.start(folder, namespace, "userland", elsewhere)
    assert charon.CHARON.is_alive(folder)


def test_a_charon_whose_sockets_went_with_a_reboot_is_gone_and_starts_anew(
    folder: Path, namespace: str, elsewhere: daemon.Launch, tmp_path: Path
) -> None:
    charon.start(folder, namespace, "userland", elsewhere)
    charon.CHARON.stop(folder)
    charon.CHARON.socket_path(folder).symlink_to(tmp_path / "run/0123456789ab.vici")
    shutil.rmtree(tmp_path / "run")
    assert not charon.CHARON.is_alive(folder)
    charon.start(folder, namespace, "userland", elsewhere)
    assert charon.CHARON.is_alive(folder)


def test_a_unit_means_nothing_where_systemd_does_not_run(folder: Path, namespace: str) -> None:
    assert not daemon.SYSTEMD_RUNS.exists(), "this test is for a machine without systemd"
    charon.start(folder, namespace, "userland", daemon.Launch(as_units=True))
    assert charon.CHARON.is_alive(folder)
