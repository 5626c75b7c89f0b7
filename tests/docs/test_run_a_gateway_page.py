"""The how-to's examples are valid, and what it says of an installation is what one has."""

import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from landbridge import model, site_file
from landbridge.engine.strongswan import engine
from landbridge.install import files
from landbridge.operations import access
from tests.conftest import PSK, Api

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
    lines = files.YOURS[files.SITE].splitlines()
    text = "\n".join(re.sub(r"^# (?=\[\[|\w+ = )", "", line) for line in lines)
    assert _attaches(text, tmp_path) == {"macvlan"}


def test_the_other_sides_configuration_is_printed_with_the_psk(server: Any):
    words = server.credentials
    token = model.Secret(words["token"])
    key = access.NewKey(access_key="", secret_key=token, token=token, project_id=words["project_id"], role="admin")
    with httpx.Client(base_url=words["endpoint"]) as http:
        api = Api(http=http, project_id=words["project_id"], key=key)
        made = api.connection(api.gateway())
    first, prints = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    script = "".join(first.splitlines(keepends=True)[:2]).replace("/var/lib/landbridge", str(server.folder))
    script += prints.replace("ID/", made["id"] + "/")
    printed = subprocess.run(["bash", "-euc", script], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "RouterOS" in printed
    assert f'secret = "{PSK}"' in printed


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
