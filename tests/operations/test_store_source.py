"""What the agent is told to make, and what becomes of what it reports: the source that is bound to the store."""

import os
import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from lab import specs
from landbridge import bootstrap, model, site_file
from landbridge.operations import nodes, site_cover
from landbridge.server import heartbeat
from landbridge.store import tables
from landbridge.store.statement import Statement


@pytest.fixture
def still(open_service: Any) -> Any:
    """A service whose agent does not run: the test is the agent."""
    service = open_service()
    service.agent.stop()
    return service


@pytest.fixture
def source(still: Any) -> nodes.StoreSource:
    return bootstrap.make_source(still.data, site_file.default(), heartbeat.Heartbeat())


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


def _gateway(api: Any, source: nodes.StoreSource) -> Any:
    body = {"vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": ["10.0.0.0/24"]}
    made = api.create("vpn-gateways", "vpn_gateway", body)
    source.report(_applied(source.desired(made["id"])))
    return api.gateway_as(made["id"], "ACTIVE")


def test_a_desired_gateway_is_whole(still: Any, source: nodes.StoreSource):
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


def test_a_report_does_not_wait_for_the_disk(still: Any, source: nodes.StoreSource, monkeypatch: pytest.MonkeyPatch):
    """Nor does the change of a status that it brings. Other threads may synchronize meanwhile."""
    gateway = _gateway(api := still.api(), source)
    made, this_thread, synced = api.connection(gateway), threading.get_ident(), []
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.append((threading.get_ident(), file)))
    source.report(_applied(source.desired(gateway["id"])))
    assert api.get(f"vpn-connection/{made['id']}")["vpn_connection"]["status"] == "DOWN"
    assert this_thread not in {thread for thread, _ in synced}


def test_a_deleting_connection_is_not_desired_and_a_deleting_gateway_is_nothing(still: Any, source: nodes.StoreSource):
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


