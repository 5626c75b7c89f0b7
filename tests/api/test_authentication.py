"""Who may do what: tokens, signatures as different clients make them, roles and projects."""

import asyncio
import dataclasses
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from landbridge import errors, model, signatures
from landbridge.api import authentication
from landbridge.operations import access, call, clock

PYTHON_HEADERS = ("content-type", "host", "user-agent", "x-project-id", "x-sdk-date")
GO_HEADERS = ("accept", "content-type", "user-agent", "x-sdk-date")


@pytest.fixture(scope="module")
def ours(shared_service: Any) -> Any:
    return shared_service.api()


def _url(api: Any, rest: str = "vpn-connection") -> str:
    return f"/v5/{api.project_id}/{rest}"


def _refused(answer: Any, word: str) -> None:
    error = answer.json()
    assert (answer.status_code, error["error_code"]) == (401, "APIGW.0301")
    assert error["error_msg"].startswith("Incorrect IAM authentication information: ")
    assert word in error["error_msg"]
    assert error["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        pytest.param({}, "X-Auth-Token", id="nothing"),
        pytest.param({"X-Auth-Token": "wrong"}, "not known", id="wrong-token"),
        pytest.param({"X-Auth-Token": ""}, "send X-Auth-Token", id="empty-token"),
        pytest.param({"X-Auth-Token": "\u00e9"}, "not known", id="token-not-ascii"),
        pytest.param({"Authorization": "Bearer abc"}, "must read", id="bearer"),
        pytest.param({"Authorization": "Basic YTpi"}, "must read", id="basic"),
        pytest.param({"Authorization": "SDK-HMAC-SHA256"}, "must read", id="only-the-algorithm"),
        pytest.param(
            {"Authorization": "SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature=00"}, "must read", id="short"
        ),
        pytest.param(
            {
                "Authorization": f"SDK-HMAC-SHA256 Access=NOBODY, SignedHeaders=host, Signature={'0' * 64}",
                "X-Sdk-Date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
            },
            "not known",
            id="unknown-key",
        ),
    ],
)
def test_without_credentials_of_ours_it_is_401(ours: Any, headers: dict[str, str], word: str):
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    _refused(ours.http.request("GET", _url(ours), headers=encoded), word)


@pytest.mark.parametrize(
    ("names", "headers"),
    [
        pytest.param(("host", "x-sdk-date"), {}, id="least"),
        pytest.param(
            PYTHON_HEADERS,
            {"content_type": "application/json", "user_agent": "sdk-python", "x_project_id": "p"},
            id="python",
        ),
        pytest.param(
            GO_HEADERS,
            {"accept": "application/json", "content_type": "application/json", "user_agent": "tf golangsdk/2.0.0"},
            id="go-without-host",
        ),
        pytest.param(("x-sdk-date",), {"x_project_id": "added-after-signing"}, id="unsigned-headers-beside"),
        pytest.param(("x-note", "x-sdk-date"), {"x_note": "  padded   value  "}, id="value-with-spaces"),
    ],
)
def test_a_signature_is_rebuilt_from_the_headers_that_the_client_names(
    ours: Any, signed: Any, names: tuple[str, ...], headers: dict[str, str]
):
    url = _url(ours)
    answer = ours.http.request("GET", url, headers=signed(ours.key, "GET", url, names=names, **headers))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param("vpn-connection?limit=1&marker=", id="empty-value"),
        pytest.param("vpn-connection?other=0&limit=5", id="unsorted"),
        pytest.param("vpn-connection?other=%E2%82%AC%20%2B%26%3D%7E&limit=1", id="percent-encoded"),
        pytest.param("vpn-connection?other=b&other=a&limit=1", id="name-twice"),
        pytest.param("vpn-connection?a-b=1&a%5Fb=2&aB=3&limit=1", id="names-sorted-by-bytes"),
    ],
)
def test_a_signature_covers_the_query(ours: Any, signed: Any, rest: str):
    url = _url(ours, rest)
    answer = ours.http.request("GET", url, headers=signed(ours.key, "GET", url))
    assert answer.status_code == 200, answer.text
    _refused(ours.http.request("GET", url + "1", headers=signed(ours.key, "GET", url)), "signature")


@pytest.mark.parametrize("name", ["a%20b", "%E2%82%AC", "a~b-c_d.e", "a%2Bb"])
def test_a_signature_fits_an_encoded_path(ours: Any, signed: Any, name: str):
    url = _url(ours, f"vpn-connection/{name}")
    answer = ours.http.request("GET", url, headers=signed(ours.key, "GET", url))
    assert answer.status_code == 404, answer.text


