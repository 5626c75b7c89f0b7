"""What the agent is told to make, and what becomes of what it reports: the source that is bound to the store."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from landbridge import bootstrap, model, processes, site_file


@pytest.fixture
def still(open_service: Any) -> Any:
    """A service whose agent does not run: the test is the agent."""
    service = open_service()
    service.agent.stop()
    return service


@pytest.fixture
def source(still: Any) -> bootstrap.StoreSource:
    return bootstrap.StoreSource(still.data, site_file.default(), processes.Pulse())


def _applied(wanted: model.DesiredGateway, **words: Any) -> model.Observation:
    """A report that everything is applied and up to nothing."""
    connections = tuple(
        model.ConnectionObservation(connection_id=each.id, applied_generation=each.generation)
        for each in wanted.connections
    )
    sound = model.Observation(
        gateway_id=wanted.id,
        seen_at=datetime.now(UTC),
        exists=True,
        applied_generation=wanted.generation,
        failure=None,
        present=frozenset(each.id for each in wanted.connections),
        connections=connections,
    )
    return replace(sound, **words)


def _gateway(api: Any, source: bootstrap.StoreSource) -> Any:
    body = {"vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": ["10.0.0.0/24"]}
    made = api.create("vpn-gateways", "vpn_gateway", body)
    source.report(_applied(source.desired(made["id"])))
    return api.gateway_as(made["id"], "ACTIVE")


def test_a_desired_gateway_is_whole(still: Any, source: bootstrap.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    peer = api.customer_gateway(bgp_asn=65010)
    made = [api.connection(gateway, peer, vgw_ip=gateway[f"eip{n}"]["id"], psk=f"Secret-Number-{n}") for n in (1, 2)]
    wanted = source.desired(gateway["id"])
    assert (wanted.id, wanted.generation) == (gateway["id"], 1)
    assert [each.id for each in wanted.connections] == [each["id"] for each in made]
    for number, each in enumerate(wanted.connections, 1):
        assert each.psk == model.Secret(f"Secret-Number-{number}")
        assert each.local_address == gateway[f"eip{number}"]["ip_address"]
        assert (each.peer_address, each.peer_asn) == (peer["ip"], 65010)
    assert len({each.if_id for each in wanted.connections}) == 2
    assert len(wanted.fingerprint_key) == 32
    assert "Secret-Number" not in repr(wanted)


def test_a_deleting_connection_is_not_desired_and_a_deleting_gateway_is_nothing(
    still: Any, source: bootstrap.StoreSource
):
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    wanted = source.desired(gateway["id"])
    source.report(_applied(wanted))
    api.delete(f"vpn-connection/{made['id']}")
    assert source.desired(gateway["id"]).connections == ()
    assert api.get(f"vpn-connection/{made['id']}")["vpn_connection"]["status"] == "PENDING_DELETE"
    source.report(_applied(source.desired(gateway["id"])))
    api.gone(f"vpn-connection/{made['id']}")
    api.delete(f"vpn-gateways/{gateway['id']}")
    assert source.desired(gateway["id"]) is None
    assert gateway["id"] in source.gateways()
    source.report(_applied(wanted, exists=False, present=frozenset(), connections=()))
    assert source.gateways() == frozenset()
    assert source.desired("unknown") is None


def test_a_connection_deleted_while_it_is_being_made_waits_until_it_is_gone(still: Any, source: bootstrap.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    wanted = source.desired(gateway["id"])
    api.delete(f"vpn-connection/{made['id']}")
    source.report(_applied(wanted))
    assert api.get(f"vpn-connection/{made['id']}")["vpn_connection"]["status"] == "PENDING_DELETE"
    source.report(_applied(wanted, present=frozenset(), connections=()))
    assert api.send("GET", f"vpn-connection/{made['id']}").status_code == 404


def test_an_unchanged_report_renews_when_a_connection_was_seen(still: Any, source: bootstrap.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    wanted = source.desired(gateway["id"])
    moments = [datetime(2026, 1, 1, 12, minute, tzinfo=UTC) for minute in (0, 1)]
    for moment in moments:
        source.report(_applied(wanted, seen_at=moment))
        assert api.diagnosis(made["id"])["seen_at"] == f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def test_a_status_that_is_old_says_since_when(still: Any, source: bootstrap.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    source.report(_applied(source.desired(gateway["id"]), seen_at=datetime(2026, 1, 1, tzinfo=UTC)))
    said = api.diagnosis(made["id"])
    assert (said["status"], said["not_seen_since"]) == ("DOWN", "2026-01-01T00:00:00.000Z")
    source.report(_applied(source.desired(gateway["id"])))
    assert "not_seen_since" not in api.diagnosis(made["id"])


def test_a_report_of_a_failure_shows_and_goes(still: Any, source: bootstrap.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    wanted = source.desired(gateway["id"])
    source.report(_applied(wanted, failure="start gateway: no namespace"))
    assert api.get(f"vpn-gateways/{gateway['id']}")["vpn_gateway"]["status"] == "FAULT"
    source.report(_applied(wanted))
    assert api.get(f"vpn-gateways/{gateway['id']}")["vpn_gateway"]["status"] == "ACTIVE"


def test_what_an_engine_refuses_is_an_error_with_its_reason(still: Any, source: bootstrap.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    wanted = source.desired(gateway["id"])
    refused = model.ConnectionObservation(connection_id=made["id"], applied_generation=1, refused="not carried yet")
    source.report(_applied(wanted, connections=(refused,)))
    said = api.diagnosis(made["id"])
    assert (said["status"], said["reason"]) == ("ERROR", "not carried yet")


def test_a_new_source_writes_everything_again(still: Any, source: bootstrap.StoreSource):
    """What was reported is remembered only to save writes: a restarted agent knows nothing of it."""
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    down = _applied(source.desired(gateway["id"]))
    source.report(down)
    other = bootstrap.StoreSource(still.data, site_file.default(), processes.Pulse())
    refused = model.ConnectionObservation(connection_id=made["id"], applied_generation=1, refused="no")
    other.report(replace(down, connections=(refused,)))
    assert api.diagnosis(made["id"])["status"] == "ERROR"
