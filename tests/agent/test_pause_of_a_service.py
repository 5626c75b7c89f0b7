"""`landbridge pause` and `resume` on a service that runs: what the API says meanwhile, and what happens afterwards."""

from typing import Any

import httpx
import pytest

from landbridge.cli import main


@pytest.fixture
def pause(service: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `landbridge pause` or `resume` beside the service: (exit status, what it printed, what it complained of)."""

    def run(*words: str) -> tuple[int, str, str]:
        status = main.main([*words, "--data", str(service.data.path)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def _gateway_diagnosis(api: Any, gateway_id: str) -> Any:
    return api.get(f"/landbridge/v1/{api.project_id}/vpn-gateways/{gateway_id}/diagnosis")["diagnosis"]


@pytest.mark.parametrize("whole", [True, False], ids=["all gateways", "one gateway"])
def test_nothing_is_made_and_nothing_goes_until_it_is_resumed(service: Any, pause: Any, until: Any, *, whole: bool):
    api = service.api()
    gateway = api.gateway()
    which = () if whole else (gateway["id"],)
    up = api.connection(gateway)
    api.connection_as(up["id"], "ACTIVE")
    assert pause("pause", *which)[0] == 0
    new = api.connection(gateway, peer_subnets=["192.168.77.0/24"])
    api.delete(f"vpn-connection/{up['id']}")
    before = api.diagnosis(up["id"])["seen_at"]
    service.agent.nudge({gateway["id"]})
    until(lambda: api.diagnosis(up["id"])["seen_at"] != before, "a look")
    assert api.diagnosis(new["id"])["status"] == "PENDING_CREATE"
    assert api.diagnosis(up["id"])["status"] == "PENDING_DELETE"
    assert set(service.engine.observe(gateway["id"]).tunnels) == {up["id"]}
    for said in (api.diagnosis(new["id"]), api.diagnosis(up["id"])):
        assert said["reason"].startswith("paused since 20")
        assert (said["remedy"], bool(said["paused_since"])) == ("landbridge resume", True)
    assert pause("resume", *which)[0] == 0
    api.connection_as(new["id"], "ACTIVE")
    api.gone(f"vpn-connection/{up['id']}")
    assert "paused_since" not in api.diagnosis(new["id"])


def test_what_is_up_stays_active_and_says_that_it_is_left_alone(service: Any, pause: Any):
    api = service.api()
    gateway = api.gateway()
    up = api.connection(gateway)
    api.connection_as(up["id"], "ACTIVE")
    pause("pause", gateway["id"])
    said = api.diagnosis(up["id"])
    assert (said["status"], "reason" in said) == ("ACTIVE", False)
    of_gateway = _gateway_diagnosis(api, gateway["id"])
    assert (of_gateway["status"], of_gateway["paused_since"]) == ("ACTIVE", said["paused_since"])
    assert of_gateway["reason"].startswith("paused since 20")


def test_readyz_says_what_is_paused(service: Any, pause: Any):
    api, operator = service.api(), service.api(role="operator")
    gateway = api.gateway()
    assert "paused" not in operator.get("/readyz")
    pause("pause", gateway["id"])
    assert api.http.request("GET", "/readyz").json()["paused"] == 1
    pause("pause")
    assert api.http.request("GET", "/readyz").json()["paused"] == "all gateways"
    paused = operator.get("/readyz")["paused"]
    assert set(paused) == {"all gateways", gateway["id"]}
    assert paused["all gateways"].startswith("since 20")


@pytest.mark.parametrize("role", [None, "reader", "admin"])
def test_only_an_operator_reads_ids_and_versions_in_readyz(service: Any, pause: Any, role: Any):
    api = service.api(role=role or "admin")
    gateway = service.api().gateway()
    pause("pause", gateway["id"])
    answer = api.http.request("GET", "/readyz") if role is None else api.send("GET", "/readyz")
    assert answer.json() == {"status": "ready", "database": "ok", "paused": 1}
    assert service.api(role="operator").get("/readyz")["engine"]["name"] == "simulated"


@pytest.mark.parametrize("headers", [{"X-Auth-Token": "guessed"}, {"Authorization": "Basic YTpi"}], ids=str)
def test_a_probe_with_a_wrong_key_is_answered_as_anybody(service: Any, headers: dict[str, str]):
    service.api().gateway()  # the agent has looked
    answer = service.http.request("GET", "/readyz", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "database": "ok"})


def test_a_pause_is_since_when_it_began_and_each_ends_alone(service: Any, pause: Any):
    gateway = service.api().gateway()
    said = pause("pause", gateway["id"])[1]
    assert said.startswith(f"gateway {gateway['id']} paused since 20")
    assert pause("pause", gateway["id"].upper())[1] == said
    pause("pause")
    assert pause("resume")[1].splitlines()[0] == "all gateways resumed"
    assert pause("resume", gateway["id"])[1] == f"gateway {gateway['id']} resumed\n"


def test_a_resume_tells_what_is_paused_still(service: Any, pause: Any):
    gateway = service.api().gateway()
    pause("pause")
    pause("pause", gateway["id"])
    assert f"still paused: gateway {gateway['id']} since 20" in pause("resume")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pause", "no-such-gateway"), "landbridge: not found: VPN gateway no-such-gateway\n"),
        (("resume", "no-such-gateway"), "landbridge: not found: a pause of VPN gateway no-such-gateway\n"),
        (("resume",), "landbridge: not found: a pause of the service\n"),
    ],
)
def test_a_wrong_id_is_told_in_one_line(pause: Any, words: tuple[str, ...], said: str):
    assert pause(*words) == (3, "", said)


def test_a_pause_outlives_the_service(start_server: Any, until: Any, landbridge: Any):
    first = start_server("data")
    assert landbridge("pause", "--data", str(first.folder)).returncode == 0
    first.stop()
    second = start_server("data")

    def words() -> Any:
        return httpx.get(second.credentials["endpoint"] + "/readyz").json()

    assert "all gateways" in words()["paused"]
    assert landbridge("resume", "--data", str(second.folder)).returncode == 0
    until(lambda: "paused" not in words(), "the end of the pause")
