"""The commands that work on a data folder, with and without a server that runs on it."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from landbridge import config, data_folder
from landbridge.cli import main
from tests.conftest import VPC


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder, as a start makes it, with no project yet."""
    with data_folder.open_data(config.Settings(serve=config.Serve(data=str(tmp_path / "data")))) as data:
        return data.path


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command on the data folder: (exit status, what it printed, what it complained of)."""

    def run(*words: str, data: Path = tmp_path / "data") -> tuple[int, str, str]:
        status = main.main([*words, "--data", str(data)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def _project(command: Any, name: str = "ours") -> str:
    status, out, err = command("projects", "create", name)
    assert (status, err) == (0, "")
    return out.strip()


def _key(command: Any, *words: str) -> dict[str, Any]:
    status, out, err = command("keys", "create", *words)
    assert (status, err) == (0, "")
    return tomllib.loads(out)


@pytest.mark.usefixtures("folder")
def test_a_project_is_made_and_listed(command: Any):
    project = _project(command)
    assert re.fullmatch(r"[0-9a-f]{32}", project)
    assert command("projects", "list") == (0, f"{project}  ours\n", "")


@pytest.mark.usefixtures("folder")
def test_a_project_name_is_used_once(command: Any):
    _project(command)
    status, out, err = command("projects", "create", "ours")
    assert (status, out) == (1, "")
    assert err == "landbridge: name: a project 'ours' exists (wanted: another name)\n"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("role", ["admin", "reader"])
def test_a_key_is_printed_once(command: Any, role: str):
    project = _project(command)
    made = _key(command, "--project", project, "--role", role)
    assert set(made) == {"endpoint", "project_id", "access_key", "secret_key", "token"}
    assert (made["endpoint"], made["project_id"]) == ("http://127.0.0.1:8700", project)
    _, listed, _ = command("keys", "list")
    (line,) = listed.splitlines()
    assert line.split()[:3] == [made["access_key"], role, project]
    assert line.endswith("valid")
    assert made["secret_key"] not in listed
    assert made["token"] not in listed


@pytest.mark.usefixtures("folder")
def test_an_operators_key_has_no_project(command: Any):
    made = _key(command, "--role", "operator")
    _, listed, _ = command("keys", "list")
    assert listed.split()[:3] == [made["access_key"], "operator", "-"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "ends", "said"),
    [
        pytest.param(
            ("keys", "create"), 1, "project: is missing (wanted: an id or a name of", id="admin-without-project"
        ),
        pytest.param(
            ("keys", "create", "--project", "x", "--role", "operator"),
            1,
            "does not go with the role operator",
            id="operator",
        ),
        pytest.param(("keys", "create", "--project", "x"), 3, "project x", id="unknown-project"),
        pytest.param(("keys", "revoke", "NOBODY"), 3, "not found: access key NOBODY", id="unknown-key"),
    ],
)
def test_a_wrong_command_says_why_in_one_line(command: Any, words: tuple[str, ...], ends: int, said: str):
    status, out, err = command(*words)
    assert (status, out) == (ends, "")
    assert err.startswith("landbridge: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.usefixtures("folder")
def test_a_project_may_be_named_by_its_name(command: Any):
    others = [_project(command, name) for name in ("default", "ours")]
    made = _key(command, "--project", "default")
    assert made["project_id"] == others[0]
    status, _, err = command("keys", "create", "--project", "typo")
    assert status == 3
    assert all(one in err for one in (*others, "an id or a name", "(default)", "(ours)"))


@pytest.mark.parametrize(
    "words", [("keys", "create", "--role", "operator"), ("projects", "create", "ours"), ("keys", "list"), ("pause",)]
)
def test_no_command_makes_a_data_folder_at_a_mistyped_path(command: Any, tmp_path: Path, words: tuple[str, ...]):
    status, out, err = command(*words, data=tmp_path / "typo")
    assert (status, out) == (1, "")
    assert err == f"landbridge: {tmp_path / 'typo'}: no such data folder (--data names it)\n"
    assert not (tmp_path / "typo").exists()


@pytest.mark.usefixtures("folder")
def test_a_key_is_revoked_once(command: Any):
    made = _key(command, "--project", _project(command))
    assert command("keys", "revoke", made["access_key"]) == (0, "", "")
    assert command("keys", "list")[1].strip().endswith("revoked")
    assert command("keys", "revoke", made["access_key"])[0] == 3


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["serve", "--engine", "ipsec"], id="engine"),
        pytest.param(["keys", "create", "--role", "king"], id="role"),
        pytest.param(["keys"], id="no-verb"),
        pytest.param([], id="nothing"),
        pytest.param(["fly"], id="unknown"),
    ],
)
def test_a_command_that_is_typed_wrongly_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert main.main(words) == 2
    assert "landbridge" in capsys.readouterr().err


def test_check_config_prints_every_setting_and_starts_nothing(command: Any, tmp_path: Path):
    status, out, err = command("check-config")
    assert (status, err) == (0, "")
    assert "[agent] tick_seconds = 30.0" in out
    assert f"[serve] data = {str(tmp_path / 'data')!r}" in out
    assert "site: 762 EIPs, 0 networks, zones zone-1, zone-2" in out
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("flag", "text"), [("--config", "[serve]\nx = 1"), ("--site", "[[eip]]\nx = 1")])
def test_check_config_tells_the_place_of_what_is_wrong(command: Any, tmp_path: Path, flag: str, text: str):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    status, out, err = command("check-config", flag, str(path))
    assert (status, out) == (1, "")
    assert err.startswith(f"landbridge: {path}")
    assert err.count("\n") == 1


LACKING = """\
[[network]]
id = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
cidr = "10.0.0.0/24"
bridge = "br-no-such"
address = "10.0.0.1/24"

