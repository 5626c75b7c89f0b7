"""A probe of a connection's device: an order, what waits, and what was answered."""

from datetime import UTC, datetime
from typing import Any

import pytest

from landbridge import model
from landbridge.store import observations, probes

NOBODY = "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"


def path(api: Any, connection: Any):
    return f"/landbridge/v1/{api.project_id}/vpn-connections/{connection['id']}/probe"


def down(api: Any, state: str = "down:proposal", **fields: Any):
    """A connection that was up: a new one is down for a moment, and then up, whatever it is asked to be."""
    made = api.connection(api.gateway(), **fields)
    api.connection_as(made["id"], "ACTIVE")
    api.simulate(made["id"], state)
    api.connection_as(made["id"], "DOWN")
    return made


def order(api: Any, connection: Any, body: Any = None):
    return api.send("POST", path(api, connection), {"probe": body or {}})


def done(api: Any, until: Any, connection: Any):
    """The last probe, when it is done."""
    until(lambda: api.get(path(api, connection))["probes"][0]["state"] == "done", "the probe")
    return api.get(path(api, connection))["probes"][0]


def test_an_order_is_accepted_and_carried_out(api: Any, until: Any):
    made = down(api)
    answer = order(api, made, {"phase_2": True, "identity": False})
    assert answer.status_code == 202
    accepted = answer.json()["probe"]
    assert (accepted["state"], accepted["reason"], accepted["phase_2"], accepted["identity"]) == (
        "waiting",
        "order",
        True,
        False,
    )
    shown = done(api, until, made)
    assert shown["id"] == accepted["id"]
    (said,) = shown["answers"]
    assert (said["ike_version"], said["outcome"]) == ("v2", "chosen")
    assert said["algorithms"] == {
        "encryption_algorithm": "aes-256",
        "authentication_algorithm": "sha2-256",
        "dh_group": "group15",
    }


def test_the_last_probes_stay(api: Any, until: Any):
    made = down(api, "down")
    ids = []
    for _ in range(probes.KEPT + 2):
        ids.append(order(api, made).json()["probe"]["id"])
        done(api, until, made)
    assert [one["id"] for one in api.get(path(api, made))["probes"]] == ids[: -probes.KEPT - 1 : -1]


def test_one_probe_waits_at_a_time(open_service: Any):
    service = open_service()
    api = service.api()
    made = down(api)
    service.agent.stop()
    first = order(api, made).json()["probe"]
    answer = order(api, made)
    assert answer.status_code == 400
    assert f"probe {first['id']} of the connection is not done yet" in answer.json()["error_msg"]
    assert [one["state"] for one in api.get(path(api, made))["probes"]] == ["waiting"]


def test_the_device_of_a_tunnel_that_is_up_is_not_asked(api: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    answer = order(api, made)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "VPN.0001")
    assert "a CHILD_SA of the connection is up" in answer.json()["error_msg"]


def test_the_path_through_a_tunnel_that_is_up_is_checked(api: Any, until: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    accepted = order(api, made, {"path": True}).json()["probe"]
    assert (accepted["state"], accepted["path"]) == ("waiting", True)
    shown = done(api, until, made)
    assert (shown["id"], shown["path"], shown["answers"]) == (accepted["id"], True, [])
    assert (shown["path_answer"]["outcome"], shown["path_answer"]["mtu"]) == ("passes", 1438)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param({"path": True}, "no CHILD_SA of the connection is up", id="down"),
        pytest.param({"path": True, "phase_2": True}, "wanted: path alone", id="with phase 2"),
        pytest.param({"path": True, "identity": True}, "wanted: path alone", id="with the id"),
    ],
)
def test_the_path_is_asked_alone_and_of_a_tunnel_that_is_up(api: Any, body: Any, said: str):
    answer = order(api, down(api), body)
    assert answer.status_code == 400
    assert said in answer.json()["error_msg"]


def test_a_device_without_an_address_is_not_asked(api: Any):
    peer = api.customer_gateway(id_type="fqdn", id_value="branch.example")
    made = api.connection(api.gateway(), peer)
    assert "no fixed address" in order(api, made).json()["error_msg"]


@pytest.mark.parametrize("body", [{"phase_2": "perhaps"}, {"identity": 7}])
def test_a_wrong_order_names_its_field(api: Any, body: Any):
    answer = order(api, down(api), body)
    assert answer.status_code == 400
    assert next(iter(body)) in answer.json()["error_msg"]


@pytest.mark.parametrize("body", [{"phase2": True}, {"identity": True, "phase2": True}], ids=["alone", "with-others"])
def test_an_unknown_field_of_an_order_is_refused_with_what_is_allowed(api: Any, body: Any):
    """A misspelt field would be an order for another probe than the caller wants."""
    made = down(api)
    answer = order(api, made, body)
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["details"]] == ["phase2"]
    assert "wanted: identity or path or phase_2" in answer.json()["error_msg"]
    assert api.get(path(api, made))["probes"] == []


