"""The how-to's examples are valid, and what it says of an installation is what one has."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from landbridge import paths, site_file
from landbridge.engine.strongswan import machine
from landbridge.install import files
from landbridge.peerconfig import catalogue

PAGE = (Path(__file__).parents[2] / "docs/how-to/run-a-gateway.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def _attaches(text: str, folder: Path) -> set[str]:
    (folder / "site.toml").write_text(text)
    return {eip.attach for eip in site_file.load(folder / "site.toml").eips}


@pytest.mark.parametrize(
    ("number", "attaches"),
    [(0, {"routed"}), (1, {"macvlan"}), (2, {"nat", "routed"})],
    ids=["routed", "macvlan", "nat"],
)
def test_each_kind_of_machine_has_an_example_that_makes_a_gateway(
    number: int, attaches: set[str], tmp_path: Path, open_service: Any
):
    assert _attaches(EXAMPLES[number], tmp_path) == attaches
    site = site_file.load(tmp_path / "site.toml")
    made = open_service(site=site).api().gateway(vpc_id=site.networks[0].id)
    assert [made["eip1"]["ip_address"], made["eip2"]["ip_address"]] == [eip.address for eip in site.eips]
    assert site.eips[0].attach in attaches - {"routed"} or len(attaches) == 1


def test_the_example_in_the_installed_site_file_is_valid_once_it_is_uncommented(tmp_path: Path):
    lines = files.INITIAL_FILES[files.SITE].splitlines()
    text = "\n".join(re.sub(r"^# (?=\[\[|\w+ = )", "", line) for line in lines)
    assert _attaches(text, tmp_path) == {"macvlan"}


@pytest.mark.process
def test_the_first_tunnel_is_made_as_the_page_says_and_the_other_sides_configuration_has_the_psk(
    start_server: Any, tmp_path: Path
):
    server = start_server("data")
    blocks = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-euc", "".join(blocks)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path), "LANDBRIDGE_DATA": str(server.folder)},
    )
    assert ran.returncode == 0, ran.stderr
    for told in ("created VPN gateway hq", "created customer gateway branch", "created connection hq-branch"):
        assert told in ran.stderr
    assert "RouterOS" in ran.stdout
    assert 'secret = "A-long-secret-of-your-own"' in ran.stdout


def test_vendors_and_models_are_the_lists():
    text = PAGE.partition("`--version` take the values of this list")[2].partition("A text that nobody")[0]
    for device in catalogue.devices():
        assert {device.vendor, device.family} & set(re.findall(r"[\w.-]+", text)), device
        assert device.vendor.casefold() in text.casefold()


@pytest.mark.parametrize(
    "path", [files.OWN.current, files.OWN.command, files.CONFIGURATION, files.OWN.sysctl, paths.DATA, paths.RUN]
)
def test_every_place_of_an_installation_is_named(path: str):
    assert f"`{path}" in PAGE


def test_every_package_that_the_engine_needs_is_installed_first():
    found = re.search(r"apt-get install --no-install-recommends (.*?)(?<!\\)\n", PAGE, re.DOTALL)
    assert found
    listed = set(found[1].replace("\\", " ").split())
    assert {source for source in machine._NEEDED.values() if " " not in source} <= listed
    assert {"iproute2", "nftables"} <= listed
