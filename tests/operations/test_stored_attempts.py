"""Attempts are stored over a restart, in a bounded number, and written once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import specs
from landbridge import bootstrap, model, site_file
from landbridge.model import negotiation
from landbridge.operations import nodes, strangers
from landbridge.server import heartbeat
from landbridge.store import attempts, connection_states, connections, gateways

START = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
REFUSED = "received AUTHENTICATION_FAILED notify error"
CHILD = specs.child_sa(
    local_ts=("10.0.0.0/24",),
    remote_ts=("192.168.44.0/24",),
    spi_in="c0000001",
    spi_out="c0000002",
    proposal="AES_CBC_128/HMAC_SHA2_256_128",
    installed_at=START,
)


@pytest.fixture
def still(open_service: Any) -> Any:
    """A service whose agent does not run: the test is the agent."""
    service = open_service()
    service.agent.stop()
    return service


def _source(still: Any) -> nodes.StoreSource:
    """As a process that has just started."""
    return bootstrap.make_source(still.data, site_file.default(), heartbeat.Heartbeat())


@pytest.fixture
def source(still: Any) -> nodes.StoreSource:
    return _source(still)


def attempt(number: int, **words: Any) -> model.Attempt:
    at = START + timedelta(seconds=number)
    refusal = negotiation.Refusal(at=at, line=REFUSED, sender="device", phase=1, notify="AUTHENTICATION_FAILED")
    usual: dict[str, Any] = {"began_at": at, "began_by": "us", "configuration": "0" * 12, "facts": (refusal,)}
    return model.Attempt(id=str(1000 + number), **(usual | words))


class Setting:
    """A gateway with one connection, which is down."""

    def __init__(self, still: Any, source: nodes.StoreSource) -> None:
        self.still = still
        self.api = still.api()
        body = {"vpc_id": "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa", "local_subnets": ["10.0.0.0/24"]}
        made = self.api.create("vpn-gateways", "vpn_gateway", body)
        source.report(self.seen(source.desired(made["id"])))
        self.gateway = self.api.gateway_as(made["id"], "ACTIVE")
        self.id = self.api.connection(self.gateway)["id"]
        self.wanted = source.desired(self.gateway["id"])
        self.project_id = self.wanted.gateway.project_id

    def seen(
        self, wanted: model.DesiredGateway, *said: model.Attempt, strangers: tuple[model.Attempt, ...] = ()
    ) -> model.Observation:
        usual = model.Observation(
            gateway_id=wanted.id,
            seen_at=START,
            exists=True,
            applied_generation=wanted.generation,
            failure=None,
            present=frozenset(each.id for each in wanted.connections),
            connections=tuple(
                model.ConnectionObservation(
                    connection_id=each.id, applied_generation=each.generation, configuration="0" * 12, attempts=said
                )
                for each in wanted.connections
            ),
        )
        return replace(usual, gateway=model.GatewayReport(strangers=strangers))

    def stored(self) -> tuple[model.Attempt, ...]:
        def read(tx: Any) -> tuple[model.Attempt, ...]:
            return attempts.of_connection(tx, connections.find(tx, self.project_id, self.id).seq)

        return self.still.data.database.read(read)

    def numbers(self, connection_id: str) -> list[int]:
        """The numbers of the stored attempts of any connection."""

        def read(tx: Any) -> list[int]:
            stored = attempts.of_connection(tx, connections.find(tx, self.project_id, connection_id).seq)
            return [int(each.id) - 1000 for each in stored]

        return self.still.data.database.read(read)

    def strangers(self) -> tuple[model.Attempt, ...]:
        def read(tx: Any) -> tuple[model.Attempt, ...]:
            return attempts.of_strangers(tx, gateways.find(tx, self.project_id, self.gateway["id"]).seq)

        return self.still.data.database.read(read)

    def now_strangers(self) -> tuple[model.Attempt, ...]:
        def read(tx: Any) -> tuple[model.Attempt, ...]:
            return strangers.list_of_gateway(tx, gateways.find(tx, self.project_id, self.gateway["id"]))

        return self.still.data.database.read(read)


@pytest.fixture
def setting(still: Any, source: nodes.StoreSource) -> Setting:
    return Setting(still, source)


def test_attempts_outlive_the_process_that_heard_them(setting: Setting, source: nodes.StoreSource):
    said = [attempt(number) for number in range(3)]
    source.report(setting.seen(setting.wanted, *said))
    _source(setting.still).report(setting.seen(setting.wanted, attempt(3)))
    assert setting.stored() == (*said, attempt(3))


def test_an_attempt_that_goes_on_is_written_anew(setting: Setting, source: nodes.StoreSource):
    source.report(setting.seen(setting.wanted, attempt(1), attempt(2)))
    ended = attempt(2, outcome="refused_by_device", ended_at=START)
    source.report(setting.seen(setting.wanted, attempt(1), ended))
    assert setting.stored() == (attempt(1), ended)


def test_the_last_attempts_are_kept(setting: Setting, source: nodes.StoreSource):
    for number in range(attempts.KEPT + 7):
        source.report(setting.seen(setting.wanted, attempt(number)))
    assert setting.stored() == tuple(attempt(number) for number in range(7, attempts.KEPT + 7))


def failed(number: int, **words: Any) -> model.Attempt:
    return attempt(number, outcome="refused_by_device", ended_at=START + timedelta(seconds=number), **words)


def test_attempts_that_fail_in_the_same_way_reach_back_to_the_first(setting: Setting, source: nodes.StoreSource):
    """An hour of attempts, and what was before them."""
    before = failed(0, configuration="1" * 12)
    source.report(setting.seen(setting.wanted, before))
    for number in range(10, 3610, 10):
        source.report(setting.seen(setting.wanted, failed(number)))
    last = replace(failed(3600), count=360, first_began_at=failed(10).began_at)
    assert setting.stored() == (before, last)
    entries = setting.api.get(f"/landbridge/v1/{setting.project_id}/vpn-connections/{setting.id}/timeline")["timeline"]
    [shown, other] = [each for each in entries if each["kind"] == "attempt"]
    assert (shown["count"], shown["first_began_at"], shown["began_at"]) == (
        360,
        "2026-01-02T03:04:15.678Z",
        "2026-01-02T04:04:05.678Z",
    )
    assert not other.keys() & {"count", "first_began_at"}


def test_attempts_that_are_reported_again_are_counted_once(setting: Setting, source: nodes.StoreSource):
    """An agent that could not report tells all that it knows again."""
    said = [failed(number) for number in range(5)]
    for _ in range(2):
        source.report(setting.seen(setting.wanted, *said))
        source._reported.clear()
    [stored] = setting.stored()
    assert (stored.id, stored.count) == (said[-1].id, 5)


def test_strangers_that_fail_in_the_same_way_are_counted(setting: Setting, source: nodes.StoreSource):
    said = [failed(number, peer_address="192.0.2.1", is_named=False) for number in range(5)]
    source.report(setting.seen(setting.wanted, strangers=tuple(said)))
    assert [each.count for each in setting.strangers()] == [5]


@pytest.mark.parametrize(
    ("now", "written"),
    [
        ((1, 2), []),
        ((2,), []),
        ((1, 2, 3), ["1003"]),
    ],
    ids=["the same", "one that the engine has forgotten", "one more"],
)
def test_only_what_changed_is_written(
    setting: Setting,
    source: nodes.StoreSource,
    monkeypatch: pytest.MonkeyPatch,
    now: tuple[int, ...],
    written: list[str],
):
    source.report(setting.seen(setting.wanted, attempt(1), attempt(2)))
    heard: list[str] = []

    def record(_tx: Any, _seq: int, news: Any) -> None:
        heard.extend(each.id for each in news)

    monkeypatch.setattr(attempts, "record", record)
    source.report(setting.seen(setting.wanted, *map(attempt, now)))
    assert heard == written


def test_strangers_are_kept_with_their_gateway(setting: Setting, source: nodes.StoreSource):
    said = tuple(attempt(number, peer_address=f"192.0.2.{number}", is_named=False) for number in (1, 2))
    source.report(setting.seen(setting.wanted, strangers=said))
    assert setting.strangers() == said
    assert setting.stored() == ()
    source.report(setting.seen(setting.wanted, strangers=said[1:]))
    assert setting.strangers() == said


def test_a_stranger_that_has_a_connection_by_now_is_none(setting: Setting, source: nodes.StoreSource):
    eips = [setting.gateway[f"eip{number}"]["ip_address"] for number in (1, 2)]
    peer = setting.api.customer_gateway()
    said = tuple(
        attempt(number, peer_address=peer["ip"], local_address=eip, is_named=False) for number, eip in enumerate(eips)
    )
    source.report(setting.seen(setting.wanted, strangers=said))
    assert setting.now_strangers() == said
    setting.api.connection(setting.gateway, peer)
    assert setting.now_strangers() == said[1:]


def test_a_stranger_that_is_the_device_of_another_connection_is_not_taken_for_ours(
    setting: Setting, source: nodes.StoreSource
):
    peer, at = setting.api.customer_gateway(), datetime.now(UTC) + timedelta(hours=1)
    eip = setting.gateway["eip2"]["ip_address"]
    refusal = negotiation.NoConnection(at=at, line="no IKE config found", reason="address")
    said = attempt(1, peer_address=peer["ip"], local_address=eip, began_by="device", began_at=at, facts=(refusal,))

    def first_cause(connection_id: str) -> str:
        return str(setting.api.diagnosis(connection_id)["causes"][0]["code"])

    source.report(setting.seen(setting.wanted, strangers=(said,)))
    assert first_cause(setting.id) == "unknown_peer"
    other = setting.api.connection(setting.gateway, peer)["id"]
    source.report(setting.seen(source.desired(setting.gateway["id"]), strangers=(said,)))
    assert [first_cause(each) for each in (setting.id, other)] == ["negotiating", "wrong_endpoint"]


def test_a_diagnosis_has_the_attempts_of_the_store(setting: Setting, source: nodes.StoreSource):
    source.report(setting.seen(setting.wanted, attempt(1, outcome="refused_by_device", ended_at=START)))
    _source(setting.still).report(setting.seen(setting.wanted))
    said = setting.api.diagnosis(setting.id)
    assert REFUSED in [line["line"] for line in said["evidence"]]


def test_what_a_device_said_before_it_came_up_is_not_for_others_that_wait(setting: Setting, source: nodes.StoreSource):
    """Its attempts without a name were stored at each connection that waits."""
    said, strange = (
        attempt(number, peer_address=f"192.0.2.{number}", is_named=False, began_by="device") for number in (1, 2)
    )
    alpha, other = (
        setting.api.connection(setting.gateway, setting.api.customer_gateway(id_type="fqdn", id_value=name))["id"]
        for name in ("alpha.example", "other.example")
    )
    look = setting.seen(source.desired(setting.gateway["id"]), said, strange)
    look = replace(look, connections=tuple(replace(one, waits_for_peer=True) for one in look.connections))
    source.report(look)
    assert [setting.numbers(each) for each in (alpha, other)] == [[1, 2], [1, 2]]
    is_up = {"ike_established": True, "children": (CHILD,), "peer_address": said.peer_address}
    seen = tuple(replace(one, **is_up) if one.connection_id == alpha else one for one in look.connections)
    source.report(replace(look, connections=seen))
    assert [setting.numbers(each) for each in (alpha, other)] == [[1, 2], [2]]


def test_what_was_said_goes_with_the_connection_and_the_gateway(setting: Setting, source: nodes.StoreSource):
    source.report(setting.seen(setting.wanted, attempt(1), strangers=(attempt(2),)))
    setting.api.delete(f"vpn-connection/{setting.id}")
    gone = replace(setting.seen(setting.wanted), present=frozenset(), connections=())
    source.report(gone)
    setting.api.gone(f"vpn-connection/{setting.id}")
    setting.api.delete(f"vpn-gateways/{setting.gateway['id']}")
    source.report(replace(gone, exists=False))
    assert source.gateways() == frozenset()


def _note(setting: Setting, *told: tuple[str, str | None]) -> list[tuple[str, str | None]]:
    """Notes statuses with their causes, and reads what is kept."""

    def write(tx: Any) -> list[model.StateChange]:
        seq = connections.find(tx, setting.project_id, setting.id).seq
        for number, (status, cause) in enumerate(told):
            connection_states.note(tx, seq, START + timedelta(seconds=number), status, cause)
        return connection_states.of_connection(tx, seq)

    return [(each.status, each.cause) for each in setting.still.data.database.write(write)]


def test_a_status_is_written_when_it_or_its_cause_changes(setting: Setting):
    told = [("DOWN", None), ("DOWN", None), ("DOWN", "no_answer"), ("DOWN", None), ("ACTIVE", None)]
    assert _note(setting, *told)[-3:] == [("DOWN", None), ("DOWN", "no_answer"), ("ACTIVE", None)]


def test_the_last_changes_of_a_status_are_kept(setting: Setting):
    told = [("DOWN" if number % 2 else "ACTIVE", None) for number in range(connection_states.KEPT + 9)]
    assert _note(setting, *told) == told[-connection_states.KEPT :]