def test_a_signature_is_the_same_with_and_without_a_trailing_slash(ours: Any, signed: Any):
    url = _url(ours)
    headers = signed(ours.key, "GET", url + "/")
    assert ours.http.request("GET", url, headers=headers).status_code == 200


def test_a_signed_body_creates(ours: Any, signed: Any):
    content = json.dumps({"customer_gateway": {"id_value": "198.51.100.77", "name": "signed"}}).encode()
    url = _url(ours, "customer-gateways")
    answer = ours.http.request("POST", url, content=content, headers=signed(ours.key, "POST", url, content))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"method": "POST"}, id="method"),
        pytest.param({"rest": "vpn-gateways"}, id="path"),
        pytest.param({"content": b" "}, id="body"),
        pytest.param({"headers": {"host": "elsewhere.test"}}, id="signed-host"),
        pytest.param({"headers": {"x-sdk-date": f"{datetime.now(UTC):%Y%m%d}T000000Z"}}, id="date"),
    ],
)
def test_a_changed_request_does_not_fit_its_signature(ours: Any, signed: Any, change: dict[str, Any]):
    headers = signed(ours.key, "GET", _url(ours)) | change.get("headers", {})
    url = _url(ours, change.get("rest", "vpn-connection"))
    answer = ours.http.request(change.get("method", "GET"), url, content=change.get("content"), headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")


def test_a_signature_with_another_secret_does_not_fit(ours: Any, signed: Any):
    thief = SimpleNamespace(access_key=ours.key.access_key, secret_key=model.Secret("guessed"))
    _refused(ours.http.request("GET", _url(ours), headers=signed(thief, "GET", _url(ours))), "signature")


def test_a_header_that_was_signed_but_not_sent_is_named(ours: Any, signed: Any):
    headers = signed(ours.key, "GET", _url(ours), names=("x-lost", "x-sdk-date"), x_lost="1")
    del headers["x-lost"]
    _refused(ours.http.request("GET", _url(ours), headers=headers), "x-lost")


@pytest.mark.parametrize(
    ("minutes", "accepted"), [(-16, False), (-14, True), (0, True), (14, True), (16, False)], ids=str
)
def test_the_date_must_be_within_15_minutes(ours: Any, signed: Any, minutes: int, accepted: bool):
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    answer = ours.http.request("GET", _url(ours), headers=signed(ours.key, "GET", _url(ours), at=at))
    if accepted:
        assert answer.status_code == 200
    else:
        _refused(answer, "15 minutes")


@pytest.mark.parametrize("date", ["", "yesterday", "2026-01-01T00:00:00Z", "20261301T000000Z", "20260101T0000Z"])
def test_a_date_that_cannot_be_read_is_refused(ours: Any, signed: Any, date: str):
    headers = signed(ours.key, "GET", _url(ours)) | {"x-sdk-date": date}
    _refused(ours.http.request("GET", _url(ours), headers=headers), "X-Sdk-Date")


def test_a_revoked_key_is_useless_within_a_second(shared_service: Any, signed: Any, monkeypatch: pytest.MonkeyPatch):
    api = shared_service.api()
    url = _url(api)

    def statuses() -> list[int]:
        token = {"X-Auth-Token": api.key.token.reveal()}
        return [api.http.request("GET", url, headers=h).status_code for h in (token, signed(api.key, "GET", url))]

    assert statuses() == [200, 200]
    shared_service.data.database.write(lambda tx: access.revoke_key(tx, api.key.access_key, clock.now()))
    later = time.monotonic() + 1.0
    monkeypatch.setattr(access, "time", SimpleNamespace(monotonic=lambda: later))
    assert statuses() == [401, 401]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({}, id="signature"),
        pytest.param({"x-sdk-date": "yesterday"}, id="date"),
        pytest.param({"x-sdk-date": "20200101T000000Z"}, id="old-date"),
        pytest.param({"x-sdk-date": None}, id="no-date"),
        pytest.param({"x-signed": None}, id="signed-header"),
    ],
)
def test_a_known_key_is_told_the_same_as_an_unknown_one(ours: Any, signed: Any, wrong: dict[str, str | None]):
    names = ("x-sdk-date", "x-signed")
    said = []
    for access_key in (ours.key.access_key, "NOBODY"):
        stranger = SimpleNamespace(access_key=access_key, secret_key=model.Secret("guessed"))
        headers = signed(stranger, "GET", _url(ours), names=names, x_signed="1") | wrong
        sent = {name: value for name, value in headers.items() if value is not None}
        answer = ours.http.request("GET", _url(ours), headers=sent)
        said.append((answer.status_code, answer.json()["error_code"], answer.json()["error_msg"]))
    assert said[0] == said[1]
    assert said[0][0] == 401


