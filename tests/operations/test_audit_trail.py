"""What every change leaves behind: who, what, on which resource, in the same transaction as the change."""

from typing import Any

import pytest

from landbridge import errors
from landbridge.operations import clock, pausing


@pytest.fixture
def events(service: Any) -> Any:
    """(action, resource, actor, request id) of every event of a project, in their order."""

    def read(project_id: str) -> list[tuple[str, str, str, str]]:
        text = "SELECT action, resource_id, actor, request_id FROM audit WHERE project_id = ? ORDER BY seq"
        return service.data.database.read(lambda tx: tx.cursor.execute(text, (project_id,)).fetchall())

    return read


def test_every_change_leaves_its_event(service: Any, events: Any):
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    made = api.connection(gateway, peer)
    api.simulate(made["id"], "down")
    renamed, tags = {"customer_gateway": {"name": "other"}}, {"tags": [{"key": "k", "value": "v"}]}
    for _ in range(2):  # the second time nothing changes
        assert api.send("PUT", f"customer-gateways/{peer['id']}", renamed).status_code == 200
        assert api.send("POST", f"vpn-gateway/{gateway['id']}/tags/create", tags).status_code == 204
    for _ in range(2):
        assert api.send("POST", f"vpn-gateway/{gateway['id']}/tags/delete", tags).status_code == 204
    wish = {"vpn_connection_id": made["id"]}
    monitors = [api.create("connection-monitors", "connection_monitor", wish)["id"]]
    api.delete(f"connection-monitors/{monitors[0]}")
    monitors.append(api.create("connection-monitors", "connection_monitor", wish)["id"])
    api.delete(f"vpn-connection/{made['id']}")
    api.gone(f"vpn-connection/{made['id']}")
    api.delete(f"customer-gateways/{peer['id']}")
    api.delete(f"vpn-gateways/{gateway['id']}")
    found = [event for event in events(api.project_id) if event[2] == api.key.access_key]
    assert [(action, resource) for action, resource, _, _ in found] == [
        ("create_vgw", gateway["id"]),
        ("create_cgw", peer["id"]),
        ("create_vpn_connection", made["id"]),
        ("simulate", made["id"]),
        ("update_cgw", peer["id"]),
        ("batch_create_resource_tags", gateway["id"]),
        ("batch_delete_resource_tags", gateway["id"]),
        ("create_connection_monitor", monitors[0]),
        ("delete_connection_monitor", monitors[0]),
        ("create_connection_monitor", monitors[1]),
        ("delete_connection_monitor", monitors[1]),
        ("delete_vpn_connection", made["id"]),
        ("delete_cgw", peer["id"]),
        ("delete_vgw", gateway["id"]),
    ]
    told = {request_id: action for action, _, _, request_id in found}
    assert len(told) == len(found) - 1  # a connection and its monitor go by one request


def test_projects_and_keys_leave_events_of_this_machine(service: Any, events: Any):
    api = service.api()
    assert [(action, actor) for action, _, actor, _ in events(api.project_id)] == [
        ("create_project", "this machine"),
        ("create_key", "this machine"),
    ]


def test_a_pause_and_its_end_leave_an_event_each(service: Any, events: Any):
    api = service.api()
    gateway_id = api.gateway()["id"]
    write = service.data.database.write
    for _ in range(2):  # the second time nothing changes
        write(lambda tx: pausing.pause(tx, gateway_id, clock.now()))
    write(lambda tx: pausing.resume(tx, gateway_id, clock.now()))
    with pytest.raises(errors.NotFound):
        write(lambda tx: pausing.resume(tx, gateway_id, clock.now()))
    assert [event[:3] for event in events(api.project_id)[-2:]] == [
        ("pause_agent", gateway_id, "this machine"),
        ("resume_agent", gateway_id, "this machine"),
    ]
    write(lambda tx: pausing.pause(tx, None, clock.now()))
    last = "SELECT action, resource_id, project_id FROM audit ORDER BY seq DESC LIMIT 1"
    assert service.data.database.read(lambda tx: tx.cursor.execute(last).fetchone()) == ("pause_agent", "service", None)


def test_an_event_has_the_request_id_of_the_answer(service: Any, events: Any):
    api = service.api()
    answer = api.send("POST", "customer-gateways", {"customer_gateway": {"id_value": "198.51.100.2"}})
    assert events(api.project_id)[-1][3] == answer.headers["X-Request-Id"]


def test_what_is_refused_or_repeated_leaves_no_event(service: Any, events: Any):
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    body = {"vpn_connection": api.connection_body(gateway, peer)}
    made = api.send("POST", "vpn-connection", body, X_Client_Token="t").json()["vpn_connection"]
    before = events(api.project_id)
    assert api.send("POST", "vpn-connection", body, X_Client_Token="t").status_code == 201
    assert api.send("POST", "vpn-connection", body).status_code == 400
    assert api.send("DELETE", f"vpn-gateways/{gateway['id']}").status_code == 400
    assert api.send("DELETE", "vpn-connection/nobody").status_code == 404
    assert api.simulate("nobody", "down").status_code == 404
    assert api.get(f"vpn-connection/{made['id']}")
    assert events(api.project_id) == before


def test_a_second_delete_leaves_no_second_event(service: Any, events: Any):
    api = service.api()
    gateway = api.gateway()
    made = api.connection(gateway)
    service.agent.stop()
    for path in (f"vpn-connection/{made['id']}",):
        api.delete(path)
        api.delete(path)
    actions = [action for action, _, _, _ in events(api.project_id)]
    assert actions.count("delete_vpn_connection") == 1


def test_tags_go_with_their_resource(service: Any):
    api = service.api()
    tags = [{"key": "k", "value": "v"}]
    gateway, peer = api.gateway(tags=tags), api.customer_gateway(tags=tags)
    made = api.connection(gateway, peer, tags=tags)

    def kinds() -> list[str]:
        text = "SELECT resource_type FROM tag ORDER BY resource_type"
        return [row[0] for row in service.data.database.read(lambda tx: tx.cursor.execute(text).fetchall())]

    assert kinds() == ["customer-gateway", "vpn-connection", "vpn-gateway"]
    for path in (f"vpn-connection/{made['id']}", f"customer-gateways/{peer['id']}", f"vpn-gateways/{gateway['id']}"):
        api.delete(path)
        api.gone(path)
    assert kinds() == []


def test_everything_deleted_leaves_only_the_audit_trail(service: Any):
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    for number in (1, 2):
        api.connection(gateway, peer, vgw_ip=gateway[f"eip{number}"]["id"])
    for each in api.get("vpn-connection")["vpn_connections"]:
        api.delete(f"vpn-connection/{each['id']}")
        api.gone(f"vpn-connection/{each['id']}")
    for path in (f"customer-gateways/{peer['id']}", f"vpn-gateways/{gateway['id']}"):
        api.delete(path)
        api.gone(path)
    looks = ("gateway_observation", "connection_observation")
    tables = ("vpn_gateway", "endpoint_use", "customer_gateway", "connection", "tag", *looks)
    rows = service.data.database.read(
        lambda tx: {t: tx.cursor.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}  # noqa: S608
    )
    assert rows == dict.fromkeys(tables, 0)
    counters = "SELECT DISTINCT value FROM counter"
    assert service.data.database.read(lambda tx: tx.cursor.execute(counters).fetchall()) == [(0,)]
    assert service.engine.gateways() == frozenset()
