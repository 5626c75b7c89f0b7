"""The how-to's examples are valid, and what it says of an installation is what one has."""

import re
from pathlib import Path

import pytest

from landbridge import site_file
from landbridge.engine.strongswan import engine
from landbridge.install import files

PAGE = (Path(__file__).parents[2] / "docs/how-to/run-a-gateway.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def _attaches(text: str, folder: Path) -> set[str]:
    (folder / "site.toml").write_text(text)
    return {eip.attach for eip in site_file.load(folder / "site.toml").eips}


@pytest.mark.parametrize(("number", "attach"), [(0, "routed"), (1, "macvlan"), (2, "nat")])
def test_each_kind_of_machine_has_a_valid_example(number: int, attach: str, tmp_path: Path):
    assert _attaches(EXAMPLES[number], tmp_path) == {attach}


def test_the_example_in_the_installed_site_file_is_valid_once_it_is_uncommented(tmp_path: Path):
    lines = files.YOURS[files.SITE].splitlines()
    text = "\n".join(re.sub(r"^# (?=\[\[|\w+ = )", "", line) for line in lines)
    assert _attaches(text, tmp_path) == {"macvlan"}


@pytest.mark.parametrize(
    "path", [files.CURRENT, files.COMMAND, files.CONFIGURATION, files.SYSCTL, files.DATA, files.RUN]
)
def test_every_place_of_an_installation_is_named(path: str):
    assert f"`{path}" in PAGE


def test_every_package_that_the_engine_needs_is_installed_first():
    found = re.search(r"apt-get install --no-install-recommends (.*?)(?<!\\)\n", PAGE, re.DOTALL)
    assert found
    listed = set(found[1].replace("\\", " ").split())
    assert {source for source in engine._NEEDED.values() if " " not in source} <= listed
    assert {"iproute2", "nftables"} <= listed
