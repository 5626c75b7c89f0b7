"""Upgrades of VPN gateways over HTTP: the states that clients wait for, jobs, and what restarts."""

from typing import Any

import pytest

from landbridge.cli import main
from landbridge.engine import base
from landbridge.operations import clock
from tests.conftest import VPC

PATH = "vpn-gateways"


def _act(api: Any, gateway: Any, action: Any) -> Any:
    return api.send("POST", f"{PATH}/{gateway['id']}/upgrade", {"action": action})


def _started(api: Any, gateway: Any) -> str:
    answer = _act(api, gateway, "start")
    assert answer.status_code == 200, answer.text
    return answer.json()["job_id"]


def _job(api: Any, job_id: str) -> Any:
    return next(each for each in api.get(f"{PATH}/jobs")["jobs"] if each["id"] == job_id)


def _job_as(api: Any, until: Any, job_id: str, status: str) -> Any:
    return until(lambda: (job := _job(api, job_id))["status"] == status and job, f"job {job_id} to be {status}")


def test_an_upgrade_waits_to_be_confirmed_and_succeeds(api: Any, until: Any):
    gateway = api.gateway()
    answer = _act(api, gateway, "start")
    assert "both endpoints" in answer.headers["landbridge-warnings"]
    job_id = answer.json()["job_id"]
    waiting = _job_as(api, until, job_id, "pending_upgrade_confirm")
    assert (waiting["resource_id"], waiting["job_type"]) == (gateway["id"], "upgrade")
    (part,) = waiting["sub_jobs"]
    assert part["status"] == "success"
    assert gateway["eip1"]["ip_address"] in part["job_type"]
    assert gateway["eip2"]["ip_address"] in part["job_type"]
    assert _act(api, gateway, "finish").json()["job_id"] == job_id
    done = _job(api, job_id)
    assert (done["status"], "finished_at" in done, "error_message" in done) == ("success", True, False)


def test_a_rollback_restarts_once_more(api: Any, until: Any):
    gateway = api.gateway()
    job_id = _started(api, gateway)
    _job_as(api, until, job_id, "pending_upgrade_confirm")
    assert _act(api, gateway, "rollback").json()["job_id"] == job_id
    done = _job_as(api, until, job_id, "rollback_success")
    assert [each["status"] for each in done["sub_jobs"]] == ["success", "success"]
    second = _started(api, gateway)
    _job_as(api, until, second, "pending_upgrade_confirm")
    assert _job(api, job_id)["finished_at"] == done["finished_at"]


def test_an_upgrade_is_under_way_until_the_engine_has_restarted(open_service: Any):
    service = open_service()
    api = service.api()
    gateway = api.gateway()
    service.agent.stop()
    job_id = _started(api, gateway)
    assert _job(api, job_id)["status"] == "upgrading"
    for action in ("start", "finish", "rollback"):
        answer = _act(api, gateway, action)
        assert answer.status_code == 400
        assert job_id in answer.json()["details"][0]["message"]
    assert api.send("DELETE", f"{PATH}/jobs/{job_id}").status_code == 400


def test_a_gateway_that_is_not_made_yet_takes_an_upgrade_as_it_takes_another_flavor(service: Any, until: Any):
    api, data = service.api(), str(service.data.path)
    assert main.main(["pause", "--data", data]) == 0
    gateway = api.create(PATH, "vpn_gateway", {"vpc_id": VPC, "local_subnets": ["10.0.0.0/24"]})
    flavor = {"vpn_gateway": {"flavor": "Professional2"}}
    assert api.send("POST", f"{PATH}/{gateway['id']}/update-specification", flavor).status_code == 200
    job_id = _started(api, gateway)
    assert api.gateway_as(gateway["id"], "PENDING_CREATE")["flavor"] == "Professional2"
    assert _job(api, job_id)["status"] == "upgrading"
    assert main.main(["resume", "--data", data]) == 0
    api.gateway_as(gateway["id"], "ACTIVE")
    _job_as(api, until, job_id, "pending_upgrade_confirm")


