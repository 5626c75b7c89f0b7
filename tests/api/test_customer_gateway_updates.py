"""PUT of a customer gateway, its CA certificate, and lists of only one."""

import base64
from pathlib import Path
from typing import Any

import pytest

PATH = "customer-gateways"
FOLDER = Path(__file__).parents[1] / "rules" / "certificates"
CA, OTHER_CA, RSA_CA = ((FOLDER / f"{name}.pem").read_text() for name in ("sm2-ca", "sm2-other-ca", "rsa-ca"))


def _put(api: Any, one: Any, body: Any) -> Any:
    answer = api.send("PUT", f"{PATH}/{one['id']}", {"customer_gateway": body})
    assert answer.status_code == 200, answer.text
    return answer.json()["customer_gateway"]


def test_a_new_name_is_in_the_answer_and_the_rest_stays(api: Any):
    made = api.customer_gateway(tags=[{"key": "k", "value": "v"}])
    after = _put(api, made, {"name": "renamed"})
    assert after == made | {"name": "renamed", "updated_at": after["updated_at"]}
    assert after["updated_at"] >= made["updated_at"]
    assert api.get(f"{PATH}/{made['id']}")["customer_gateway"] == after


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="address"),
        pytest.param({"id_value": None, "ip": "198.51.100.77", "route_mode": "static"}, id="older"),
        pytest.param({"id_type": "fqdn", "id_value": "branch.example"}, id="fqdn"),
        pytest.param({"ca_certificate": {"content": CA}}, id="certificate"),
    ],
)
def test_what_was_read_can_be_sent_back_and_changes_nothing(api: Any, fields: Any):
    made = api.customer_gateway(**fields, tags=[{"key": "k", "value": "v"}, {"key": "a", "value": "b"}])
    assert _put(api, made, made) == made
    assert _put(api, made, made | {"tags": made["tags"][::-1]}) == made


def test_a_field_that_cannot_change_is_refused_by_name(api: Any):
    made = api.customer_gateway()
    body = {"customer_gateway": {"name": "other", "id_value": "192.0.2.1", "bgp_asn": 7, "tags": "t"}}
    answer = api.send("PUT", f"{PATH}/{made['id']}", body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0001")
    assert {each["field"] for each in answer.json()["details"]} == {"id_value", "bgp_asn", "tags"}
    assert api.get(f"{PATH}/{made['id']}")["customer_gateway"] == made


def test_one_of_another_project_is_404(api: Any, shared_service: Any):
    made = api.customer_gateway()
    other = shared_service.api()
    assert other.send("PUT", f"{PATH}/{made['id']}", {"customer_gateway": {"name": "a"}}).status_code == 404


def test_a_ca_certificate_is_shown_by_its_fields_and_never_whole(api: Any):
    made = api.customer_gateway(ca_certificate={"content": CA})
    shown = made["ca_certificate"]
    assert set(shown) == {
        "id", "serial_number", "signature_algorithm", "issuer", "subject", "expire_time", "is_updatable"
    }  # fmt: skip
    assert (shown["subject"], shown["expire_time"]) == ("CN=Branch CA,O=Branch,C=DE", "2120-01-01T00:00:00.000Z")
    assert api.get(PATH)["customer_gateways"] == [made]


def test_a_certificate_is_replaced_and_used_again_by_its_id(api: Any):
    first, second = (api.customer_gateway(ca_certificate={"content": text}) for text in (CA, OTHER_CA))
    after = _put(api, first, {"ca_certificate": {"id": second["ca_certificate"]["id"]}})
    assert after["ca_certificate"] == second["ca_certificate"]
    third = api.customer_gateway(ca_certificate={"id": second["ca_certificate"]["id"]})
    assert third["ca_certificate"] == second["ca_certificate"]
    assert _put(api, second, {"ca_certificate": {"content": CA}})["ca_certificate"]["subject"].startswith("CN=Branch")


def test_another_projects_certificate_does_not_exist(api: Any, shared_service: Any):
    theirs = shared_service.api().customer_gateway(ca_certificate={"content": CA})
    body = {"id_value": "192.0.2.1", "ca_certificate": {"id": theirs["ca_certificate"]["id"]}}
    assert set(api.refused(PATH, "customer_gateway", body)) == {"ca_certificate.id"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        pytest.param({"ca_certificate": {"content": "x"}}, "VPN.0074", id="one-fault-has-its-code"),
        pytest.param({"ca_certificate": {"content": RSA_CA}}, "VPN.0001", id="two-codes"),
        pytest.param({"ca_certificate": {"content": "x"}, "name": ""}, "VPN.0001", id="beside-another-fault"),
    ],
)
def test_faults_of_a_certificate_have_their_codes(api: Any, fields: Any, code: str):
    answer = api.send("POST", PATH, {"customer_gateway": {"id_value": "192.0.2.1"} | fields})
    assert (answer.status_code, answer.json()["error_code"]) == (400, code)


