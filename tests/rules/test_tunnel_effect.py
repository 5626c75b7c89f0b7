"""The effect of a change on a tunnel, as a person is told, is what the planner of the engine does."""

import dataclasses
from typing import Any

import pytest

from lab import sites, specs
from landbridge import model
from landbridge.engine.strongswan.ike import steps
from landbridge.rules import tunnel_effect
from tests.engine.strongswan import small_world, test_planning

STARTS = {"kernel": test_planning.IN_KERNEL, "userland": test_planning.NOTHING}
RULES = (specs.policy(1, "10.0.0.0/25", "192.168.10.0/24"), specs.policy(2, "10.0.0.128/25", "192.168.11.0/24"))
INNER = {"tunnel_local_address": "169.254.70.1/30", "tunnel_peer_address": "169.254.70.2/30"}
STYLES: dict[str, dict[str, Any]] = {
    "static": {"peer_subnets": ("192.168.10.0/24", "192.168.11.0/24"), "enable_nqa": True} | INNER,
    "policy": {"peer_subnets": None, "policy_rules": RULES},
}
#: Name of a change -> the change. `psk` and `peer_address` are of the desired connection.
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "name": {"name": "renamed"},
    "hub": {"enable_hub": True},
    "psk": {"psk": "Another-Horse-8"},
    "device": {"peer_address": "198.51.100.99"},
    "IKE version": {"ike_policy": specs.ike_policy(version="v1", negotiation_mode="main")},
    "IKE encryption": {"ike_policy": specs.ike_policy(encryption_algorithm="aes-256")},
    "IKE authentication": {"ike_policy": specs.ike_policy(authentication_algorithm="sha2-512")},
    "DH group": {"ike_policy": specs.ike_policy(dh_group="group19")},
    "IKE lifetime": {"ike_policy": specs.ike_policy(lifetime_seconds=7200)},
    "local id": {"ike_policy": specs.ike_policy(local_id_type="fqdn", local_id="hq.example")},
    "peer id": {"ike_policy": specs.ike_policy(peer_id_type="fqdn", peer_id="branch.example")},
    "DPD interval": {"ike_policy": specs.ike_policy(dpd=model.Dpd(interval=20, timeout=10, msg="seq-hash-notify"))},
    "DPD timeout": {"ike_policy": specs.ike_policy(dpd=model.Dpd(interval=30, timeout=9, msg="seq-hash-notify"))},
    "IPsec encryption": {"ipsec_policy": specs.ipsec_policy(encryption_algorithm="aes-256")},
    "PFS": {"ipsec_policy": specs.ipsec_policy(pfs="disable")},
    "IPsec lifetime": {"ipsec_policy": specs.ipsec_policy(lifetime_seconds=7200)},
    "subnets": {"peer_subnets": ("192.168.10.0/24",)},
    "tunnel address": {"tunnel_local_address": "169.254.71.1/30", "tunnel_peer_address": "169.254.71.2/30"},
    "NQA": {"enable_nqa": False},
    "rules": {"policy_rules": RULES[:1]},
    "index of a rule": {"policy_rules": (RULES[0], dataclasses.replace(RULES[1], index=7))},
}
CASES = [
    pytest.param(style, plane, change, id=f"{style}-{plane}-{change}")
    for style in STYLES
    for plane in STARTS
    for change, given in CHANGES.items()
    if not ({"peer_subnets", "tunnel_local_address", "enable_nqa"} & given.keys() and style == "policy")
    and not ("policy_rules" in given and style == "static")
]


def _spec(style: str) -> model.DesiredConnection:
    return specs.connection(style=style, **STYLES[style])


def _changed(spec: model.DesiredConnection, given: dict[str, Any]) -> model.DesiredConnection:
    peer_address = given.get("peer_address", spec.peer_address)
    fields = {name: value for name, value in given.items() if name != "peer_address"}
    return dataclasses.replace(specs.changed(spec, **fields), peer_address=peer_address)


def _planned(
    was: model.DesiredConnection,
    now: model.DesiredConnection,
    plane: str,
    gateway: model.VpnGateway = test_planning.GATEWAY,
) -> set[type]:
    """The kinds of the steps that end SAs, when the tunnel is up and the connection changes. `gateway`: the VPN gateway after the change."""
    before, after = specs.desired(was, of=test_planning.GATEWAY), specs.desired(now, of=gateway)
    up = test_planning.settled(before, STARTS[plane])
    assert [child for sa in up.ike.sas for child in sa.children if child.live]
    ends = (steps.TerminateIke, steps.TerminateChild)
    return {type(step) for step in small_world.plan(after, up) if isinstance(step, ends)}


def _effect(was: model.DesiredConnection, now: model.DesiredConnection, plane: Any) -> model.TunnelEffect:
    moves = was.peer_address != now.peer_address
    return tunnel_effect.derive(was.connection, now.connection, moves=moves, local=(sites.VPC,), plane=plane)


@pytest.mark.parametrize(("style", "plane", "change"), CASES)
def test_the_effect_is_what_the_planner_does(style: str, plane: str, change: str):
    was = _spec(style)
    now = _changed(was, CHANGES[change])
    ends: dict[model.TunnelEffect, set[type]] = {"ike": {steps.TerminateIke}, "child": {steps.TerminateChild}}
    effect = _effect(was, now, plane)
    assert _planned(was, now, plane) == ends.get(effect, set()), effect


@pytest.mark.parametrize("plane", STARTS)
@pytest.mark.parametrize("style", STYLES)
def test_the_effect_of_other_local_subnets_is_what_the_planner_does(style: str, plane: Any):
    spec, subnets = _spec(style), ("10.9.0.0/24",)
    ends: dict[model.TunnelEffect, set[type]] = {"child": {steps.TerminateChild}}
    one = spec.connection
    effect = tunnel_effect.derive(one, one, moves=False, local=(sites.VPC,), local_now=subnets, plane=plane)
    gateway = dataclasses.replace(test_planning.GATEWAY, local_subnets=subnets)
    assert _planned(spec, spec, plane, gateway) == ends.get(effect, set()), effect
    assert (effect == "child") == (style == "static" and plane == "userland")


@pytest.mark.parametrize("plane", STARTS)
def test_a_dpd_timeout_of_ikev1_is_part_of_the_ike_sa(plane: str):
    was = _changed(_spec("static"), CHANGES["IKE version"])
    dpd = model.Dpd(interval=30, timeout=9, msg="seq-hash-notify")
    now = specs.changed(was, ike_policy=dataclasses.replace(was.connection.ike_policy, dpd=dpd))
    assert _effect(was, now, plane) == "ike"
    assert _planned(was, now, plane) == {steps.TerminateIke}


@pytest.mark.parametrize(
    ("change", "effect"), [("nothing", "none"), ("name", "none"), ("hub", "none"), ("NQA", "applied")]
)
def test_what_the_engine_does_not_apply_changes_nothing(change: str, effect: str):
    was = _spec("static")
    assert _effect(was, _changed(was, CHANGES[change]), "kernel") == effect


@pytest.mark.parametrize("effect", ["none", "applied", "child", "ike"])
def test_the_text_also_says_what_happens_with_a_new_key(effect: model.TunnelEffect):
    plain, rekeyed = (tunnel_effect.text(effect, rekeys=rekeys) for rekeys in (False, True))
    assert "pre-shared key" not in plain
    assert ("at once" if effect == "ike" else "beside the tunnel") in rekeyed