class _Slow:
    """A body that is sent when `go` is set."""

    def __init__(self, content: bytes) -> None:
        self.content, self.go = content, threading.Event()

    async def __aiter__(self) -> Any:
        await asyncio.to_thread(self.go.wait, 15)
        yield self.content


@pytest.mark.parametrize("method", ["token", "signature"])
def test_a_key_that_is_revoked_while_its_body_comes_writes_nothing(
    shared_service: Any, signed: Any, until: Any, monkeypatch: pytest.MonkeyPatch, method: str
):
    api = shared_service.api()
    other = shared_service.api(api.project_id)
    begun = threading.Event()
    begin = authentication.begin

    def begin_and_tell(credentials: access.Credentials, head: signatures.RequestHead) -> Any:
        finish = begin(credentials, head)
        begun.set()
        return finish

    monkeypatch.setattr(authentication, "begin", begin_and_tell)
    url = _url(api, "customer-gateways")
    body = _Slow(json.dumps({"customer_gateway": {"id_value": "198.51.100.7"}}).encode())
    token = {"X-Auth-Token": api.key.token.reveal()}
    headers = token if method == "token" else signed(api.key, "POST", url, body.content)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(api.http.request, "POST", url, content=body, headers=headers)
        until(begun.is_set, "the request to be believed")
        shared_service.data.database.write(lambda tx: access.revoke_key(tx, api.key.access_key, clock.now()))
        body.go.set()
        _refused(answer.result(), "revoked")
    assert other.get("customer-gateways")["customer_gateways"] == []


@pytest.mark.parametrize("change", [{"role": "reader"}, {"project_id": None}], ids=str)
def test_a_key_of_another_role_or_project_by_now_is_refused(shared_service: Any, change: dict[str, Any]):
    key = shared_service.api().key
    caller = call.Caller(access_key=key.access_key, project_id=key.project_id, role=key.role)
    shared_service.data.database.read(lambda tx: access.check_key(tx, caller))
    with pytest.raises(errors.Unauthenticated):
        shared_service.data.database.read(lambda tx: access.check_key(tx, dataclasses.replace(caller, **change)))


WRITES = (
    ("POST", "vpn-connection"),
    ("POST", "vpn-gateways"),
    ("POST", "customer-gateways"),
    ("DELETE", "vpn-connection/x"),
    ("DELETE", "vpn-gateways/x"),
    ("DELETE", "customer-gateways/x"),
)


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_reader_may_not_write(shared_service: Any, ours: Any, method: str, path: str):
    reader = shared_service.api(ours.project_id, "reader")
    answer = reader.send(method, path, {"customer_gateway": {"id_value": "198.51.100.3"}})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "VPN.0003")
    assert "reader" in answer.json()["error_msg"]


@pytest.mark.parametrize("path", ["vpn-connection", "vpn-gateways", "customer-gateways"])
def test_a_reader_may_read(shared_service: Any, ours: Any, path: str):
    assert shared_service.api(ours.project_id, "reader").send("GET", path).status_code == 200


@pytest.mark.parametrize("role", ["reader", "admin"])
@pytest.mark.parametrize("path", ["vpn-connection", "vpn-gateways", "customer-gateways", "vpn-connection/x"])
def test_a_key_is_forbidden_in_another_project(shared_service: Any, ours: Any, role: str, path: str):
    stranger = shared_service.api(role=role)
    answer = stranger.send("GET", f"/v5/{ours.project_id}/{path}")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "VPN.0003")


def test_a_project_that_does_not_exist_looks_like_one_of_somebody_else(shared_service: Any, ours: Any):
    unknown, foreign = (ours.send("GET", f"/v5/{p}/vpn-connection") for p in ("0" * 32, shared_service.new_project()))
    assert (unknown.status_code, foreign.status_code) == (403, 403)


def test_an_operator_may_act_in_any_project(shared_service: Any, ours: Any):
    operator = shared_service.api(ours.project_id, "operator")
    made = operator.customer_gateway()
    assert ours.get(f"customer-gateways/{made['id']}")["customer_gateway"] == made


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_operator_is_told_of_an_unknown_project(shared_service: Any, ours: Any, method: str):
    operator = shared_service.api(ours.project_id, "operator")
    body = {"customer_gateway": {"id_value": "198.51.100.3"}}
    answer = operator.send(method, f"/v5/{'0' * 32}/customer-gateways", body)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "VPN.0004")