@pytest.mark.parametrize(
    ("old", "new"),
    [pytest.param(b"\x02\x01\x02", b"\x02\x01\x01", id="version"), pytest.param(b"Branch", b"\xffranch", id="name")],
)
def test_a_certificate_that_does_not_read_is_refused_by_its_field(api: Any, old: bytes, new: bytes):
    der = base64.b64decode("".join(CA.splitlines()[1:-1]))
    text = base64.encodebytes(der.replace(old, new, 1)).decode()
    broken = {"ca_certificate": {"content": f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"}}
    path = f"{PATH}/{api.customer_gateway()['id']}"
    for answer in (
        api.send("POST", PATH, {"customer_gateway": {"id_value": "192.0.2.1"} | broken}),
        api.send("PUT", path, {"customer_gateway": broken}),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0075")
        assert [each["field"] for each in answer.json()["details"]] == ["ca_certificate.content"]


def test_the_same_certificate_with_other_line_ends_is_no_change(api: Any):
    made = api.customer_gateway(ca_certificate={"content": CA})
    assert _put(api, made, {"ca_certificate": {"content": CA.replace("\n", "\r\n")}}) == made
    other = api.customer_gateway(ca_certificate={"content": CA.replace("\n", "\r\n")})
    assert _put(api, other, {"ca_certificate": {"content": CA}}) == other


def test_a_list_of_one_id_has_it_or_nothing(api: Any, shared_service: Any):
    made = [api.customer_gateway() for _ in range(3)]
    theirs = shared_service.api().customer_gateway()
    found = api.get(f"{PATH}?cgw_id={made[1]['id'].upper()}&limit=1")
    assert (found["customer_gateways"], found["total_count"]) == ([made[1]], 1)
    assert found["page_info"] == {"current_count": 1}
    for absent in (theirs["id"], "98c5af8a-6ee2-4482-99a2-ae2280a6f4c3"):
        found = api.get(f"{PATH}?cgw_id={absent}")
        assert (found["customer_gateways"], found["total_count"]) == ([], 0)
    assert api.send("GET", f"{PATH}?cgw_id=x").status_code == 400


def test_an_asn_is_there_unless_it_is_known_by_a_name(api: Any):
    assert api.customer_gateway()["bgp_asn"] == 65000
    assert "bgp_asn" not in api.customer_gateway(id_type="fqdn", id_value="branch.example")


def test_an_update_of_another_version_is_refused(api: Any):
    path = f"{PATH}/{api.customer_gateway()['id']}"
    read = api.send("GET", path).headers["ETag"]

    def renamed(name: str, version: str) -> Any:
        return api.send("PUT", path, {"customer_gateway": {"name": name}}, If_Match=version)

    first = renamed("first", read)
    assert (first.status_code, first.headers["ETag"] != read) == (200, True)
    assert renamed("second", read).status_code == 412
    assert api.get(path)["customer_gateway"]["name"] == "first"
    unchanged = renamed("first", first.headers["ETag"])
    assert (unchanged.status_code, unchanged.headers["ETag"]) == (200, first.headers["ETag"])