def test_nothing_is_remembered_of_a_gateway_that_is_gone(still: Any, source: nodes.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    wanted = source.desired(gateway["id"])
    api.delete(f"vpn-gateways/{gateway['id']}")
    assert _remembers(source, gateway["id"])
    source.report(_applied(wanted, exists=False, present=frozenset()))
    source.gateways()
    assert _remembers(source, gateway["id"]) == []


def _remembers(source: nodes.StoreSource, gateway_id: str) -> list[str]:
    return [name for name, value in vars(source).items() if gateway_id in repr(value)]


def test_a_connection_deleted_while_it_is_being_made_waits_until_it_is_gone(still: Any, source: nodes.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    wanted = source.desired(gateway["id"])
    api.delete(f"vpn-connection/{made['id']}")
    source.report(_applied(wanted))
    assert api.get(f"vpn-connection/{made['id']}")["vpn_connection"]["status"] == "PENDING_DELETE"
    source.report(_applied(wanted, present=frozenset(), connections=()))
    assert api.send("GET", f"vpn-connection/{made['id']}").status_code == 404


def test_an_unchanged_report_renews_when_a_connection_was_seen(still: Any, source: nodes.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    wanted = source.desired(gateway["id"])
    moments = [datetime(2026, 1, 1, 12, minute, tzinfo=UTC) for minute in (0, 1)]
    for moment in moments:
        source.report(_applied(wanted, seen_at=moment))
        assert api.diagnosis(made["id"])["seen_at"] == f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def test_a_status_that_is_old_says_since_when(still: Any, source: nodes.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    source.report(_applied(source.desired(gateway["id"]), seen_at=datetime(2026, 1, 1, tzinfo=UTC)))
    said = api.diagnosis(made["id"])
    assert (said["status"], said["not_seen_since"]) == ("DOWN", "2026-01-01T00:00:00.000Z")
    source.report(_applied(source.desired(gateway["id"])))
    assert "not_seen_since" not in api.diagnosis(made["id"])


def test_a_report_of_a_failure_shows_and_goes(still: Any, source: nodes.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    wanted = source.desired(gateway["id"])
    source.report(_applied(wanted, failure="start gateway: no namespace"))
    assert api.get(f"vpn-gateways/{gateway['id']}")["vpn_gateway"]["status"] == "FAULT"
    source.report(_applied(wanted))
    assert api.get(f"vpn-gateways/{gateway['id']}")["vpn_gateway"]["status"] == "ACTIVE"


def test_a_gateway_in_fault_is_counted_for_anybody_and_shows_in_its_connections(still: Any, source: nodes.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    wanted = source.desired(gateway["id"])
    source.report(_applied(wanted, failure="move the VPC link to bridge br0: no such interface"))
    answer = api.http.request("GET", "/readyz")
    assert answer.json()["faults"] == 1
    assert gateway["id"] not in answer.text
    reason = "the VPN gateway is FAULT: move the VPC link to bridge br0: no such interface"
    assert api.diagnosis(made["id"])["reason"] == reason
    (row,) = api.get(f"/landbridge/v1/{api.project_id}/vpn-connections")["vpn_connections"]
    assert row["reason"] == reason
    source.report(_applied(wanted))
    assert "faults" not in api.http.request("GET", "/readyz").json()
    assert not api.diagnosis(made["id"])["reason"].startswith("the VPN gateway")


NETWORK = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"
PLUGGED = model.Network(id=NETWORK, cidr="10.0.0.0/24", bridge="br0", address="10.0.0.1/24")
SITE = model.Site(
    eips=tuple(model.Eip(id=str(uuid.UUID(int=n)), address=f"203.0.113.{n}") for n in (1, 2)),
    networks=(PLUGGED,),
    zones=("zone-1",),
    any_network=False,
    gateway_addresses=("10.0.0.200", "10.0.0.209"),
)
OTHER = model.Network(id=str(uuid.UUID(int=3)), cidr="10.7.0.0/24")


@pytest.mark.parametrize(
    ("site", "lost", "said"),
    [
        pytest.param(SITE, [], [], id="nothing"),
        pytest.param(replace(SITE, eips=SITE.eips[1:]), ["EIP "], ["has EIP "], id="an-eip"),
        pytest.param(replace(SITE, networks=(OTHER,)), ["network "], ["has network "], id="the-network"),
        pytest.param(
            replace(SITE, eips=(), networks=(OTHER,)),
            ["EIP ", "EIP ", "network "],
            ["has EIP ", "has EIP ", "has network "],
            id="all",
        ),
        pytest.param(
            replace(SITE, networks=(replace(PLUGGED, projects=("f" * 32,)),)),
            [],
            ["names project ffff", "has network "],
            id="for-another-project",
        ),
        pytest.param(
            replace(SITE, eips=tuple(replace(eip, projects=("f" * 32,)) for eip in SITE.eips)),
            [],
            ["names project ffff", "has EIP ", "has EIP "],
            id="eips-for-another-project",
        ),
    ],
)
def test_what_the_site_file_no_longer_has_is_told_and_not_guessed(
    open_service: Any, site: model.Site, lost: list[str], said: list[str]
):
    service = open_service(site=SITE)
    gateway = service.api().gateway()
    wanted = bootstrap.make_source(service.data, site, heartbeat.Heartbeat()).desired(gateway["id"])
    assert [one[: len(begin)] for one, begin in zip(wanted.uncovered, lost, strict=True)] == lost
    lines = service.data.database.read(lambda tx: list(site_cover.warnings(tx, site)))
    assert len(lines) == len(said)
    assert all(begin in line for line, begin in zip(lines, said, strict=True))


def test_private_addresses_of_before_are_told_and_stay(open_service: Any):
    """Also a device that has one of the range: it is given to no private gateway."""
    unlisted = replace(SITE, networks=(), any_network=True)
    service = open_service(site=unlisted)
    api = service.api()
    gateway = api.gateway(network_type="private", vpc_id=OTHER.id)
    peer = api.customer_gateway(id_value="10.7.0.205")
    ranged = replace(
        SITE, networks=(replace(OTHER, gateway_addresses=("10.7.0.200", "10.7.0.209")),), gateway_addresses=None
    )
    assert bootstrap.make_source(service.data, ranged, heartbeat.Heartbeat()).desired(gateway["id"]).uncovered == ()
    read = service.data.database.read
    lines = read(lambda tx: list(site_cover.warnings(tx, ranged)))
    addresses = [gateway[f"access_private_ip_{n}"] for n in (1, 2)]
    assert [address in line for line, address in zip(lines, addresses, strict=True)] == [True, True]
    assert read(lambda tx: site_cover.devices(tx, ranged)) == {peer["id_value"]}
    (line,) = site_cover.occupied(ranged, {peer["id_value"], "10.9.9.9"}, "a customer gateway")
    assert line.startswith("10.7.0.205 is kept for private gateways, and a customer gateway has it")


def test_what_an_engine_refuses_is_an_error_with_its_reason(still: Any, source: nodes.StoreSource):
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    wanted = source.desired(gateway["id"])
    refused = model.ConnectionObservation(connection_id=made["id"], applied_generation=1, refused="not carried yet")
    source.report(_applied(wanted, connections=(refused,)))
    said = api.diagnosis(made["id"])
    assert (said["status"], said["reason"]) == ("ERROR", "not carried yet")


def test_a_new_source_writes_everything_again(still: Any, source: nodes.StoreSource):
    """What was reported is remembered only to save writes: a restarted agent knows nothing of it."""
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    down = _applied(source.desired(gateway["id"]))
    source.report(down)
    other = bootstrap.make_source(still.data, site_file.default(), heartbeat.Heartbeat())
    refused = model.ConnectionObservation(connection_id=made["id"], applied_generation=1, refused="no")
    other.report(replace(down, connections=(refused,)))
    assert api.diagnosis(made["id"])["status"] == "ERROR"


def _up(connection_id: str, at: datetime, **words: Any) -> model.ConnectionObservation:
    child = specs.child_sa(
        local_ts=("10.0.0.0/24",),
        remote_ts=("192.168.44.0/24",),
        spi_in="c0000001",
        spi_out="c0000002",
        installed_at=at,
        last_in_at=at,
    )
    return model.ConnectionObservation(
        connection_id=connection_id, applied_generation=1, ike_established=True, children=(replace(child, **words),)
    )


def test_a_tunnel_that_did_not_change_is_not_written_again(still: Any, source: nodes.StoreSource):
    """The row is taken away between the reports: it comes back only when it is written."""
    api = still.api()
    gateway = _gateway(api, source)
    made = api.connection(gateway)
    wanted, at = source.desired(gateway["id"]), datetime(2026, 1, 1, 12, tzinfo=UTC)
    shown = []
    for seconds, change in ((0, {}), (30, {}), (60, {}), (90, {"bytes_in": 84, "packets_in": 1})):
        up = _up(made["id"], at + timedelta(seconds=seconds % 20 // 10), **change)
        source.report(_applied(wanted, seen_at=at + timedelta(seconds=seconds), connections=(up,)))
        shown.append([sa["installed_seconds"] for sa in api.diagnosis(made["id"])["sas"]])
        still.data.database.write(lambda tx: tx.run(Statement(delete(tables.connection_observation))))
    assert shown == [[0], [], [], [90]]
