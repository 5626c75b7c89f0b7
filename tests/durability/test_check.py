"""`landbridge db check`: silent on a sound folder, and each thing that is broken is named."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from landbridge.cli import main
from tests.durability.conftest import findings, peer, tunnel


@pytest.fixture(scope="module")
def filled(
    prepared: Any, tmp_path_factory: pytest.TempPathFactory, start: Any, until: Any
) -> tuple[Path, dict[str, str]]:
    """A folder with two customer gateways, two connections (one of them deleting), and tokens; and the ids."""
    folder, gateway = Path(shutil.copytree(prepared[0], tmp_path_factory.mktemp("filled") / "data")), prepared[1]
    server = start(folder).ready(until)
    caller = server.caller()
    ids = {"g": gateway["id"]}
    for n, name in enumerate("ab"):
        _, made = caller.ask("POST", "customer-gateways", peer(n), f"peer {name}")
        ids[f"cgw_{name}"] = made["customer_gateway"]["id"]
        _, made = caller.ask("POST", "vpn-connection", tunnel(gateway, ids[f"cgw_{name}"], n), f"tunnel {name}")
        ids[name] = made["vpn_connection"]["id"]
    assert caller.ask("DELETE", f"vpn-connection/{ids['b']}")[0] == 204
    caller.close()
    server.end(until)
    return folder, ids


@pytest.fixture
def folder(filled: Any, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(filled[0], tmp_path / "data"))


@pytest.fixture
def broken(filled: Any, folder: Path) -> Callable[[str], list[str]]:
    """What is found after these statements. `{a}` and so on are ids."""

    def broken(statements: str) -> list[str]:
        text = statements.format(**filled[1])
        with contextlib.closing(sqlite3.connect(folder / "landbridge.db", isolation_level=None)) as connection:
            connection.executescript(text)
        return [_plain(finding, filled[1]) for finding in findings(folder)]

    return broken


def _plain(finding: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        finding = finding.replace(value, f"<{name}>")
    return finding


def test_a_sound_folder_is_ok_also_while_a_service_runs(
    folder: Path, start: Any, until: Any, capsys: pytest.CaptureFixture[str]
):
    said = "ok, 1 gateway, 2 connections, 2 customer gateways, 1 project, 1 access key, 8 audit events\n"
    assert main.main(["db", "check", "--data", str(folder)]) == 0
    assert capsys.readouterr().out == said
    start(folder).ready(until)
    assert main.main(["db", "check", "--data", str(folder)]) == 0
    assert capsys.readouterr().out == said


def test_findings_are_lines_and_the_status_is_1(broken: Any, folder: Path, capsys: pytest.CaptureFixture[str]):
    broken("UPDATE counter SET value = 7")
    assert main.main(["db", "check", "--data", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert err == f"landbridge: {folder}: 2 findings\n"


def test_a_check_changes_nothing(folder: Path):
    before = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    assert findings(folder) == []
    after = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    assert {name: content for name, content in after.items() if content} == {n: c for n, c in before.items() if c}


SPEC = "UPDATE {table} SET spec = json_set(spec, '$.{at}', {value}) WHERE id = '{row}'"


@pytest.mark.parametrize(
    ("statements", "finding"),
    [
        pytest.param(
            "UPDATE counter SET value = 9 WHERE kind = 'customer_gateway'",
            "customer_gateway is counted as 9, there are 2",
            id="counter",
        ),
        pytest.param(
            "DELETE FROM counter WHERE kind = 'vpn_gateway'", "is counted as None, there are 1", id="no-counter"
        ),
        pytest.param(
            "UPDATE gateway_count SET connections = 1",
            "<g>: its connections are counted as 1, there are 2",
            id="gateway-count",
        ),
        pytest.param(
            "UPDATE gateway_count SET next_if_id = 2", "the next if_id is 2, and 2 is in use", id="next-if-id"
        ),
        pytest.param("UPDATE connection SET if_id = 1", "<g>: several connections have the if_id 1", id="if-id-twice"),
        pytest.param(
            "DELETE FROM endpoint_use WHERE rowid IN (SELECT rowid FROM endpoint_use LIMIT 1)",
            "is taken for it",
            id="endpoint",
        ),
        pytest.param("DELETE FROM tag", "connection <a>: its tags are not those of its spec", id="tags"),
        pytest.param(
            "INSERT INTO connection_monitor (id, project_id, connection_id) SELECT 'm', project_id, id FROM connection WHERE id = '{a}'",
            "connection <a>: its monitor is None, and there are ['m'] of its project",
            id="monitor-not-in-the-spec",
        ),
        pytest.param(
            SPEC.format(table="connection", at="monitor_id", value="'m'", row="{a}"),
            "connection <a>: its monitor is m, and there are [] of its project",
            id="no-monitor",
        ),
        pytest.param(
            "INSERT INTO tag SELECT 'nobody', key, value, resource_type, project_id FROM tag LIMIT 1",
            "tag: nobody is not there",
            id="stray-tag",
        ),
        pytest.param(
            "INSERT INTO connection_observation (connection_seq, applied_generation) VALUES (99, 1)",
            "connection_observation row 99: its connection is not there",
            id="stray-observation",
        ),
        pytest.param("UPDATE connection SET spec = '[]'", "connection <a>: its spec does not read", id="spec"),
        pytest.param(
            "UPDATE vpn_gateway SET spec = json_remove(spec, '$.flavor')",
            "vpn_gateway <g>: its spec does not read: flavor",
            id="gap",
        ),
        pytest.param(
            "UPDATE customer_gateway SET spec_version = 2", "the version of its spec is 2, not 1", id="version"
        ),
        pytest.param(
            "UPDATE connection SET endpoint = 2 WHERE id = '{a}'",
            "<a>: its endpoint is 2, in its spec 1",
            id="endpoint-no",
        ),
        pytest.param(
            "UPDATE connection SET tunnel_block = 1 WHERE id = '{a}'",
            "<a>: its tunnel_block is 1, in its spec",
            id="block",
        ),
        pytest.param(
            "UPDATE connection SET identity = 'x' WHERE id = '{a}'",
            "connection <a>: its identity is 'x', by its spec",
            id="identity",
        ),
        pytest.param(
            "UPDATE connection SET customer_gateway_seq = 2, endpoint = 2 WHERE id = '{a}'",
            "<a>: its customer_gateway_id is '<cgw_b>', in its spec '<cgw_a>'",
            id="other-peer",
        ),
        pytest.param(
            "UPDATE connection SET psk = NULL WHERE id = '{a}'",
            "<a>: it authenticates by pre-share, without a PSK",
            id="psk",
        ),
        pytest.param(
            "UPDATE connection SET psk = (SELECT psk FROM connection WHERE id = '{b}') WHERE id = '{a}'",
            "connection <a>: its PSK does not open under the master key",
            id="moved-psk",
        ),
        pytest.param(
            "UPDATE access_key SET secret = x'00'", "its secret does not open under the master key", id="secret"
        ),
        pytest.param(
            "UPDATE sealed_key SET value = x'00'",
            "sealed_key fingerprint-key: the master key does not fit this database",
            id="sealed-key",
        ),
        pytest.param(
            "DELETE FROM customer_gateway WHERE id = '{cgw_a}'", "its customer_gateway is not there", id="no-peer"
        ),
        pytest.param("DELETE FROM vpn_gateway", "its vpn_gateway is not there", id="no-gateway"),
        pytest.param(
            "INSERT INTO project VALUES ('p', 'other', 1); UPDATE customer_gateway SET project_id = 'p' WHERE id = '{cgw_a}'",
            "connection <a>: its ends belong to another project",
            id="other-project",
        ),
        pytest.param(
            "UPDATE audit SET resource_id = 'x' WHERE resource_id = '{a}'",
            "connection <a>: the audit trail has no create_vpn_connection of it",
            id="untold",
        ),
        pytest.param(
            "UPDATE audit SET action = 'x' WHERE action = 'delete_vpn_connection'",
            "<b>: is being deleted, and the audit trail has no delete_vpn_connection of it",
            id="untold-delete",
        ),
        pytest.param(
            "UPDATE audit SET action = 'x' WHERE action = 'create_key'", "has no create_key of it", id="untold-key"
        ),
        pytest.param(
            "DELETE FROM audit WHERE seq = 4", "audit: the events between 3 and 5 are missing", id="audit-gap"
        ),
        pytest.param("DELETE FROM audit WHERE seq = 8", "audit: the last event is 7, 8 were written", id="audit-end"),
        pytest.param(
            "UPDATE token SET spec = 'x' WHERE token = 'peer a'", "token 'peer a': its answer does not read", id="token"
        ),
        pytest.param(
            SPEC.format(table="token", at="id", value="'nobody'", row="").replace("id = ''", "token = 'peer a'"),
            "token 'peer a': what it made never existed",
            id="token-of-nothing",
        ),
        pytest.param(
            "UPDATE token SET operation = 'x'", "token 'peer a': there is no operation 'x'", id="token-operation"
        ),
        pytest.param(
            "UPDATE alembic_version SET version_num = '9'", "the schema is 9, this program's is", id="newer-schema"
        ),
        pytest.param("DROP TABLE alembic_version", "the schema is none of ours", id="no-schema"),
        pytest.param(
            "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 3 WHERE name = 'uq_x' OR name = 'ix_token_created_at'",
            "the file is damaged: ",
            id="damage",
        ),
    ],
)
def test_what_is_broken_is_named(broken: Any, statements: str, finding: str):
    found = broken(statements)
    assert [line for line in found if finding in line], found


def test_what_is_older_than_the_oldest_audit_event_needs_none(broken: Any):
    assert broken("DELETE FROM audit WHERE seq < 8; UPDATE audit SET at = at + 1000") == []
    assert broken("DELETE FROM audit") == []


def test_a_wrong_master_key_is_one_finding(folder: Path):
    (folder / "master.key").write_bytes(b"x" * 32)
    assert findings(folder) == ["sealed_key fingerprint-key: the master key does not fit this database"]


@pytest.mark.process
@pytest.mark.parametrize("words", [("db", "check"), ("keys", "list"), ("serve",)])
def test_a_missing_master_key_is_told_and_none_is_made(
    words: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "master.key").unlink()
    assert main.main([*words, "--data", str(folder)]) == 1
    said = f"{folder}/master.key: is missing, and secrets in {folder}/landbridge.db are encrypted under it"
    assert capsys.readouterr().err == f"landbridge: {said}\n"
    assert not (folder / "master.key").exists()


@pytest.mark.process
def test_a_lost_database_is_not_replaced_by_an_empty_one(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "landbridge.db").unlink()
    assert main.main(["serve", "--data", str(folder), "--listen", "127.0.0.1:0", "--engine", "none"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"landbridge: {folder}/landbridge.db: is missing, and an earlier start left credentials.toml"
    )
    assert said.count("\n") == 1
    assert not (folder / "landbridge.db").exists()


@pytest.mark.parametrize("content", [b"this is no database" * 300, b""])
def test_a_file_that_is_no_database_of_ours_is_told(folder: Path, capsys: pytest.CaptureFixture[str], content: bytes):
    for path in folder.glob("landbridge.db*"):
        path.unlink()
    (folder / "landbridge.db").write_bytes(content)
    assert main.main(["db", "check", "--data", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "file is not a database" in err or "the schema is none of ours" in out
