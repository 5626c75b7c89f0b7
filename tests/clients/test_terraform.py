"""The provider huaweicloud itself, under Terraform's or OpenTofu's own core: apply, empty plan, update in place, import, destroy.

The package registries do not have the provider, so it is not built here: `terraform providers mirror build/clients/providers` brings
it where Terraform's registry is reached.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import gm_certificates
from tests.clients.conftest import BUILT, HERE
from tests.docs import pages

pytestmark = pytest.mark.process

PROVIDERS = BUILT / "providers"
#: Of one command: the provider waits 10 s or more for each gateway and each connection.
COMMAND_SECONDS = 500
#: The other value of each variable of main.tf.
CHANGED = {
    "name": "second",
    "local_subnets": ["10.9.0.0/24", "10.1.0.0/24"],
    "flavor": "Professional2",
    "device": "two",
    "psk": "Correct-Horse-8",
    "peer_subnets": ["192.168.1.0/24", "192.168.9.0/24"],
    "encryption": "aes-128",
    "lifetime": 3600,
    "dh_group": "group14",
    "tags": {"site": "berlin"},
}
#: Exit statuses of `plan -detailed-exitcode`.
NOTHING_TO_DO = 0


class Terraform:
    """A folder with a configuration, and the commands on it."""

    def __init__(self, program: str, folder: Path, environment: dict[str, str]) -> None:
        self._program = program
        self._folder = folder
        self._environment = environment

    def run(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [self._program, *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def apply(self) -> dict[str, int]:
        """The numbers of resources that were added, changed and destroyed."""
        printed = self.run("apply", "-no-color", "-auto-approve").stdout
        found = re.findall(r"(\d+) (added|changed|destroyed)", printed)
        return {what: int(number) for number, what in found}

    def nothing_to_do(self) -> None:
        plan = self.run("plan", "-no-color", "-detailed-exitcode", check=False)
        assert plan.returncode == NOTHING_TO_DO, plan.stdout + plan.stderr

    def output(self, name: str) -> Any:
        return json.loads(self.run("output", "-json", name).stdout)

    def change(self, values: dict[str, Any]) -> None:
        (self._folder / "terraform.tfvars.json").write_text(json.dumps(values))


@pytest.fixture
def environment(absent: Callable[[str], Any], tmp_path: Path) -> dict[str, str]:
    """Of a reader who has the provider: nothing of ours, and no look at a registry."""
    if not list(PROVIDERS.glob("*/huaweicloud/huaweicloud/*")):
        absent(f"the provider huaweicloud is not in {PROVIDERS}: Terraform did not run")
    settings = tmp_path / "terraform.rc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{PROVIDERS}"\n  }}\n}}\n')
    words = {"TF_CLI_CONFIG_FILE": str(settings), "CHECKPOINT_DISABLE": "1", "HOME": str(tmp_path)}
    return {"PATH": os.environ["PATH"], **words}


@pytest.fixture
def configured(
    tool: Callable[..., str], environment: dict[str, str], start_server: Callable[..., Any], tmp_path: Path
) -> Iterator[Callable[[str], Terraform]]:
    """`configured("fifty")`: that configuration with the provider of the how-to. It is destroyed at the end.

    The service has the default site, as that of a reader: the shared one has no addresses for private gateways.
    """
    words = start_server().credentials
    made: list[Terraform] = []

    def configure(name: str) -> Terraform:
        folder = tmp_path / "configuration"
        folder.mkdir()
        shutil.copy(HERE / "terraform" / name / "main.tf", folder)
        provider = pages.blocks("use-with-terraform", "hcl")[0]
        (folder / "provider.tf").write_text(provider.replace("http://127.0.0.1:8700", words["endpoint"]))
        keys = {"HW_ACCESS_KEY": words["access_key"], "HW_SECRET_KEY": words["secret_key"]}
        keys["TF_VAR_project_id"] = words["project_id"]
        made.append(Terraform(tool("terraform", "tofu"), folder, environment | keys))
        made[-1].run("init", "-no-color")
        return made[-1]

    yield configure
    for one in made:
        one.run("destroy", "-no-color", "-auto-approve")


@pytest.mark.timeout(3600)
def test_everything_is_made_read_changed_imported_and_destroyed(configured: Callable[[str], Terraform]):
    terraform = configured(".")
    assert terraform.apply() == {"added": 15, "changed": 0, "destroyed": 0}
    terraform.nothing_to_do()
    made, read = terraform.output("made"), terraform.output("read")
    assert read["zones"] == read["zones_v51"] == ["zone-1", "zone-2"]
    assert (read["gateways"], read["devices"]) == ([made["gateway"]], [made["device"]])
    assert (read["connections"], read["checks"]) == ([made["connection"]], [made["check"]])
    assert sorted(read["tagged"]) == sorted(made["devices"])
    assert {"key": "site", "values": ["bonn"]} in read["tags"]
    assert {"vpn_gateway", "vpn_connection", "customer_gateway"} <= set(read["quotas"])
    assert "192.168.9.0/24" in read["text"]

    terraform.change(CHANGED)
    assert terraform.apply() == {"added": 0, "changed": 14, "destroyed": 0}
    terraform.nothing_to_do()
    assert terraform.output("made") == made
    assert {"key": "site", "values": ["berlin"]} in terraform.output("read")["tags"]

    for address, resource_id in (
        ("huaweicloud_vpn_gateway.main", made["gateway"]),
        ('huaweicloud_vpn_customer_gateway.device["one"]', made["device"]),
        ("huaweicloud_vpn_connection.static", made["connection"]),
        ("huaweicloud_vpn_connection_health_check.static", made["check"]),
    ):
        terraform.run("state", "rm", address)
        terraform.run("import", "-no-color", address, resource_id)
    # An import reads no PSK, and of a gateway not what happens to its EIPs: both are updated in place.
    assert terraform.apply() == {"added": 0, "changed": 2, "destroyed": 0}
    terraform.nothing_to_do()
    assert terraform.output("made") == made


@pytest.mark.timeout(3600)
def test_a_gm_gateway_a_gateway_at_a_router_and_a_reset(configured: Callable[[str], Terraform], tmp_path: Path):
    terraform = configured("rest")
    certificates = gm_certificates.gateway(tmp_path)
    terraform.change({"certificates": certificates})
    assert terraform.apply() == {"added": 5, "changed": 0, "destroyed": 0}
    terraform.nothing_to_do()
    assert terraform.output("certificate") == "BOUND"
    terraform.change({"certificates": certificates, "certificate_name": "second"})
    assert terraform.apply() == {"added": 0, "changed": 1, "destroyed": 0}
    terraform.nothing_to_do()


@pytest.mark.timeout(3600)
def test_fifty_connections_are_applied_and_planned_without_a_change(
    configured: Callable[[str], Terraform], record_testsuite_property: Callable[[str, object], None]
):
    """The seconds are figures of docs/reference/figures.md; no test is about them."""
    terraform = configured("fifty")
    began = time.monotonic()
    assert terraform.apply() == {"added": 101, "changed": 0, "destroyed": 0}
    applied = time.monotonic()
    terraform.nothing_to_do()
    planned = time.monotonic()
    record_testsuite_property("apply_seconds", round(applied - began))
    record_testsuite_property("empty_plan_seconds", round(planned - applied, 1))


@pytest.mark.timeout(1200)
def test_the_page_for_terraform_runs_as_it_stands(environment: dict[str, str], tmp_path: Path):
    """Its service, its configuration and its commands, in the order of the page."""
    port = pages.free_port()
    configuration = "\n".join(pages.blocks("use-with-terraform", "hcl"))
    (tmp_path / "main.tf").write_text(configuration.replace("8700", port))
    environment = {name: value for name, value in environment.items() if name != "PATH"} | {"TF_CLI_ARGS": "-no-color"}
    status, printed = pages.shell("use-with-terraform", tmp_path, port, languages=("bash", "sh"), **environment)
    assert status == 0, printed
    assert "Apply complete! Resources: 4 added, 0 changed, 0 destroyed." in printed
    assert "No changes. Your infrastructure matches the configuration." in printed
    assert "Destroy complete! Resources: 4 destroyed." in printed
