"""Certificates of GM gateways over HTTP: bound at once, shown without keys, and what they open the way for."""

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lab import gm_certificates
from landbridge import config, data_folder
from landbridge.operations import clock
from tests.conftest import service_in

pytestmark = pytest.mark.process

CA = (Path(__file__).parents[1] / "rules/certificates/sm2-ca.pem").read_text()


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return gm_certificates.gateway(tmp_path_factory.mktemp("gm"))


def _path(gateway: Any) -> str:
    return f"vpn-gateways/{gateway['id']}/certificate"


def test_it_is_bound_at_once_and_no_answer_has_a_key(api: Any, body: dict[str, str]):
    gateway = api.gateway(flavor="GM")
    answer = api.send("POST", _path(gateway), {"certificate": body | {"name": "gm"}})
    assert answer.status_code == 201, answer.text
    made = answer.json()["certificate"]
    shown = api.send("GET", _path(gateway))
    assert shown.json()["certificate"] == made
    assert (made["name"], made["status"], made["vgw_id"]) == ("gm", "BOUND", gateway["id"])
    assert made["certificate_chain_subject"] == made["issuer"] == "CN=ca,O=Lab,C=DE"
    assert api.get(f"vpn-gateways/{gateway['id']}")["vpn_gateway"]["certificate_id"] == made["id"]
    lines = {line for field in ("private_key", "enc_private_key") for line in body[field].splitlines()[1:-1]}
    assert not any(line in text for line in lines for text in (answer.text, shown.text))


def test_keys_are_sealed_in_the_database(service: Any, body: dict[str, str]):
    api = service.api()
    api.create(_path(api.gateway(flavor="GM")), "certificate", body)
    stored = b"".join(path.read_bytes() for path in service.data.path.glob("landbridge.db*"))
    assert body["certificate"].splitlines()[2].encode() in stored
    assert body["private_key"].splitlines()[1].encode() not in stored
    assert body["enc_private_key"].splitlines()[1].encode() not in stored


def test_all_that_is_wrong_comes_at_once_by_its_field(api: Any, body: dict[str, str]):
    gateway = api.gateway()
    wrong = {"name": "a b", "certificate": "x", "private_key": body["private_key"], "enc_certificate": 5}
    said = api.refused(_path(gateway), "certificate", wrong)
    assert set(said) == {"vgw_id", "name", "certificate", "certificate_chain", "enc_certificate", "enc_private_key"}
    assert "GM" in said["vgw_id"]


