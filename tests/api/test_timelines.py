"""The timeline of a connection: attempts, statuses and changes in one list."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from landbridge import model
from landbridge.model import negotiation
from landbridge.store import attempts, connections
from landbridge.store.database import Transaction

LINE = "received AUTHENTICATION_FAILED notify error"


def _path(api: Any, connection_id: str, query: str = "") -> str:
    return f"/landbridge/v1/{api.project_id}/vpn-connections/{connection_id}/timeline{query}"


def _timeline(api: Any, connection_id: str, query: str = "") -> list[Any]:
    entries: list[Any] = api.get(_path(api, connection_id, query))["timeline"]
    return entries


def _of(kind: str, entries: list[Any]) -> list[Any]:
    return [entry for entry in entries if entry["kind"] == kind]


def _attempt(number: int, at: datetime) -> model.Attempt:
    message = negotiation.Message(
        at=at, sender="us", exchange="IKE_AUTH", is_request=True, id=1, payloads=("IDi", "AUTH")
    )
    refusal = negotiation.Refusal(
        at=at + timedelta(seconds=1), line=LINE, sender="device", phase=1, notify="AUTHENTICATION_FAILED"
    )
    return model.Attempt(
        id=str(10**15 + number),
        configuration="",
        began_at=at,
        ended_at=at + timedelta(seconds=1),
        began_by="us",
        peer_address="198.51.100.2",
        ike_version="v2",
        outcome="refused_by_device",
        facts=(message, refusal),
    )


def _store(service: Any, connection_id: str, *said: model.Attempt) -> None:
    """As if an engine had reported it of the present configuration."""

    def record(tx: Transaction) -> None:
        project_id = connections.get(tx, connection_id).project_id
        known = connections.find(tx, project_id, connection_id)
        assert known is not None
        assert known.observation is not None
        present = known.observation.configuration
        attempts.record(tx, known.seq, [dataclasses.replace(one, configuration=present) for one in said])

    service.data.database.write(record)


@pytest.fixture
def still(open_service: Any) -> Any:
    """A service whose agent does not run: only the test says what happens."""
    service = open_service()
    api = service.api()
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    service.agent.stop()
    return service, api, made


def test_changes_say_who_and_states_say_what_became_of_them(api: Any, shared_service: Any, until: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    other = shared_service.api(api.project_id)
    body = {"vpn_connection": {"peer_subnets": ["192.168.50.0/24"]}}
    request_id = other.send("PUT", f"vpn-connection/{made['id']}", body).json()["request_id"]
    api.connection_as(made["id"], "ACTIVE")
    api.simulate(made["id"], "down:psk")
    until(lambda: _of("status", _timeline(api, made["id"]))[0]["status"] == "DOWN", "the status to be kept")
    entries = _timeline(api, made["id"])
    assert [entry["at"] for entry in entries] == sorted((entry["at"] for entry in entries), reverse=True)
    changes = _of("change", entries)
    assert [(change["action"], change["actor"]) for change in changes] == [
        ("simulate", api.key.access_key),
        ("update_vpn_connection", other.key.access_key),
        ("create_vpn_connection", api.key.access_key),
    ]
    assert changes[1]["request_id"] == request_id
    assert "ACTIVE" in [state["status"] for state in _of("status", entries)]


def test_changes_of_both_ends_are_told_since_the_connection_is_there(still: Any):
    _, api, made = still
    ends = {"vpn_gateway": ("vpn-gateways", made["vgw_id"]), "customer_gateway": ("customer-gateways", made["cgw_id"])}
    for envelope, (path, resource_id) in ends.items():
        assert api.send("PUT", f"{path}/{resource_id}", {envelope: {"name": "other"}}).status_code == 200
    api.customer_gateway()
    changes = [(each["action"], each["resource_id"]) for each in _of("change", _timeline(api, made["id"]))]
    assert changes == [
        ("update_cgw", made["cgw_id"]),
        ("update_vgw", made["vgw_id"]),
        ("create_vpn_connection", made["id"]),
    ]


def test_an_attempt_is_told_as_messages(still: Any):
    service, api, made = still
    at = datetime.now(UTC) + timedelta(seconds=5)
    _store(service, made["id"], _attempt(1, at))
    entry = _timeline(api, made["id"])[0]
    began, ended = (
        f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03}Z" for when in (at, at + timedelta(seconds=1))
    )
    assert entry == {
        "kind": "attempt",
        "at": ended,
        "began_at": began,
        "ended_at": ended,
        "began_by": "us",
        "outcome": "refused_by_device",
        "is_current": True,
        "is_named": True,
        "within_sa": False,
        "ike_version": "v2",
        "peer_address": "198.51.100.2",
        "facts": [
            {"at": began, "kind": "message", "sender": "us", "text": "IKE_AUTH request 1 [IDi AUTH]"},
            {
                "at": ended,
                "kind": "refusal",
                "sender": "device",
                "text": "the device refuses phase 1: AUTHENTICATION_FAILED",
                "line": LINE,
            },
        ],
    }


def test_a_probe_is_told_with_what_was_answered(api: Any, until: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    api.simulate(made["id"], "down:proposal")
    api.connection_as(made["id"], "DOWN")
    path = f"/landbridge/v1/{api.project_id}/vpn-connections/{made['id']}/probe"
    assert api.send("POST", path, {"probe": {}}).status_code == 202
    until(lambda: api.get(path)["probes"][0]["state"] == "done", "the probe")
    (told,), (probe,) = _of("probe", _timeline(api, made["id"])), api.get(path)["probes"]
    assert told == {"kind": "probe", "at": probe["probed_at"]} | probe
    assert _of("change", _timeline(api, made["id"]))[0]["action"] == "probe"


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_pages_have_all_entries_once(still: Any, limit: int):
    """Several entries may be of one moment."""
    service, api, made = still
    for name in ("a", "b", "c"):
        api.send("PUT", f"vpn-connection/{made['id']}", {"vpn_connection": {"name": name}})
    at = datetime.now(UTC).replace(microsecond=0)
    _store(service, made["id"], *(_attempt(number, at) for number in range(4)))
    service.data.database.write(
        lambda tx: tx.cursor.execute("UPDATE audit SET at = ?", (int(at.timestamp() + 1) * 1000,))
    )
    whole = _timeline(api, made["id"], "?limit=200")
    assert len(whole) >= 8
    found: list[Any] = []
    marker = ""
    for _ in range(len(whole) + 1):
        page = api.get(_path(api, made["id"], f"?limit={limit}{marker}"))
        assert page["page_info"]["current_count"] == len(page["timeline"]) <= limit
        found += page["timeline"]
        if "next_marker" not in page["page_info"]:
            break
        marker = f"&marker={page['page_info']['next_marker']}"
    assert found == whole


def test_a_page_goes_on_where_the_trail_was_cut(still: Any):
    service, api, made = still
    for name in ("a", "b", "c"):
        api.send("PUT", f"vpn-connection/{made['id']}", {"vpn_connection": {"name": name}})
    page = api.get(_path(api, made["id"], "?limit=2"))
    service.data.database.write(lambda tx: tx.cursor.execute("DELETE FROM audit"))
    left = _timeline(api, made["id"], f"?marker={page['page_info']['next_marker']}")
    assert _of("change", left) == []
    assert _of("status", left) == _of("status", _timeline(api, made["id"]))


@pytest.mark.parametrize("query", ["?limit=0", "?limit=201", "?marker=x"])
def test_a_wrong_query_is_refused_by_its_word(api: Any, query: str):
    made = api.connection(api.gateway())
    answer = api.send("GET", _path(api, made["id"], query))
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["details"]] == [query[1:].partition("=")[0]]


def test_readers_read_it_and_other_projects_do_not(api: Any, shared_service: Any):
    gateway = api.gateway()
    made, another = api.connection(gateway), api.connection(gateway)
    marker = api.get(_path(api, made["id"], "?limit=1"))["page_info"].get("next_marker")
    if marker is not None:
        assert api.send("GET", _path(api, another["id"], f"?marker={marker}")).status_code == 400
    assert _timeline(shared_service.api(api.project_id, "reader"), made["id"].upper())
    other = shared_service.api()
    assert other.send("GET", _path(other, made["id"])).status_code == 404
    assert other.send("GET", _path(api, made["id"])).status_code == 403
