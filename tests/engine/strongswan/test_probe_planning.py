"""When a device is asked what it takes, and what is reported of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import planning, probe_planning, state, steps, target
from landbridge.engine.strongswan.ike import fingerprints
from landbridge.engine.strongswan.ike import state as ike_state
from landbridge.model import negotiation
from tests.engine.strongswan import small_world

AT = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = specs.connection()
V1 = specs.changed(SPEC, ike_policy=specs.ike_policy(version="v1", negotiation_mode="main"))
ORDER = model.ProbeOrder(id="order-1")
ALGORITHMS = negotiation.Proposal(encryption=("aes-256",), integrity=("sha2-256",), groups=("group14",))


def refusal(**given: Any):
    values: dict[str, Any] = {"sender": "device", "phase": 1, "notify": "NO_PROPOSAL_CHOSEN"}
    return negotiation.Refusal(at=AT, **(values | given))


def heard():
    return negotiation.Message(at=AT, sender="device", exchange="IKE_SA_INIT", is_request=False, id=0)


def retransmits(count: int = 1):
    return negotiation.Retransmits(at=AT, sender="us", count=count, message=0)


def attempt(*facts: negotiation.Fact, outcome: model.negotiation.Outcome | None = "refused_by_device", **given: Any):
    """One of ours, made with what is loaded now."""
    values: dict[str, Any] = {"id": "1", "configuration": "", "began_at": AT, "began_by": "us"}
    return model.Attempt(outcome=outcome, facts=facts, **(values | given))


def loaded(*connections: model.DesiredConnection):
    """A gateway with all of it loaded and nothing up."""
    desired, current = specs.desired(*connections), state.GatewayState(at=AT, plane="kernel")
    while plan := [step for step in small_world.plan(desired, current) if not isinstance(step, steps.AskDevice)]:
        for step in plan:
            current = small_world.applied(current, step)
        current = small_world.put(current, sas=())
        if all("initiate" in str(step) for step in plan):
            break
    return target.prepare(desired, current.plane), current


def plan(
    *connections: model.DesiredConnection,
    attempts: tuple[model.Attempt, ...] = (),
    sas: tuple[ike_state.IkeSa, ...] = (),
    **given: Any,
):
    """What is asked, when each connection has these attempts."""
    prepared, current = loaded(*connections)
    configurations = {
        one.connection_id: one.configuration for one in small_world.report(prepared.desired, current).connections
    }
    known = {
        connection_id: tuple(replace(one, configuration=one.configuration or configuration) for one in attempts)
        for connection_id, configuration in configurations.items()
    }
    values: dict[str, Any] = {"places": 8, "automatic": True}
    current = small_world.put(current, attempts=known, sas=sas, probes=state.ProbeState(**(values | given)))
    return list(probe_planning.plan(prepared, current))


def sa(*children: str, state: str = "INSTALLED"):
    held = tuple(ike_state.Child(name=child, unique_id="2", state=state) for child in children)
    return ike_state.IkeSa(name=SPEC.id, unique_id="1", state="ESTABLISHED", children=held)


def result(**given: Any):
    values: dict[str, Any] = {
        "id": "result-1",
        "connection_id": SPEC.id,
        "at": AT - timedelta(hours=1),
        "reason": "automatic",
        "configuration": "another",
        "local_address": "203.0.113.10",
        "peer_address": "198.51.100.2",
    }
    return model.ProbeResult(**(values | given))


def probed(minutes: float, configuration: str = "another"):
    return replace(
        SPEC, probed=model.LastProbe(id="old", at=AT - timedelta(minutes=minutes), configuration=configuration)
    )


def asked(*minutes: float):
    return {"198.51.100.2": tuple(AT - timedelta(minutes=one) for one in minutes)}


@pytest.mark.parametrize(
    ("spec", "attempts", "first"),
    [
        pytest.param(SPEC, (attempt(refusal()),), "v2", id="refused"),
        pytest.param(SPEC, (attempt(refusal(notify="INVALID_KE_PAYLOAD", data="group14")),), "v2", id="another group"),
        pytest.param(V1, (attempt(refusal()),), "v1", id="refused in IKEv1"),
        pytest.param(V1, (attempt(refusal(notify="AUTHENTICATION_FAILED")),), "v1", id="another mode, or another id"),
        pytest.param(V1, (attempt(retransmits(), outcome=None),), "v2", id="silent in IKEv1, at the first retransmit"),
        pytest.param(V1, (attempt(outcome="no_answer"),), "v2", id="silent in IKEv1"),
        pytest.param(
            SPEC,
            (attempt(heard(), began_by="device", outcome="stopped"), attempt(outcome="no_answer")),
            "v2",
            id="silent, and heard otherwise",
        ),
        pytest.param(SPEC, (attempt(refusal()), attempt(heard(), outcome=None)), "v2", id="refused, and tried again"),
        pytest.param(SPEC, (), None, id="nothing was said"),
        pytest.param(SPEC, (attempt(outcome="no_answer"),), None, id="never heard"),
        pytest.param(V1, (attempt(heard(), retransmits(), outcome=None),), None, id="silent later in IKEv1"),
        pytest.param(SPEC, (attempt(refusal(phase=2)),), None, id="phase 2 refused"),
        pytest.param(SPEC, (attempt(refusal(notify="AUTHENTICATION_FAILED")),), None, id="authentication refused"),
        pytest.param(SPEC, (attempt(refusal(sender="us"), outcome="refused_by_us"),), None, id="we refused"),
        pytest.param(SPEC, (attempt(refusal(), began_by="device"),), None, id="the device's attempt"),
        pytest.param(SPEC, (attempt(refusal(), within_sa=True),), None, id="within an IKE_SA"),
        pytest.param(SPEC, (attempt(refusal(), configuration="before"),), None, id="of an older configuration"),
        pytest.param(
            SPEC,
            (
                attempt(
                    negotiation.ProposalMismatch(at=AT, phase=1, offered=(ALGORITHMS,), configured=(ALGORITHMS,)),
                    began_by="device",
                ),
                attempt(refusal()),
            ),
            None,
            id="the device has told its proposal",
        ),
        pytest.param(replace(SPEC, peer_address=None), (attempt(refusal()),), None, id="no address"),
        pytest.param(probed(0.4), (attempt(refusal()),), None, id="asked moments ago with another configuration"),
        pytest.param(probed(0.6), (attempt(refusal()),), "v2", id="asked half a minute ago with another configuration"),
    ],
)
def test_a_device_is_asked_after_a_refusal_that_does_not_say_more(
    spec: model.DesiredConnection, attempts: tuple[model.Attempt, ...], first: str | None
):
    assert [step.question and step.question.first for step in plan(spec, attempts=attempts)] == (
        [first] if first else []
    )


REFUSED = (attempt(refusal()),)
MINE = small_world.report(loaded(SPEC)[0].desired, loaded(SPEC)[1]).connections[0].configuration


@pytest.mark.parametrize(
    ("spec", "given"),
    [
        pytest.param(SPEC, {"automatic": False}, id="switched off"),
        pytest.param(SPEC, {"places": 0}, id="too many at once"),
        pytest.param(SPEC, {"asking": frozenset({SPEC.id})}, id="under way"),
        pytest.param(SPEC, {"results": {SPEC.id: result(configuration=MINE)}}, id="asked with this configuration"),
        pytest.param(probed(60, MINE), {}, id="asked with this configuration before a restart"),
        pytest.param(SPEC, {"asked_at": asked(0.4)}, id="asked moments ago for another gateway"),
        pytest.param(SPEC, {"asked_at": asked(9, 8, 7, 6, 5, 4)}, id="asked too often in an hour"),
        pytest.param(SPEC, {"sas": (sa(),)}, id="an IKE_SA is up"),
        pytest.param(SPEC, {"sas": (sa("child"),)}, id="a CHILD_SA is up"),
    ],
)
def test_a_device_is_left_alone(spec: model.DesiredConnection, given: dict[str, Any]):
    assert plan(spec, attempts=REFUSED, **given) == []


def test_each_configuration_that_is_refused_is_asked_while_there_are_few():
    [step] = plan(probed(1), attempts=REFUSED, asked_at=asked(5, 4, 3, 2, 1), results={SPEC.id: result()})
    assert step.configuration == MINE


def test_an_order_does_not_count_the_probes_of_the_hour():
    [step] = plan(ordered(), asked_at=asked(9, 8, 7, 6, 5, 4))
    assert step.probe_id == ORDER.id


def test_a_device_with_two_connections_is_asked_for_one():
    other = specs.connection(endpoint=2)
    [step] = plan(SPEC, other, attempts=REFUSED)
    assert step.connection_id == SPEC.id


def test_a_question_names_what_the_connection_has():
    policy = specs.ike_policy(dh_group="group20", local_id_type="fqdn", local_id="gateway.example")
    spec = replace(specs.changed(SPEC, ike_policy=policy), behind="192.0.0.16")
    [step] = plan(spec, attempts=REFUSED)
    assert step.question is not None
    assert (step.question.local_address, step.local_address) == ("192.0.0.16", "203.0.113.10")
    assert step.question.peer_address == step.peer_address == "198.51.100.2"
    assert step.question.group == 20
    assert step.question.identity == negotiation.Identity(kind="fqdn", value="gateway.example")


def ordered(spec: model.DesiredConnection = SPEC, **given: bool):
    return replace(spec, probe=replace(ORDER, **given))


@pytest.mark.parametrize(
    ("spec", "given", "asked", "failure"),
    [
        pytest.param(SPEC, {"automatic": False}, {"question"}, None, id="nothing was said"),
        pytest.param(probed(1, MINE), {}, {"question"}, None, id="asked a minute ago"),
        pytest.param(ordered(identity=True), {}, {"question", "identity"}, None, id="id"),
        pytest.param(ordered(V1, identity=True), {}, {"question"}, probe_planning.NO_ID_IN_V1, id="id in IKEv1"),
        pytest.param(ordered(phase_2=True), {}, {"question"}, probe_planning.NO_PHASE_1, id="phase 2 without phase 1"),
        pytest.param(ordered(phase_2=True), {"sas": (sa(),)}, {"phase_2"}, None, id="phase 2"),
        pytest.param(
            ordered(phase_2=True, identity=True),
            {"sas": (sa(),)},
            {"phase_2"},
            probe_planning.ID_KNOWN,
            id="phase 2, and an id",
        ),
        pytest.param(SPEC, {"sas": (sa(),)}, set(), probe_planning.PHASE_1_UP, id="an IKE_SA is up"),
        pytest.param(SPEC, {"sas": (sa("child"),)}, set(), probe_planning.UP, id="a CHILD_SA is up"),
        pytest.param(ordered(phase_2=True), {"sas": (sa("child"),)}, set(), probe_planning.UP, id="phase 2 is up"),
        pytest.param(replace(SPEC, peer_address=None), {}, set(), probe_planning.NO_ADDRESS, id="no address"),
        pytest.param(
            specs.changed(SPEC, style="bgp"), {}, set(), "the customer gateway has no bgp_asn", id="not carried"
        ),
    ],
)
def test_an_order_is_carried_out_or_answered(
    spec: model.DesiredConnection, given: dict[str, Any], asked: set[str], failure: str | None
):
    [step] = plan(spec if spec.probe else ordered(spec), **given)
    assert step.probe_id == ORDER.id
    assert {name for name in ("question", "phase_2", "identity") if getattr(step, name) is not None} == asked
    assert (step.failure or "").startswith(failure or "")
    assert (step.failure is None) == (failure is None)
    assert step.uses_charon == bool(asked & {"phase_2", "identity"})


@pytest.mark.parametrize(
    ("spec", "given"),
    [
        pytest.param(SPEC, {"results": {SPEC.id: result(id=ORDER.id)}}, id="done"),
        pytest.param(SPEC, {"asking": frozenset({SPEC.id})}, id="under way"),
        pytest.param(probed(0.4), {}, id="asked moments ago"),
        pytest.param(SPEC, {"sas": (sa("child", state="CREATED"),)}, id="a CHILD_SA is negotiated"),
    ],
)
def test_an_order_waits(spec: model.DesiredConnection, given: dict[str, Any]):
    assert plan(ordered(spec), **given) == []


def test_a_result_is_reported_until_it_is_known():
    prepared, current = loaded(SPEC)
    current = replace(current, probes=state.ProbeState(results={SPEC.id: result()}))
    assert probe_planning.done(prepared, current) == (result(),)
    known = replace(SPEC, probed=model.LastProbe(id="result-1", at=AT, configuration="another"))
    assert probe_planning.done(target.prepare(specs.desired(known), current.plane), current) == ()


def test_the_planner_leaves_a_connection_alone_that_charon_asks_about():
    """What a question loads is neither removed nor ended while it is asked, and all of it afterwards."""
    prepared, current = loaded(SPEC)
    child = fingerprints.child_probe(SPEC.id, prepared.configs[0].ike)
    conns = {SPEC.id: frozenset({*prepared.configs[0].children, child}), f"probe-{SPEC.id}": frozenset({"child"})}
    asked = small_world.put(current, conns=conns, sas=(sa(child),), probes=state.ProbeState(held=frozenset({SPEC.id})))
    assert planning.plan(prepared, asked) == []
    left = small_world.put(asked, probes=state.ProbeState())
    assert {type(step).__name__ for step in planning.plan(prepared, left)} >= {
        "LoadConn",
        "TerminateChild",
        "UnloadConn",
    }


class CountedSecrets(frozenset[str]):
    """Counts how often somebody looks through them."""

    count = 0

    def __iter__(self) -> Iterator[str]:
        CountedSecrets.count += 1
        return super().__iter__()


def test_the_secrets_are_looked_through_once_however_many_connections_are_down():
    """A gateway whose thousand tunnels came up looked through a thousand secrets for each of them."""
    prepared, current = loaded(*(specs.connection(f"198.51.100.{number}") for number in range(1, 9)))
    known = CountedSecrets(current.ike.secrets)
    current = small_world.put(current, secrets=known, probes=state.ProbeState(places=8, automatic=True))
    CountedSecrets.count = 0
    assert list(probe_planning.plan(prepared, current)) == []
    assert CountedSecrets.count == 1