@pytest.mark.parametrize("field", ["certificate", "enc_certificate", "certificate_chain"])
def test_a_certificate_with_a_broken_name_is_refused_by_its_field(api: Any, body: dict[str, str], field: str):
    der = base64.b64decode("".join(body[field].splitlines()[1:-1]))
    for at in (der.find(b"Lab"), der.rfind(b"Lab")):  # in the issuer, in the subject
        text = base64.encodebytes(der[:at] + b"\xff" + der[at + 1 :]).decode()
        broken = body | {field: f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"}
        answer = api.send("POST", _path(api.gateway(flavor="GM")), {"certificate": broken})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0075")
        assert [each["field"] for each in answer.json()["details"]] == [field]


def test_a_token_belongs_to_one_gateway(api: Any, body: dict[str, str]):
    one, other = api.gateway(flavor="GM"), api.gateway(flavor="GM")
    made = api.send("POST", _path(one), {"certificate": body}, x_client_token="cert-1")
    again = api.send("POST", _path({"id": one["id"].upper()}), {"certificate": body}, x_client_token="cert-1")
    assert (again.status_code, again.json()["certificate"]) == (201, made.json()["certificate"])
    refused = api.send("POST", _path(other), {"certificate": body}, x_client_token="cert-1")
    assert (refused.status_code, refused.json()["error_code"]) == (400, "VPN.0031")
    assert api.send("GET", _path(other)).status_code == 404


def test_a_gateway_has_one_certificate(api: Any, body: dict[str, str]):
    gateway = api.gateway(flavor="GM")
    made = api.create(_path(gateway), "certificate", body)
    assert made["id"] in api.refused(_path(gateway), "certificate", body)["vgw_id"]


def test_an_update_keeps_what_it_does_not_name(api: Any, body: dict[str, str], tmp_path: Path):
    gateway = api.gateway(flavor="GM")
    made = api.create(_path(gateway), "certificate", body)
    path = f"{_path(gateway)}/{made['id']}"
    answer = api.send("PUT", path, {"certificate": {"name": "other"}})
    assert answer.status_code == 200, answer.text
    changed = {"name": "other", "updated_at": answer.json()["certificate"]["updated_at"]}
    assert answer.json()["certificate"] == made | changed
    assert api.send("PUT", path, {"certificate": answer.json()["certificate"]}).json()["certificate"] == made | changed
    again = gm_certificates.gateway(tmp_path)
    half = api.send("PUT", path, {"certificate": {"certificate": again["certificate"]}})
    assert [each["field"] for each in half.json()["details"]] == ["private_key", "certificate"]
    renewed = api.send("PUT", path, {"certificate": again}).json()["certificate"]
    assert renewed["certificate_serial_number"] != made["certificate_serial_number"]
    assert renewed["id"] == made["id"]


@pytest.mark.parametrize(
    "field", ["name", "certificate", "private_key", "certificate_chain", "enc_certificate", "enc_private_key"]
)
def test_an_update_to_nothing_is_refused(api: Any, body: dict[str, str], field: str):
    gateway = api.gateway(flavor="GM")
    made = api.create(_path(gateway), "certificate", body)
    answer = api.send("PUT", f"{_path(gateway)}/{made['id']}", {"certificate": {field: ""}})
    assert (answer.status_code, [each["field"] for each in answer.json()["details"]]) == (400, [field])


def test_a_certificate_that_has_expired_can_be_renamed(
    api: Any, body: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    gateway = api.gateway(flavor="GM")
    path = f"{_path(gateway)}/{api.create(_path(gateway), 'certificate', body)['id']}"
    other = gm_certificates.gateway(tmp_path)
    expired = clock.now() + timedelta(days=25)
    monkeypatch.setattr(clock, "now", lambda: expired)
    for change in ({"name": "alone"}, body | {"name": "with-all-of-it"}):
        answer = api.send("PUT", path, {"certificate": change})
        assert (answer.status_code, answer.json()["certificate"]["name"]) == (200, change["name"])
    answer = api.send("PUT", path, {"certificate": other})
    assert {each["field"] for each in answer.json()["details"]} == {"certificate", "enc_certificate"}


def test_the_same_certificates_with_other_line_ends_change_nothing(api: Any, body: dict[str, str]):
    gateway = api.gateway(flavor="GM")
    made = api.create(_path(gateway), "certificate", body)
    texts = {field: text.replace("\n", "\r\n") for field, text in body.items() if not field.endswith("private_key")}
    answer = api.send("PUT", f"{_path(gateway)}/{made['id']}", {"certificate": texts})
    assert (answer.status_code, answer.json()["certificate"]) == (200, made)


def test_an_update_of_another_version_or_certificate_is_refused(api: Any, body: dict[str, str]):
    gateway = api.gateway(flavor="GM")
    assert api.send("GET", _path(gateway)).status_code == 404
    made = api.create(_path(gateway), "certificate", body)
    path = f"{_path(gateway)}/{made['id']}"
    etag = api.send("GET", _path(gateway)).headers["etag"]
    assert api.send("PUT", path, {"certificate": {"name": "one"}}, if_match=etag).status_code == 200
    assert api.send("PUT", path, {"certificate": {"name": "two"}}, if_match=etag).status_code == 412
    assert api.send("PUT", f"{_path(gateway)}/{gateway['id']}", {"certificate": {"name": "two"}}).status_code == 404


def test_the_list_tells_what_ends_soon(api: Any, body: dict[str, str]):
    made = [api.create(_path(api.gateway(flavor="GM")), "certificate", body) for _ in range(2)]

    def listed(query: str) -> list[str]:
        return [each["id"] for each in api.get(f"vpn-gateway-certificates{query}")["vpn_gateway_certificates"]]

    both = [each["id"] for each in made]
    assert listed("") == listed("?pre_expire_days=21") == both
    assert listed("?pre_expire_days=19") == []
    assert listed("?limit=1") == both[:1]
    assert listed(f"?limit=1&marker={made[0]['created_at']}") == both[1:]
    assert api.send("GET", "vpn-gateway-certificates?pre_expire_days=soon").status_code == 400


def test_pages_lose_none_of_the_same_millisecond(api: Any, body: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    gateways = [api.gateway(flavor="GM") for _ in range(3)]
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    made = [api.create(_path(gateway), "certificate", body) for gateway in gateways]
    found, marker = [], ""
    while page := api.get(f"vpn-gateway-certificates?limit=1&marker={marker}")["vpn_gateway_certificates"]:
        found += [each["id"] for each in page]
        marker = page[-1]["created_at"]
    assert found == [each["id"] for each in made]


def test_with_both_certificates_a_gm_connection_is_made_and_says_why_it_is_not_carried(api: Any, body: dict[str, str]):
    gateway, peer = api.gateway(flavor="GM"), api.customer_gateway(ca_certificate={"content": CA})
    api.create(_path(gateway), "certificate", body)
    made = api.connection(gateway, peer, psk=None)
    assert made["ikepolicy"]["authentication_method"] == "digital-envelope-v2"
    api.connection_as(made["id"], "ERROR")
    assert "SM" in api.diagnosis(made["id"])["reason"]


def test_it_goes_with_its_gateway(api: Any, body: dict[str, str]):
    gateway = api.gateway(flavor="GM")
    api.create(_path(gateway), "certificate", body)
    api.delete(f"vpn-gateways/{gateway['id']}")
    api.gone(f"vpn-gateways/{gateway['id']}")
    assert api.get("vpn-gateway-certificates")["vpn_gateway_certificates"] == []


def test_a_new_master_key_opens_them_and_the_database_is_sound(tmp_path: Path, body: dict[str, str]):
    settings = config.load({"data": str(tmp_path / "data"), "engine": "simulated"}, {})
    with service_in(tmp_path / "data") as running:
        api = running.api()
        gateway = api.gateway(flavor="GM")
        answer = api.send("POST", _path(gateway), {"certificate": body}, x_client_token="once")
        made = answer.json()["certificate"]
        again = api.send("POST", _path(gateway), {"certificate": body}, x_client_token="once")
        assert again.json()["certificate"] == made
        project = api.project_id
    data_folder.rotate_master(settings)
    assert data_folder.check_data(settings)[0] == []
    with service_in(tmp_path / "data") as running:
        path = f"{_path(gateway)}/{made['id']}"
        assert running.api(project).send("PUT", path, {"certificate": {"name": "later"}}).status_code == 200