def test_a_reader_looks_and_does_not_order(shared_service: Any, api: Any):
    made = down(api)
    reader = shared_service.api(api.project_id, "reader")
    assert order(reader, made).status_code == 403
    assert reader.get(path(api, made))["probes"] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_of_a_connection_that_is_not_there_is_404(api: Any, method: str):
    answer = api.send(method, path(api, {"id": NOBODY}), {"probe": {}} if method == "POST" else None)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "VPN.0004")


def test_an_order_is_in_the_audit_trail(shared_service: Any, api: Any):
    made = down(api)
    order(api, made)
    assert events(shared_service, made) == [("probe", api.key.access_key)]


def events(service: Any, connection: Any):
    return service.data.database.read(
        lambda tx: tx.cursor.execute(
            "SELECT action, actor FROM audit WHERE resource_id = ? AND action = 'probe'", (connection["id"],)
        ).fetchall()
    )


def result_of(connection: Any, number: str, **given: Any):
    return model.ProbeResult(
        id=f"7e0c6f0a-3f0e-4a53-9d86-0f2f1f1f4a1{number}",
        connection_id=connection["id"],
        at=datetime.now(UTC),
        reason="automatic",
        configuration="0" * 12,
        local_address="203.0.113.10",
        peer_address="198.51.100.7",
        **given,
    )


def observation_of(connection: Any, *results: model.ProbeResult):
    return model.Observation(
        gateway_id=connection["vgw_id"],
        seen_at=datetime.now(UTC),
        exists=True,
        applied_generation=1,
        failure=None,
        present=frozenset({connection["id"]}),
        connections=(),
        probes=results,
    )


def test_what_the_service_asked_by_itself_is_recorded_once(open_service: Any):
    service = open_service()
    api = service.api()
    made = down(api)
    service.agent.stop()
    refused = model.ProbeAnswer(ike_version="v2", mode=None, outcome="refused", notify="NO_PROPOSAL_CHOSEN")
    seen = observation_of(made, result_of(made, "1", packets=3, answers=(refused,)))
    for _ in range(2):
        service.data.database.write(lambda tx: observations.record(tx, seen))
    (shown,) = api.get(path(api, made))["probes"]
    assert (shown["reason"], shown["actor"], shown["packets"]) == ("automatic", "landbridge", 3)
    assert shown["answers"] == [{"ike_version": "v2", "outcome": "refused", "notify": "NO_PROPOSAL_CHOSEN"}]
    assert events(service, made) == [("probe", "landbridge")]


def test_a_check_of_the_path_differs_from_a_probe_of_the_device(open_service: Any):
    """The agent plans each kind from the last one of its kind."""
    service = open_service()
    api = service.api()
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    service.agent.stop()
    path_found = model.ProbePath(outcome="black_hole", mtu=1438, passed=1117, lost=1128)
    results = (result_of(made, "1"), result_of(made, "2", path=path_found), result_of(made, "3"))
    for result in results:
        seen = observation_of(made, result)
        service.data.database.write(lambda tx, seen=seen: observations.record(tx, seen))
    seq = service.data.database.read(
        lambda tx: tx.cursor.execute("SELECT seq FROM vpn_gateway WHERE id = ?", (made["vgw_id"],)).fetchone()[0]
    )
    found = service.data.database.read(lambda tx: probes.of_gateway(tx, seq))[made["id"]]
    assert (found.order, found.probed.id, found.path_checked.id) == (None, results[2].id, results[1].id)
    assert (found.probed.finding, found.path_checked.finding) == (None, "black_hole 1117 of 1438")


def test_probes_and_checks_of_the_path_do_not_displace_each_other(open_service: Any):
    service = open_service()
    api = service.api()
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    service.agent.stop()
    probed = result_of(made, "0")
    checks = [
        result_of(made, str(number), path=model.ProbePath(outcome="passes", mtu=1400 + number, passed=1400))
        for number in range(1, probes.KEPT + 3)
    ]
    for result in (probed, *checks):
        seen = observation_of(made, result)
        service.data.database.write(lambda tx, seen=seen: observations.record(tx, seen))
    last = [one.id for one in checks[: -probes.KEPT - 1 : -1]]
    assert [one["id"] for one in api.get(path(api, made))["probes"]] == [*last, probed.id]


def test_probes_go_with_their_connection(api: Any, until: Any):
    made = down(api)
    order(api, made)
    done(api, until, made)
    api.send("DELETE", f"vpn-connection/{made['id']}")
    until(lambda: api.send("GET", path(api, made)).status_code == 404, "the connection to go")
