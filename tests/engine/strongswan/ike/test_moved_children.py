"""Which CHILD_SAs of IKEv1 are rekeyed after they were moved, and when: values in, steps out."""

import pytest

from lab import specs
from landbridge import model
from landbridge.engine.strongswan import target
from landbridge.engine.strongswan.ike import fingerprints, moved_children, state, steps

V1 = specs.connection(ike_policy=specs.ike_policy(version="v1", negotiation_mode="main"))
V2 = specs.connection()


@pytest.mark.parametrize(
    ("spec", "initiator", "age", "children", "rekeyed", "looks"),
    [
        pytest.param(V1, True, 15, {"INSTALLED": 100}, ["1"], [], id="moved, and we began"),
        pytest.param(V1, True, 14, {"INSTALLED": 100}, [], [1], id="the old IKE_SA may still be there"),
        pytest.param(V1, False, 15, {"INSTALLED": 100}, [], [15], id="the device began, and may rekey first"),
        pytest.param(V1, False, 30, {"INSTALLED": 100}, ["1"], [], id="the device began, and did not rekey"),
        pytest.param(V1, True, 900, {"INSTALLED": 1000}, [], [], id="Landbridge was away"),
        pytest.param(V1, True, 15, {"INSTALLED": 15}, [], [], id="came up with its IKE_SA"),
        pytest.param(V1, True, 15, {"INSTALLED": 16}, [], [], id="whole seconds are rounded"),
        pytest.param(
            V1, True, 20, {"REKEYED": 200, "INSTALLED": 20}, ["2"], [], id="rekeyed in the moment of the move"
        ),
        pytest.param(V1, True, 20, {"REKEYED": 200, "INSTALLED": 10}, ["2"], [], id="rekeyed beside the old IKE_SA"),
        pytest.param(V1, True, 20, {"REKEYED": 200, "INSTALLED": 9}, [], [], id="rekeyed since the old IKE_SA went"),
        pytest.param(V1, True, 100, {"REKEYING": 200}, [], [], id="is being rekeyed"),
        pytest.param(V2, True, 100, {"INSTALLED": 200}, [], [], id="IKEv2 has moved it at both ends"),
    ],
)
def test_what_a_reauthentication_moved_is_rekeyed_once(
    spec: model.DesiredConnection,
    initiator: bool,
    age: int,
    children: dict[str, int],
    rekeyed: list[str],
    looks: list[float],
):
    [config] = target.prepare(specs.desired(spec, of=specs.gateway()), "userland").configs
    name = config.children[0]
    held = tuple(
        state.Child(name, str(at), condition, installed_seconds=seconds)
        for at, (condition, seconds) in enumerate(children.items(), 1)
    )
    sas = [state.IkeSa(spec.id, "7", "ESTABLISHED", established_seconds=age, is_initiator=initiator, children=held)]
    planned = [steps.RekeyChild(spec.id, each, name) for each in rekeyed]
    assert list(moved_children.plan(config, sas, frozenset())) == planned
    assert list(moved_children.plan(config, sas, frozenset(map(fingerprints.rekey, rekeyed)))) == []
    assert list(moved_children.due_observations(config, sas)) == looks


def test_of_many_a_few_are_rekeyed_a_second():
    [config] = target.prepare(specs.desired(V1, of=specs.gateway()), "userland").configs
    many = tuple(
        state.Child(config.children[0], str(at), "INSTALLED", installed_seconds=100)
        for at in range(2 * moved_children.RATE)
    )
    sas = [state.IkeSa(V1.id, "7", "ESTABLISHED", established_seconds=15, is_initiator=True, children=many)]
    assert len(list(moved_children.plan(config, sas, frozenset()))) == moved_children.RATE
    assert set(moved_children.due_observations(config, sas)) == {1}


@pytest.mark.parametrize(
    ("spec", "initiator", "age", "other", "rekeyed", "looks"),
    [
        pytest.param(V1, True, 3, {}, ["1"], [], id="the other one is empty, and we began this one"),
        pytest.param(V1, True, 2, {}, [], [1], id="too early"),
        pytest.param(V1, False, 3, {}, [], [3], id="the device began, and may rekey first"),
        pytest.param(V1, False, 6, {}, ["1"], [], id="the device began, and did not rekey"),
        pytest.param(V1, True, 12, {}, [], [], id="an old IKE_SA has no child any more"),
        pytest.param(V1, True, 3, {"INSTALLED": 3}, [], [], id="both have all"),
        pytest.param(V2, True, 3, {}, [], [], id="IKEv2 moves nothing here"),
    ],
)
def test_what_may_have_been_moved_when_both_ends_dialled_is_rekeyed(
    spec: model.DesiredConnection,
    initiator: bool,
    age: int,
    other: dict[str, int],
    rekeyed: list[str],
    looks: list[int],
):
    [config] = target.prepare(specs.desired(spec, of=specs.gateway()), "userland").configs
    name = config.children[0]
    first = state.Child(name, "1", "INSTALLED", installed_seconds=age)
    later = state.Child(name, "2", "INSTALLED", installed_seconds=0)
    held = tuple(state.Child(name, "3", each, installed_seconds=seconds) for each, seconds in other.items())
    sas = [
        state.IkeSa(
            spec.id, "7", "ESTABLISHED", established_seconds=age, is_initiator=initiator, children=(first, later)
        ),
        state.IkeSa(spec.id, "8", "ESTABLISHED", established_seconds=age, is_initiator=not initiator, children=held),
    ]
    planned = [steps.RekeyChild(spec.id, each, name) for each in rekeyed]
    assert list(moved_children.plan(config, sas, frozenset())) == planned
    assert list(moved_children.due_observations(config, sas)) == looks
