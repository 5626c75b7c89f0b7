"""Every error is one line and an exit status: from wrong words to a service that is none."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from landbridge.cli import main
from landbridge.client import api
from tests.cli.conftest import Cli, add_context
from tests.conftest import VPC, Server, until

pytestmark = pytest.mark.process
PROJECT = ("--project", "0" * 32)


def _answer(status: str, content: str, *headers: str) -> bytes:
    head = (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(content)}", "Connection: close")
    return "\r\n".join([*head, "", content]).encode()


#: What a service that is none may do with a request -> the exit status, and what the line says.
ANSWERS = [
    (_answer("200 OK", "<html>"), 1, "did not answer in JSON: it is not the API of Landbridge"),
    (_answer("200 OK", "[1]"), 1, "did not answer in JSON"),
    (_answer("200 OK", "[" * 200_000), 1, "did not answer in JSON"),
    (_answer("200 OK", '{"status": "ok"}'), 1, "the answer has no field quotas: it is not the API of Landbridge"),
    (_answer("200 OK", '{"quotas": {"other": []}}'), 1, "the answer has no field resources"),
    (_answer("302 Found", "", "Location: http://127.0.0.1:1/"), 1, "HTTP status 302, and no reason"),
    (_answer("404 Not Found", "nginx"), 1, "HTTP status 404, and no reason"),
    (_answer("404 Not Found", '{"error_code": "APIGW.0101", "error_msg": "no\\nsuch API"}'), 1, "no such API"),
    (_answer("404 Not Found", '{"error_code": "VPN.0004", "error_msg": "resource not found: x"}'), 3, "not found: x"),
    (_answer("400 Bad Request", '{"error_msg": "a", "details": 5}'), 5, "a"),
    (_answer("401 Unauthorized", '{"error_msg": "Incorrect"}'), 4, "Incorrect (the key is that of the environment)"),
    (_answer("403 Forbidden", '{"error_msg": "the role"}'), 4, "the role"),
    (_answer("412 Precondition Failed", '{"error_msg": "changed"}'), 5, "changed"),
    (_answer("425 Too Early", '{"error_msg": "is being deleted"}'), 5, "is being deleted"),
    (_answer("500 Oh", '{"error_msg": "ours", "request_id": "r-1"}'), 1, "ours (request r-1)"),
    (_answer("503 Busy", '{"error_msg": "try later"}'), 1, "try later"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", 1, "its answer is not HTTP"),
    (b"", 1, "the connection was closed without an answer"),
    (None, 1, "no answer in time"),
]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes | None], list[int]]]:
    """A service that does one thing with each connection: it sends these bytes and closes, or (None) keeps silent."""
    listening = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def start(answer: bytes | None) -> list[int]:
        asked: list[int] = []

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                asked.append(1)
                held.append(client)
                if answer is not None:
                    client.recv(65536)
                    client.sendall(answer)
                    client.close()

        threading.Thread(target=serve, daemon=True).start()
        return asked

    port = listening.getsockname()[1]
    for name, value in (("ENDPOINT", f"http://127.0.0.1:{port}"), ("TOKEN", "t"), ("PROJECT_ID", "0" * 32)):
        monkeypatch.setenv(f"LANDBRIDGE_{name}", value)
    yield start
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for client in held:
        client.close()


@pytest.mark.parametrize(("answer", "ends", "said"), ANSWERS)
def test_an_answer_of_any_kind_is_one_line(
    cli: Cli, answering: Any, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, ends: int, said: str
):
    if answer is None:
        monkeypatch.setattr(api, "TIMEOUT", 0.5)
    answering(answer)
    err = cli("quota", ends=ends).err
    assert err.startswith("landbridge: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(("answer", "gets"), [(_answer("503 Busy", "{}"), 3), (b"", 3), (_answer("500 Oh", "{}"), 1)])
def test_a_get_is_sent_again_and_nothing_else_is(cli: Cli, answering: Any, answer: bytes, gets: int):
    asked = answering(answer)
    cli("quota", ends=1)
    assert len(asked) == gets
    cli("gateway", "create", "--vpc", VPC, ends=1)
    assert len(asked) == gets + 1


def test_a_request_that_may_have_been_carried_out_says_so(cli: Cli, answering: Any):
    answering(b"")
    assert "the service may have carried out the request" in cli("gateway", "create", "--vpc", VPC, ends=1).err


ENDPOINTS = [
    ("http://127.0.0.1:1", 1, "connection refused"),
    ("https://127.0.0.1:1", 1, "connection refused"),
    ("http://no-such-host.invalid", 1, "no such host"),
    ("127.0.0.1:8700", 4, "is not a URL (http://… or https://…)"),
    ("ftp://127.0.0.1", 4, "is not a URL"),
    ("http://", 4, "is not a URL"),
    ("http://[", 4, "is not a URL"),
    ("http://127.0.0.1:x", 4, "is not a URL"),
    ("http://127.0.0.1:99999", 4, "is not a URL"),
    ("http://a b", 4, "is not a URL"),
    ("http://a\u009b", 4, "is not a URL"),
    ("http://name:password@127.0.0.1", 4, "an endpoint has neither a user name nor an @"),
]


@pytest.mark.parametrize(("endpoint", "ends", "said"), ENDPOINTS)
def test_a_service_that_cannot_be_reached_is_one_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, endpoint: str, ends: int, said: str
):
    monkeypatch.setenv("LANDBRIDGE_TOKEN", "t")
    err = cli("status", "--endpoint", endpoint, *PROJECT, ends=4).err  # the environment has no endpoint of its own
    assert "the environment has no endpoint" in err
    monkeypatch.setenv("LANDBRIDGE_ENDPOINT", endpoint)
    err = cli("status", *PROJECT, ends=ends).err
    assert said in err
    assert "password" not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["TOKEN", "ACCESS_KEY"])
@pytest.mark.parametrize("damage", ["\n", "\r", "€", "\x7f", "\udc9b"])
def test_a_damaged_key_is_told_and_not_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str, damage: str):
    values = {
        "ENDPOINT": "http://127.0.0.1:1",
        "PROJECT_ID": "0" * 32,
        "SECRET_KEY": "s",
        name: f"Confidential{damage}X",
    }
    for each, value in values.items():
        monkeypatch.setenv(f"LANDBRIDGE_{each}", value)
    err = cli("quota", ends=4).err
    assert f"the environment: {name.lower()} has a character that is not allowed in a key" in err
    assert "Confidential" not in err


def test_a_service_without_tls_is_told(cli: Cli, server: Any):
    endpoint = server.endpoint.replace("http://", "https://")
    assert "TLS failed" in cli("status", "--data", str(server.folder), "--endpoint", endpoint, ends=1).err


def test_a_certificate_that_nobody_trusts_is_told_and_its_ca_may_be_named(cli: Cli, tmp_path: Path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    made = ("-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate))
    subprocess.run(["openssl", "req", "-x509", *made, *subject], check=True, capture_output=True)
    running = Server(tmp_path / "data", "--tls-certificate", str(certificate), "--tls-key", str(key))
    try:
        until(lambda: "listening on" in running.log, "the service to listen")
        _assert_trusted_by_its_ca_alone(cli, str(running.folder), str(certificate))
    finally:
        running.stop()


def _assert_trusted_by_its_ca_alone(cli: Cli, folder: str, certificate: str) -> None:
    data = ("--data", folder)
    assert "its certificate is not trusted: self-signed certificate (--ca-file" in cli("quota", *data, ends=1).err
    assert "vpn_gateway" in cli("quota", *data, "--ca-file", certificate).out
    assert "no-such: No such file" in cli("quota", *data, "--ca-file", "no-such", ends=4).err


def test_a_request_is_signed_and_a_wrong_key_says_whose_it_is(cli: Cli, server: Any, monkeypatch: pytest.MonkeyPatch):
    words = server.credentials
    for name in ("endpoint", "project_id", "access_key", "secret_key"):
        monkeypatch.setenv(f"LANDBRIDGE_{name.upper()}", words[name])
    assert "vpn_gateway" in cli("quota").out
    cli("customer-gateway", "create", "--address", "198.51.100.9", "--file", "-", stdin='{"name": "ä ö"}', ends=5)
    monkeypatch.setenv("LANDBRIDGE_SECRET_KEY", words["secret_key"][:-1])
    err = cli("quota", ends=4).err
    assert "the signature does not fit" in err
    assert "(the key is that of the environment)" in err
    assert words["secret_key"][:-1] not in err
    monkeypatch.setenv("LANDBRIDGE_TOKEN", words["token"])
    monkeypatch.delenv("LANDBRIDGE_SECRET_KEY")
    assert "vpn_gateway" in cli("quota").out


WORDS = [
    (("fly",), 2, "No such command 'fly' (landbridge --help)"),
    (("gatway", "list"), 2, "No such command 'gatway'. Did you mean 'gateway'? (landbridge --help)"),
    (("connection", "lst"), 2, "No such command 'lst'. Did you mean 'list'? (landbridge connection --help)"),
    (("api", "GET", "v5"), 2, "PATH: 'v5' does not begin with /"),
    (("connection", "wait", "x", "--for", "up"), 2, "'up' is not one of 'PENDING_CREATE', "),
    (("gateway", "list", "--fly"), 2, "No such option"),
    (("connection", "show"), 2, "Missing argument"),
    (("quota", "-o", "xml"), 2, "'xml' is not one of 'table', 'json', 'yaml'"),
    (("connection", "traffic", "x", "--last", "year"), 2, "'year' is not one of 'hour', 'day', 'month'"),
    (("connection", "timeline", "x", "--limit", "0"), 2, "0 is not in the range 1<=x<=200"),
    (("connection", "delete", "no-such", "--yes"), 3, "no connection has the name no-such"),
    (("gateway", "delete", "00000000-0000-4000-8000-000000000000", "--yes"), 3, "not found"),
    (("gateway", "create", "--file", "no-such.json"), 2, "no-such.json: No such file"),
    (("gateway", "create", "--file", "-"), 2, "-: the body of a request is an object of fields"),
    (("gateway", "create", "--tag", "berlin"), 2, "--tag: 'berlin' is not KEY=VALUE"),
    (("gateway", "create", "--ha-mode", "both", "--vpc", "x"), 5, "ha_mode (--ha-mode): "),
    (("connection", "create", "--policy-rule", "10.0.0.0/24", "--psk-file", "-"), 2, "--policy-rule: '10.0.0.0/24' is"),
    (("connection", "create", "--psk-file", "-", "--file", "-"), 2, "standard input can be read once only"),
    (("customer-gateway", "create", "--address", "198.51.100.2", "--fqdn", "x"), 2, "has one identity"),
    (("audit", "--from", "yesterday"), 5, "from: 'yesterday' is not allowed (wanted: a time as in"),
    (("status", "--context", "none-such"), 4, "no context none-such in "),
    (("context", "use", "none-such"), 3, "no context none-such in "),
    (("context", "add", "a b", "--endpoint", "http://x", "--access-key", "A"), 2, "'a b' is no name of a context"),
]


@pytest.mark.parametrize(("words", "ends", "said"), WORDS, ids=[" ".join(row[0]) for row in WORDS])
def test_a_wrong_command_is_one_line(ours: Cli, words: tuple[str, ...], ends: int, said: str):
    err = ours(*words, ends=ends).err
    assert said in err
    assert err.count("\n") == 1


def test_a_body_that_is_neither_json_nor_yaml_is_told_with_its_line(ours: Cli):
    err = ours("gateway", "create", "--file", "-", stdin="a: [1\nb: }", ends=2).err
    assert "neither JSON nor YAML" in err
    assert "line 2" in err


def test_a_question_that_nobody_answers_needs_a_flag(ours: Cli):
    ours.pair()
    for command in ("connection", "customer-gateway", "gateway"):
        name = {"connection": "hq-branch", "customer-gateway": "branch", "gateway": "hq"}[command]
        assert "--yes is needed without a terminal" in ours(command, "delete", name, ends=2).err
    assert "has connection" in ours("gateway", "delete", "hq", "--yes", ends=5).err


def test_without_an_account_the_ways_to_one_are_told(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("LANDBRIDGE_DATA", str(tmp_path / "none"))
    err = cli("status", ends=4).err
    for told in ("none/credentials.toml: No such file", "--data DIR", "landbridge context add", "LANDBRIDGE_ENDPOINT"):
        assert told in err
    assert err.count("\n") == 1


def test_an_operators_key_needs_a_project(cli: Cli, server: Any):
    made = cli("keys", "create", "--role", "operator", "--data", str(server.folder))
    cli("context", "add", "all", "--file", "-", stdin=made.out)
    assert "has no project_id: --project ID" in cli("quota", ends=4).err
    assert "vpn_gateway" in cli("quota", "--project", server.credentials["project_id"]).out


# -- which service ----------------------------------------------------------------------------------------------------


def _asked(cli: Cli) -> str:
    """Where a command without flags would go."""
    return cli("context", "list").err.rpartition(": ")[2].strip()


def test_the_first_place_that_names_a_service_decides(
    cli: Cli, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("landbridge.paths.default_data", lambda: str(tmp_path / "data"))
    (tmp_path / "data").symlink_to(server.folder)
    assert _asked(cli).endswith("/data/credentials.toml")
    configuration = tmp_path / "landbridge.toml"
    configuration.write_text(f'[serve]\ndata = "{server.folder}"\n')
    monkeypatch.setenv("LANDBRIDGE_CONFIG", str(configuration))
    assert _asked(cli) == str(server.folder / "credentials.toml")
    add_context(cli, server, tmp_path.name)
    cli("context", "add", "second", "--endpoint", "http://b", "--access-key", "A", stdin="S")
    assert _asked(cli) == "context ours"
    cli("context", "use", "second")
    assert _asked(cli) == "context second"
    monkeypatch.setenv("LANDBRIDGE_DATA", str(tmp_path / "data"))
    assert _asked(cli).endswith("/data/credentials.toml")
    monkeypatch.setenv("LANDBRIDGE_CONTEXT", "ours")
    assert _asked(cli) == "context ours"
    assert "the environment wins over contexts" in cli("context", "use", "second").err
    monkeypatch.setenv("LANDBRIDGE_ENDPOINT", "http://c")
    assert _asked(cli) == "the environment has no key: access_key and secret_key, or token".rpartition(": ")[2]
    assert cli("quota", "--data", str(server.folder)).out
    assert cli("quota", "--context", "ours").out
    cli("context", "delete", "second")
    assert [row.split("\t")[1] for row in cli("context", "list").out.splitlines()] == ["ours"]


def test_the_file_of_contexts_is_its_owners_and_keeps_every_value(cli: Cli, tmp_path: Path):
    secret = 'a"b\\c\x7fä\t'
    cli("context", "add", "odd", "--endpoint", "http://x", "--access-key", "A", stdin=f"{secret}\n")
    path = tmp_path / "config/landbridge/contexts.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    from landbridge.client import contexts  # noqa: PLC0415

    assert contexts.read().accounts["odd"]["secret_key"] == secret
    path.write_text("current = 1\n[contexts]\nx = 1\n")
    assert "each context is a table [contexts.NAME]" in cli("context", "list", ends=4).err
    path.write_text("[")
    assert cli("status", ends=4).err.count("\n") == 1


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("landbridge.client.accounts.find", interrupted)
    assert main.main(["status"]) == 130
