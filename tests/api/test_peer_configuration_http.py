"""The other side's configuration over HTTP: which devices, which text, and who may see the PSK."""

from typing import Any

import pytest

from landbridge import model, peerconfig

PSK = "Correct-Horse-7"
DEVICES = "peer-configuration/supported-devices"


def _export(api: Any, connection_id: str, device: dict[str, Any]) -> Any:
    return api.send("POST", f"vpn-connection/{connection_id}/peer-configuration/export", device)


def _print(api: Any, connection_id: str, query: str, device: dict[str, Any]) -> Any:
    path = f"/landbridge/v1/{api.project_id}/vpn-connections/{connection_id}/peer-configuration{query}"
    return api.send("POST", path, device)


def _shown(service: Any, connection_id: str) -> int:
    rows = service.data.database.read(
        lambda tx: tx.cursor.execute(
            "SELECT actor FROM audit WHERE resource_id = ? AND action = 'show_psk'", (connection_id,)
        ).fetchall()
    )
    return len(rows)


def test_every_device_of_the_list_gets_its_text_or_a_reason(api: Any):
    made = api.connection(api.gateway())
    devices = api.get(DEVICES)["supported_devices"]
    assert [device["model"] for device in devices] == [each.family for each in peerconfig.devices()]
    for device in devices:
        assert device["platform"] == device["model"]
        asked = {name: device[name] for name in ("vendor", "type", "model", "version")}
        answer = _export(api, made["id"], asked)
        by_platform = {
            name: device[word] for name, word in (("vendor", "vendor"), ("type", "platform"), ("version", "version"))
        }
        assert _export(api, made["id"], by_platform).status_code == answer.status_code
        if device["type"] == "routing daemon":
            assert [each["field"] for each in answer.json()["details"]] == ["style"]
            continue
        assert answer.status_code == 200, answer.text
        text = answer.json()["peer_config"]
        assert made["id"] in text
        assert peerconfig.PLACEHOLDER in text
        assert PSK not in answer.text


def test_a_text_says_when_the_engine_does_not_carry_the_connection(api: Any, monkeypatch: pytest.MonkeyPatch):
    made = api.connection(api.gateway())
    assert "WARNING" not in _export(api, made["id"], {"vendor": "VyOS"}).json()["peer_config"]
    monkeypatch.setattr(model, "abilities_of", lambda *_, **__: model.Abilities(styles=frozenset()))
    text = _export(api, made["id"], {"vendor": "VyOS"}).json()["peer_config"]
    assert "WARNING: the gateway does not bring this connection up: connections of style static are not carried" in text


@pytest.mark.parametrize("asked", [{}, {"vendor": "Nobody"}], ids=["absent", "unknown"])
def test_a_refused_vendor_hears_of_every_vendor_and_its_models(api: Any, asked: dict[str, str]):
    answer = _export(api, api.connection(api.gateway())["id"], asked)
    (detail,) = answer.json()["details"]
    assert (answer.status_code, detail["field"]) == (400, "vendor")
    for device in peerconfig.devices():
        assert device.vendor in detail["message"]
        assert device.family in detail["message"]
    assert "Cisco (" in detail["message"]


@pytest.mark.parametrize("version", ["16.12", "17", "17.3.1a"])
def test_a_later_version_will_do(api: Any, version: str):
    made = api.connection(api.gateway())
    asked = {"vendor": "Cisco", "type": "IOS-XE", "version": version}
    assert "IOS-XE" in _export(api, made["id"], asked).json()["peer_config"]


def test_one_word_is_enough_in_any_letters(api: Any):
    made = api.connection(api.gateway())
    assert "VyOS" in _export(api, made["id"], {"vendor": "vyos"}).json()["peer_config"]


@pytest.mark.parametrize(
    ("device", "field", "text"),
    [
        pytest.param({}, "vendor", "is mandatory", id="no-vendor"),
        pytest.param({"vendor": ""}, "vendor", "strongSwan", id="empty-vendor"),
        pytest.param({"vendor": "Acme"}, "vendor", "strongSwan", id="vendor"),
        pytest.param({"vendor": "strongSwan", "type": "router"}, "type", "software", id="type"),
        pytest.param({"vendor": "Cisco", "model": "ASA"}, "model", "IOS-XE", id="model"),
        pytest.param({"vendor": "Cisco", "version": "16.9"}, "version", "16.12", id="version"),
        pytest.param({"vendor": "Cisco", "version": "latest"}, "version", "16.12", id="version-without-number"),
    ],
)
def test_an_unknown_device_is_told_what_there_is(api: Any, device: dict[str, str], field: str, text: str):
    made = api.connection(api.gateway())
    answer = _export(api, made["id"], device)
    assert answer.status_code == 400
    [found] = answer.json()["details"]
    assert found["field"] == field
    assert text in found["message"]


def test_what_a_device_cannot_carry_is_refused_by_its_field(api: Any):
    made = api.connection(api.gateway(), style="policy")
    answer = _export(api, made["id"], {"vendor": "CZ.NIC"})
    assert [each["field"] for each in answer.json()["details"]] == ["style"]


@pytest.mark.parametrize(
    ("device", "fields"),
    [
        pytest.param({"vendor": 7}, {"vendor": "is a number"}, id="vendor"),
        pytest.param({"vendor": ["Cisco"]}, {"vendor": "is an array"}, id="array-for-vendor"),
        pytest.param({"vendor": "Cisco", "model": 5}, {"model": "is a number"}, id="model"),
        pytest.param(
            {"vendor": "Cisco", "type": [], "version": {}}, {"type": "is an array", "version": "is an object"}, id="two"
        ),
        pytest.param(
            {"vendor": "Acme", "model": 5}, {"vendor": "'Acme' is not known", "model": "is a number"}, id="and-a-word"
        ),
    ],
)
def test_a_wrong_type_is_refused(api: Any, device: dict[str, Any], fields: dict[str, str]):
    made = api.connection(api.gateway())
    for answer in (_export(api, made["id"], device), _print(api, made["id"], "", device)):
        assert answer.status_code == 400
        said = {each["field"]: each["message"] for each in answer.json()["details"]}
        assert said.keys() == fields.keys()
        assert all(said[field].startswith(text) for field, text in fields.items())


def test_an_admin_gets_the_psk_when_he_asks_and_the_trail_has_it(shared_service: Any):
    api = shared_service.api()
    made = api.connection(api.gateway())
    hidden = _print(api, made["id"], "", {"vendor": "strongSwan"})
    assert hidden.status_code == 200
    assert PSK not in hidden.text
    assert _shown(shared_service, made["id"]) == 0
    shown = _print(api, made["id"], "?psk=show", {"vendor": "strongSwan"})
    told = shown.json()["peer_configuration"]
    assert PSK in "".join(part["content"] for part in told["parts"])
    assert (told["device"], told["proved"]) == ("strongSwan swanctl", True)
    assert _shown(shared_service, made["id"]) == 1


def test_a_reader_gets_no_psk(shared_service: Any, api: Any):
    made = api.connection(api.gateway())
    reader = shared_service.api(api.project_id, "reader")
    assert _export(reader, made["id"], {"vendor": "VyOS"}).status_code == 200
    assert _print(reader, made["id"], "?psk=show", {"vendor": "VyOS"}).status_code == 403


def test_another_word_for_the_psk_is_refused(api: Any):
    made = api.connection(api.gateway())
    answer = _print(api, made["id"], "?psk=yes", {"vendor": "VyOS"})
    assert [each["field"] for each in answer.json()["details"]] == ["psk"]