def test_an_upgrade_interrupts_the_tunnels_and_they_come_back(api: Any, until: Any):
    gateway = api.gateway()
    one, other = api.gateway(), api.connection(gateway)
    kept = api.connection(one)
    spis = {}
    for made in (other, kept):
        api.connection_as(made["id"], "ACTIVE")
        spis[made["id"]] = api.diagnosis(made["id"])["sas"][0]["spi_in"]
    _job_as(api, until, _started(api, gateway), "pending_upgrade_confirm")
    api.connection_as(other["id"], "ACTIVE")
    until(
        lambda: (seen := api.diagnosis(other["id"])["sas"]) and seen[0]["spi_in"] != spis[other["id"]],
        "a new tunnel",
    )
    assert api.diagnosis(kept["id"])["sas"][0]["spi_in"] == spis[kept["id"]]


@pytest.mark.parametrize("action", ["stop", None, 1])
def test_an_unknown_action_is_refused_by_its_field(api: Any, action: Any):
    answer = _act(api, api.gateway(), action)
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["details"]] == ["action"]


def test_there_is_nothing_to_finish_before_a_start(api: Any):
    gateway = api.gateway()
    assert [_act(api, gateway, action).status_code for action in ("finish", "rollback")] == [400, 400]


def test_jobs_are_listed_by_gateway_and_in_pages(api: Any, until: Any):
    one, two = api.gateway(), api.gateway()
    first, second = _started(api, one), _started(api, two)
    listed = api.get(f"{PATH}/jobs")["jobs"]
    assert [each["id"] for each in listed] == [first, second]
    assert [each["id"] for each in api.get(f"{PATH}/jobs?resource_id={two['id']}")["jobs"]] == [second]
    (shown,) = api.get(f"{PATH}/jobs?limit=1")["jobs"]
    assert [each["id"] for each in api.get(f"{PATH}/jobs?limit=1&marker={shown['created_at']}")["jobs"]] == [second]
    assert api.get(f"{PATH}/jobs?limit=1&marker={listed[1]['created_at']}")["jobs"] == []
    assert api.send("GET", f"{PATH}/jobs?marker=yesterday").status_code == 400
    _job_as(api, until, first, "pending_upgrade_confirm")


def test_pages_lose_none_of_the_same_millisecond(api: Any, monkeypatch: pytest.MonkeyPatch):
    gateways = [api.gateway() for _ in range(3)]
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    started = [_started(api, gateway) for gateway in gateways]
    found, marker = [], ""
    while page := api.get(f"{PATH}/jobs?limit=1&marker={marker}")["jobs"]:
        found += [each["id"] for each in page]
        assert page[-1]["sub_jobs"][0]["created_at"] == page[-1]["created_at"]
        marker = page[-1]["created_at"]
    assert found == started


def test_a_job_that_is_over_can_be_forgotten(api: Any, until: Any):
    gateway = api.gateway()
    job_id = _started(api, gateway)
    _job_as(api, until, job_id, "pending_upgrade_confirm")
    _act(api, gateway, "finish")
    api.delete(f"{PATH}/jobs/{job_id}")
    assert api.get(f"{PATH}/jobs")["jobs"] == []
    assert api.send("DELETE", f"{PATH}/jobs/{job_id}").status_code == 404


def test_jobs_are_nobody_elses_and_go_with_their_gateway(shared_service: Any, until: Any):
    api, other = shared_service.api(), shared_service.api()
    gateway = api.gateway()
    job_id = _started(api, gateway)
    assert other.get(f"{PATH}/jobs")["jobs"] == []
    assert other.send("DELETE", f"{PATH}/jobs/{job_id}").status_code == 404
    _job_as(api, until, job_id, "pending_upgrade_confirm")
    api.delete(f"{PATH}/{gateway['id']}")
    api.gone(f"{PATH}/{gateway['id']}")
    assert api.get(f"{PATH}/jobs")["jobs"] == []


def test_a_restart_that_fails_is_an_error_until_it_succeeds(service: Any, until: Any, monkeypatch: pytest.MonkeyPatch):
    api = service.api()
    gateway = api.gateway()
    apply = service.engine.apply

    def failing(gateway_id: str, step: Any) -> None:
        if step.verb == "restart":
            raise base.StepFailed("there is no room")
        apply(gateway_id, step)

    monkeypatch.setattr(service.engine, "apply", failing)
    job_id = _started(api, gateway)
    failed = _job_as(api, until, job_id, "error")
    assert "there is no room" in failed["error_message"]
    assert failed["sub_jobs"][0]["status"] == "error"
    assert "roll it back" in _act(api, gateway, "start").json()["details"][0]["message"]
    monkeypatch.undo()
    assert "error_message" not in _job_as(api, until, job_id, "pending_upgrade_confirm")
    assert _act(api, gateway, "finish").status_code == 200
