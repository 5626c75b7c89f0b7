"""`/metrics`: a series for each desired connection, of the projects that the key may see, and the service's own for who runs it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from landbridge import config, model
from landbridge.api import metrics
from landbridge.operations import clock, pausing
from landbridge.store import connection_states, connections
from landbridge.telemetry import exposition, shared_metrics

Samples = dict[str, list[tuple[dict[str, str], float]]]


def _scrape(api: Any, token: str | None = None) -> Samples:
    answer = api.http.request("GET", "/metrics", headers={"Authorization": f"Bearer {token or api.key.token.reveal()}"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, exposition.CONTENT_TYPE), answer.text
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        for one in family.samples:
            found.setdefault(one.name, []).append((one.labels, one.value))
    return found


def _of(found: Samples, name: str, connection_id: str) -> float:
    (value,) = [value for labels, value in found[name] if labels["connection_id"] == connection_id]
    return value


def test_a_connection_has_its_series_up_or_down(api: Any):
    gateway = api.gateway(name="hq")
    made = api.connection(gateway, name="hq-branch")
    api.connection_as(made["id"], "ACTIVE")
    api.simulate(made["id"], "down:psk")
    api.connection_as(made["id"], "DOWN")
    found = _scrape(api)
    named = {
        "connection_id": made["id"],
        "name": "hq-branch",
        "gateway_id": gateway["id"],
        "project_id": api.project_id,
    }
    assert found["landbridge_connection_up"] == [(named, 0)]
    ((labels, value),) = found["landbridge_connection_status"]
    assert (labels, value) == (named | {"status": "DOWN", "cause": labels["cause"]}, 1)
    assert _of(found, "landbridge_connection_received_bytes_total", made["id"]) == 0
    assert found["landbridge_connections"] == [({"project_id": api.project_id, "status": "DOWN"}, 1)]
    assert [(labels["name"], value) for labels, value in found["landbridge_gateway_fault"]] == [("hq", 0)]
    api.simulate(made["id"], "active")
    api.connection_as(made["id"], "ACTIVE")
    assert _of(_scrape(api), "landbridge_connection_up", made["id"]) == 1


def test_a_connection_of_style_bgp_has_its_session(api: Any, until: Any):
    gateway = api.gateway()
    made = api.connection(gateway, style="bgp", peer_subnets=["192.168.44.0/24", "192.168.45.0/24"])
    other = api.connection(gateway)
    for one in (made, other):
        api.connection_as(one["id"], "ACTIVE")

    def told() -> dict[str, float]:
        found = _scrape(api)
        rows = [
            (name, labels, value) for name, samples in found.items() for labels, value in samples if "_bgp_" in name
        ]
        assert {labels["connection_id"] for _, labels, _ in rows} <= {made["id"]}
        return {name.removeprefix("landbridge_connection_bgp_"): value for name, _, value in rows}

    routes = {"received_routes": 2, "accepted_routes": 2, "announced_routes": 1}
    assert told() == routes | {"established": 1, "route_limit": 10_000}
    api.simulate(made["id"], "down:bgp")
    until(lambda: told() == dict.fromkeys(routes, 0) | {"established": 0}, "the session to be down")
    assert _of(_scrape(api), "landbridge_connection_up", made["id"]) == 0


def test_a_status_has_the_cause_that_was_kept_for_it_and_no_older_one(open_service: Any):
    service = open_service()
    api = service.api()
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    service.agent.stop()  # it keeps the true cause at its next look

    def note(status: model.ConnectionStatusName, cause: str) -> None:
        def write(tx: Any) -> None:
            row = connections.find(tx, api.project_id, made["id"])
            assert row is not None
            connection_states.note(tx, row.seq, datetime.now(UTC), status, cause)

        service.data.database.write(write)

    def told() -> tuple[str, str]:
        ((labels, _),) = _scrape(api)["landbridge_connection_status"]
        return labels["status"], labels["cause"]

    note("ACTIVE", "nothing_comes_back")
    assert told() == ("ACTIVE", "nothing_comes_back")
    note("DOWN", "psk_mismatch")
    assert told() == ("ACTIVE", "")


def test_what_is_received_has_a_time():
    at = datetime(2026, 1, 1, 0, 0, 0, 250000, tzinfo=UTC)
    row = metrics.Connection(
        "c", "n", "g", "p", model.StatusFacts(1, False, 1, "up"), 1500, model.Traffic(bytes_in=7, received_at=at)
    )
    lines = [line for series in metrics.CONNECTIONS for line in series.lines([row])]
    assert f'landbridge_connection_received_timestamp_seconds{{connection_id="c"}} {at.timestamp()}\n' in lines
    assert 'landbridge_connection_received_bytes_total{connection_id="c"} 7\n' in lines
    assert 'landbridge_connection_since_timestamp_seconds{connection_id="c"} 1.5\n' in lines


def test_a_connection_that_nobody_looked_at_is_not_up(open_service: Any):
    service = open_service()
    api = service.api()
    gateway = api.gateway()
    service.agent.stop()
    made = api.connection(gateway)
    found = _scrape(api)
    assert _of(found, "landbridge_connection_up", made["id"]) == 0
    assert [labels["status"] for labels, _ in found["landbridge_connection_status"]] == ["PENDING_CREATE"]
    assert "landbridge_connection_since_timestamp_seconds" not in found


def test_a_deleted_connection_has_no_series(api: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    api.delete(f"vpn-connection/{made['id']}")
    api.gone(f"vpn-connection/{made['id']}")
    assert "landbridge_connection_up" not in _scrape(api)


def test_a_key_of_a_project_sees_its_own_and_nothing_of_the_service(shared_service: Any):
    one, other = shared_service.api(), shared_service.api()
    made = [each.connection(each.gateway())["id"] for each in (one, other)]
    reader = shared_service.new_key(one.project_id, "reader")
    found = _scrape(one, reader.token.reveal())
    assert [labels["connection_id"] for labels, _ in found["landbridge_connection_up"]] == made[:1]
    assert {labels["project_id"] for labels, _ in found["landbridge_connections"]} == {one.project_id}
    assert "landbridge_build_info" not in found
    assert "landbridge_api_request_seconds_count" not in found


@pytest.mark.parametrize("role", ["operator", "monitor"])
def test_who_runs_the_service_sees_all_projects_and_the_service(shared_service: Any, role: str):
    one = shared_service.api()
    made = one.connection(one.gateway())["id"]
    found = _scrape(one, shared_service.new_key(None, role).token.reveal())
    assert made in {labels["connection_id"] for labels, _ in found["landbridge_connection_up"]}
    ((labels, value),) = found["landbridge_build_info"]
    assert (set(labels), value) == ({"version"}, 1)
    assert found["landbridge_agent_look_age_seconds"][0][1] < 600
    for name in (
        "landbridge_store_commit_seconds_count",
        "landbridge_store_writes_total",
        "landbridge_agent_cycle_seconds_count",
    ):
        assert found[name][0][1] > 0, name


def test_a_monitor_may_do_nothing_else(shared_service: Any):
    api = shared_service.api()
    token = {"X-Auth-Token": shared_service.new_key(None, "monitor").token.reveal()}
    for method, path in (("GET", "vpn-gateways"), ("POST", "vpn-gateways"), ("GET", "vpn-connection")):
        answer = api.http.request(method, f"/v5/{api.project_id}/{path}", headers=token)
        assert answer.status_code == 403, answer.text
    assert "engine" not in api.http.request("GET", "/readyz", headers=token).json()


def test_a_bearer_token_is_for_metrics_alone(api: Any):
    headers = {"Authorization": f"Bearer {api.key.token.reveal()}"}
    assert api.http.request("GET", f"/v5/{api.project_id}/vpn-gateways", headers=headers).status_code == 401


@pytest.mark.parametrize("header", [None, "Bearer nobody", "Bearer ", "Basic YTpi"])
def test_a_stranger_is_told_nothing(api: Any, header: str | None):
    answer = api.http.request("GET", "/metrics", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert "landbridge_" not in answer.text


def test_requests_are_counted_by_operation_and_class(shared_service: Any):
    api = shared_service.api()
    token = shared_service.new_key(None, "monitor").token.reveal()

    def counted() -> dict[tuple[str, str], float]:
        rows = _scrape(api, token).get("landbridge_api_request_seconds_count", [])
        return {(labels["operation"], labels["code"]): value for labels, value in rows}

    before = counted()
    for _ in range(3):
        api.get("vpn-gateways")
    assert api.send("GET", "vpn-gateways/none").status_code == 404
    after = counted()
    assert after["list_vgws", "2xx"] - before.get(("list_vgws", "2xx"), 0) == 3
    assert after["show_vgw", "4xx"] - before.get(("show_vgw", "4xx"), 0) == 1


def test_more_connections_than_the_setting_says_are_numbers_alone(open_service: Any):
    api = open_service(metrics=config.Metrics(connections=1)).api()
    gateway = api.gateway()
    made = [api.connection(gateway)["id"]]
    api.connection_as(made[0], "ACTIVE")
    assert len(_scrape(api)["landbridge_connection_up"]) == 1
    made.append(api.connection(gateway)["id"])
    api.connection_as(made[1], "ACTIVE")
    found = _scrape(api)
    assert "landbridge_connection_up" not in found
    assert found["landbridge_connections_without_series"] == [({}, 2)]
    assert found["landbridge_connections"] == [({"project_id": api.project_id, "status": "ACTIVE"}, 2)]


def test_a_paused_gateway_says_so(api: Any, shared_service: Any):
    gateway = api.gateway()
    shared_service.data.database.write(lambda tx: pausing.pause(tx, gateway["id"], clock.now()))
    try:
        assert [value for _, value in _scrape(api)["landbridge_gateway_paused"]] == [1]
    finally:
        shared_service.data.database.write(lambda tx: pausing.resume(tx, gateway["id"], clock.now()))


def test_every_series_has_a_name_of_its_own():
    names = [one.name for one in metrics.STORED] + list(shared_metrics.REGISTRY.metrics)
    assert len(names) == len(set(names))
    assert all(name.startswith("landbridge_") for name in names)


def test_the_status_of_facts_is_the_status_of_the_api():
    """One function decides for lists, `/metrics` and the log."""
    facts = model.StatusFacts(2, False, 2, "up")
    row = metrics.Connection("c", "n", "g", "p", facts, None, model.Traffic())
    assert row.status == "ACTIVE"


def test_a_fault_of_ours_is_500_with_the_id_of_its_line(api: Any, monkeypatch: Any, caplog: Any):
    def fail(_: Any) -> bytes:
        raise LookupError("secret")

    monkeypatch.setattr(metrics, "render", fail)
    answer = api.send("GET", "/metrics")
    assert answer.status_code == 500
    assert answer.headers["X-Request-Id"] == answer.json()["request_id"]
    assert "secret" not in answer.text
    assert "/metrics failed" in caplog.text