[[network]]
id = "1cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
cidr = "127.0.0.0/8"
bridge = "lo"
address = "127.0.0.1/8"

[[eip]]
id = "7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f51"
address = "127.0.0.1"

[[eip]]
id = "7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f52"
address = "203.0.113.250"
attach = "nat"
"""


def test_check_config_says_what_the_machine_lacks_in_a_line_each(command: Any, tmp_path: Path):
    path = tmp_path / "site.toml"
    path.write_text(LACKING)
    status, out, err = command("check-config", "--site", str(path))
    assert status == 1
    assert "site: 2 EIPs, 2 networks" in out
    said = err.splitlines()
    assert len(said) == 5
    assert all(line.startswith("landbridge: [[") for line in said)
    for line, what in zip(
        said,
        (
            "bridge: there is no interface br-no-such",
            "bridge: lo is no bridge",
            "address: 127.0.0.1/8 is this machine's own",
            "address: 127.0.0.1 is this machine's own, which goes with attach = nat alone",
            "address: 203.0.113.250 is not this machine's own, as attach = nat needs it",
        ),
        strict=True,
    ):
        assert line.endswith(what) or what in line
    assert command("check-config", "--files-only", "--site", str(path))[::2] == (0, "")
    path.write_text(LACKING + '\n[[node]]\nid = "one"\nunderlay = "no-such-namespace"\n')
    _, _, err = command("check-config", "--site", str(path))
    assert err == "landbridge: [[node]] underlay: there is no network namespace no-such-namespace\n"


@pytest.mark.process
def test_the_doctor_names_what_the_site_file_has_and_the_machine_lacks(command: Any, tmp_path: Path):
    path = tmp_path / "site.toml"
    path.write_text(LACKING)
    status, out, err = command("doctor", "--site", str(path))
    lacks = [line.split("\t")[2] for line in out.splitlines() if line.startswith("missing\tsite file\t")]
    assert (status, len(lacks)) == (1, 5)
    assert err == "landbridge: this machine cannot carry tunnels: 5 things missing\n"
    assert command("doctor")[0] == 0
    (tmp_path / "wrong.toml").write_text("[")
    assert command("doctor", "--site", str(tmp_path / "wrong.toml"))[2].count("\n") == 1


@pytest.mark.usefixtures("folder")
def test_check_config_names_projects_that_the_data_folder_does_not_have(command: Any, tmp_path: Path):
    path, known, unknown = tmp_path / "site.toml", _project(command), "0123456789abcdef" * 2
    path.write_text(f'[[network]]\nid = "{VPC}"\ncidr = "10.0.0.0/24"\nproject = ["{known}", "{unknown}"]\n')
    said = f"landbridge: warning: the site file names project {unknown}, which does not exist\n"
    assert command("check-config", "--site", str(path))[::2] == (0, said)
    assert command("check-config", "--site", str(path), "--files-only")[::2] == (0, "")
    assert command("check-config", "--site", str(path), data=tmp_path / "none")[::2] == (0, "")


def test_check_config_counts_in_plain_words(command: Any, tmp_path: Path):
    path = tmp_path / "site.toml"
    path.write_text(
        LACKING.partition('[[network]]\nid = "1cf')[0]
        + '[[eip]]\nid = "7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f51"\naddress = "203.0.113.7"\n'
    )
    _, out, _ = command("check-config", "--files-only", "--site", str(path))
    assert "site: 1 EIP, 1 network, zones" in out


@pytest.mark.parametrize("words", [("keys", "list"), ("projects", "list")])
def test_a_data_folder_that_cannot_be_made_is_told_in_one_line(command: Any, tmp_path: Path, words: tuple[str, ...]):
    (tmp_path / "file").write_text("")
    status, _, err = command(*words, data=tmp_path / "file" / "data")
    assert status == 1
    assert err.count("\n") == 1


def test_a_database_that_is_none_is_told_in_one_line(command: Any, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "landbridge.db").write_bytes(b"this is no database" * 100)
    status, _, err = command("keys", "list")
    assert status == 1
    assert err.count("\n") == 1


# -- beside a server --------------------------------------------------------------------------------------------------


def test_keys_and_projects_work_while_a_server_runs(command: Any, server: Any, until: Any):
    endpoint = server.credentials["endpoint"]
    status, out, _ = command("projects", "create", "beside", data=server.folder)
    assert status == 0
    project = out.strip()
    _, out, _ = command("keys", "create", "--project", project, data=server.folder)
    key = tomllib.loads(out)

    def status_of() -> int:
        headers = {"X-Auth-Token": key["token"]}
        return httpx.get(f"{endpoint}/v5/{project}/vpn-connection", headers=headers).status_code

    assert status_of() == 200
    assert command("keys", "revoke", key["access_key"], data=server.folder)[0] == 0
    until(lambda: status_of() == 401, "the revoked key to be refused")
    _, listed, _ = command("keys", "list", data=server.folder)
    assert [line.split()[-1] for line in listed.splitlines() if key["access_key"] in line] == ["revoked"]
