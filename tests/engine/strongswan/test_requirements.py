"""What `landbridge doctor` finds: on this machine as it is, and with something taken away."""

import ctypes
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from landbridge import site_file
from landbridge.engine.base import Requirement
from landbridge.engine.strongswan import data_plane, requirements

pytestmark = pytest.mark.process


def _look(data: Path) -> dict[str, Requirement]:
    return {each.name: each for each in requirements.check(data, site_file.default())}


def test_a_machine_that_carries_tunnels_lacks_nothing(tmp_path: Path):
    found = _look(tmp_path / "not-made-yet")
    assert [each for each in found.values() if each.state == "missing"] == []
    assert found["data plane"].found.startswith(data_plane.detect()[0])
    assert found["strongSwan"].found[0] in "56"
    assert found["BIRD"].found.startswith("2.")
    assert all(each.remedy for each in found.values() if each.state == "warning" and "not seen" not in each.found)


def test_a_command_that_is_missing_has_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = _look(tmp_path)
    assert (found["command nft"].state, found["command nft"].remedy) == ("missing", "apt-get install nftables")
    assert found["data plane"].state == "warning"


def test_a_file_that_is_missing_has_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    gone = {tmp_path / "charon-systemd": "charon-systemd", tmp_path / "libstrongswan-vici.so": "strongswan-swanctl"}
    monkeypatch.setattr(requirements.machine, "needed", lambda _: gone)
    found = _look(tmp_path)["strongSwan"]
    assert found.state == "missing"
    assert found.found.endswith(", without charon-systemd, libstrongswan-vici.so")
    assert found.remedy.endswith("charon-systemd strongswan-swanctl")


def test_a_port_that_the_machine_itself_holds_is_a_warning():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("", 0))
        assert requirements._port(held.getsockname()[1]).state == "warning"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    assert requirements._port(port).state == "ok"


@pytest.mark.parametrize(("free", "state"), [(0, "missing"), (2**29, "warning"), (2**31, "ok")])
def test_a_disk_is_judged_by_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str):
    usage = requirements.shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(requirements.shutil, "disk_usage", lambda _: usage)
    assert requirements._disk(tmp_path).state == state


def _doctor_of_nobody(data: Path) -> subprocess.CompletedProcess[str]:
    """`landbridge doctor` as another user than root. DAC_OVERRIDE: this tree may be below a folder of root, and Debian's /root is root's own."""
    capability = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    command = [
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        *capability,
        sys.executable,
        "-B",
        "-m",
        "landbridge.cli.main",
    ]
    return subprocess.run([*command, "doctor", "--data", data], capture_output=True, text=True, check=False)


def test_nobody_lacks_root_and_capabilities_and_is_told_how_to_mend_it():
    ran = _doctor_of_nobody(Path("/nonexistent"))
    rows = {row[1]: row for row in (line.split("\t") for line in ran.stdout.splitlines())}
    assert ran.returncode == 1, ran.stderr
    assert (rows["root"][0], rows["capabilities"][0]) == ("missing", "missing")
    assert "CAP_NET_ADMIN" in rows["capabilities"][2]
    assert rows["data plane"][2].startswith("not seen")
    missing = [name for name, row in rows.items() if row[0] == "missing"]
    assert ran.stderr == f"landbridge: this machine cannot carry tunnels: {len(missing)} things missing\n"


def test_a_folder_that_may_not_be_looked_into_has_the_disk_of_its_parent(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    libc = ctypes.CDLL(None)
    libc.setfsuid(65534)  # of this thread only, which loses DAC_OVERRIDE with it
    try:
        with pytest.raises(PermissionError):
            (closed / "data").stat()
        found = requirements._disk(closed / "data")
    finally:
        libc.setfsuid(0)
    assert found.found.endswith(f"GiB free for {closed / 'data'}")


def test_a_file_in_the_place_of_the_data_folder_is_told(tmp_path: Path):
    (tmp_path / "data").touch()
    found = requirements._disk(tmp_path / "data")
    assert (found.state, found.found) == ("missing", f"{tmp_path}/data is not a folder")
