"""Reset of a connection, its SAs with their counters, and what was said about it."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

PATH = "vpn-connection"
NOBODY = "b32d91a4-0c4b-4f57-8f3a-e907174eb11d"


def _spi(api: Any, connection_id: str) -> str | None:
    sas = api.diagnosis(connection_id)["sas"]
    return sas[0]["spi_in"] if sas else None


def test_a_reset_makes_new_sas_of_one_connection_alone(api: Any, until: Any):
    gateway = api.gateway()
    made, other = api.connection(gateway), api.connection(gateway)
    for each in (made, other):
        api.connection_as(each["id"], "ACTIVE")
    before, others = _spi(api, made["id"]), _spi(api, other["id"])
    answer = api.send("POST", f"{PATH}/{made['id']}/reset")
    assert (answer.status_code, answer.json().keys()) == (200, {"request_id"})
    until(lambda: _spi(api, made["id"]) not in (None, before), "new SAs")
    api.connection_as(made["id"], "ACTIVE")
    assert _spi(api, other["id"]) == others


def test_a_reset_is_pending_until_the_engine_has_done_it(open_service: Any):
    service = open_service()
    api = service.api()
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    service.agent.stop()
    api.send("POST", f"{PATH}/{made['id']}/reset")
    shown = api.get(f"{PATH}/{made['id']}")["vpn_connection"]
    assert (shown["status"], shown["updated_at"]) == ("PENDING_UPDATE", made["updated_at"])


def test_a_reset_is_in_the_audit_trail(shared_service: Any):
    api = shared_service.api()
    made = api.connection(api.gateway())
    api.send("POST", f"{PATH}/{made['id']}/reset")
    rows = shared_service.data.database.read(
        lambda tx: tx.cursor.execute("SELECT action FROM audit WHERE resource_id = ?", (made["id"],)).fetchall()
    )
    assert [action for (action,) in rows] == ["create_vpn_connection", "reset_vpn_connection"]


@pytest.mark.parametrize(
    ("method", "what"), [("POST", "reset"), ("GET", "ipsec-sa"), ("GET", "log"), ("POST", "peer-configuration/export")]
)
def test_of_a_connection_that_is_not_there_is_404(api: Any, method: str, what: str):
    answer = api.send(method, f"{PATH}/{NOBODY}/{what}", {"vendor": "VyOS"} if "export" in what else None)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "VPN.0004")


def test_a_reader_looks_and_does_not_reset(shared_service: Any, api: Any):
    made = api.connection(api.gateway())
    reader = shared_service.api(api.project_id, "reader")
    assert reader.send("POST", f"{PATH}/{made['id']}/reset").status_code == 403
    for what in ("ipsec-sa", "log"):
        assert reader.send("GET", f"{PATH}/{made['id']}/{what}").status_code == 200


def test_what_is_being_deleted_is_not_reset(open_service: Any):
    service = open_service()
    api = service.api()
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    service.agent.stop()
    api.delete(f"{PATH}/{made['id']}")
    answer = api.send("POST", f"{PATH}/{made['id']}/reset")
    assert (answer.status_code, answer.json()["error_code"]) == (425, "VPN.0009")


def test_sas_are_told_with_their_counters(api: Any):
    before = datetime.now(UTC).replace(microsecond=0)
    made = api.connection(api.gateway(), peer_subnets=["192.168.44.0/24"])
    api.connection_as(made["id"], "ACTIVE")
    [sa] = api.get(f"{PATH}/{made['id']}/ipsec-sa")["sa_infos"]
    [seen] = api.diagnosis(made["id"])["sas"]
    collected_at = datetime.fromisoformat(sa.pop("collected_at"))
    assert before <= collected_at <= datetime.now(UTC)
    assert sa == {
        "id": f"{seen['spi_in']}-{seen['spi_out']}",
        "source_ip_cidr": "0.0.0.0/0",
        "dest_ip_cidr": "192.168.44.0/24",
        "packets_sent": 0,
        "packets_recv": 0,
        "traffic_sent": 0,
        "traffic_recv": 0,
    }


def _said(api: Any, connection_id: str) -> list[str]:
    """Without the moments, which are checked: RFC 3339, in order, and the same as `time`."""
    logs = api.get(f"{PATH}/{connection_id}/log")["logs"]
    moments = [datetime.fromisoformat(one["raw_message"].split(" ", 1)[0]) for one in logs]
    assert moments == sorted(moments)
    assert [int(moment.timestamp()) for moment in moments] == [one["time"] for one in logs]
    return [one["raw_message"].split(" ", 1)[1] for one in logs]


def test_a_tunnel_that_comes_up_has_a_log_of_it(api: Any):
    made = api.connection(api.gateway())
    api.connection_as(made["id"], "ACTIVE")
    said = _said(api, made["id"])
    assert said[0] == "generating IKE_SA_INIT request 0 [ SA KE No ]"
    assert "with pre-shared key successful" in said[-3]
    assert f"IKE_SA {made['id']}[1] established between" in said[-2]
    assert said[-1].startswith(f"CHILD_SA {made['id']}.0{{1}} established with SPIs ")


def test_a_tunnel_that_is_down_has_no_sas_and_a_log(api: Any, until: Any):
    before = int(time.time())
    made = api.connection(api.gateway())
    api.simulate(made["id"], "down:proposal")
    until(lambda: any("received proposals" in line for line in _said(api, made["id"])), "a line")
    assert api.get(f"{PATH}/{made['id']}/ipsec-sa")["sa_infos"] == []
    said = [line for line in _said(api, made["id"]) if "proposals: IKE:aes-" in line]
    assert [line.split()[0] for line in said[:2]] == ["received", "configured"]
    (line, *_) = api.get(f"{PATH}/{made['id']}/log")["logs"]
    assert before <= line["time"] <= time.time()


def test_before_the_first_look_there_is_nothing_to_tell(open_service: Any):
    service = open_service()
    api = service.api()
    gateway, peer = api.gateway(), api.customer_gateway()
    service.agent.stop()
    made = api.connection(gateway, peer)
    assert api.get(f"{PATH}/{made['id']}/ipsec-sa")["sa_infos"] == []
    assert api.get(f"{PATH}/{made['id']}/log")["logs"] == []
