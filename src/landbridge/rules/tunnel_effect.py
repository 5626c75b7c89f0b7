"""Derives what a change of a connection will do to its tunnel.

The planner of the engine compares the names of what is loaded (docs/decisions/0043 for the pre-shared key). This module compares two
connections instead, and a test holds it against the planner. When in doubt, it reports the larger effect.
"""

import dataclasses
from typing import Any

from landbridge import model
from landbridge.model import strongswan_proposals, traffic_selectors

_TEXTS: dict[model.TunnelEffect, str] = {
    "none": "The tunnel does not change.",
    "applied": "No SA is negotiated anew. Only what is beside the SAs changes, such as routes and echoes.",
    "child": "CHILD_SAs (phase 2) are negotiated anew. The IKE_SA (phase 1) stays.",
    "ike": "The IKE_SA (phase 1) and all its CHILD_SAs are negotiated anew.",
}
_KEY = {
    True: "The device needs the new pre-shared key at once.",
    False: "The new pre-shared key is tried beside the tunnel, which goes on until the device has the new key, too.",
}


def derive(
    was: model.Connection,
    now: model.Connection,
    *,
    moves: bool,
    local: tuple[str, ...],
    local_now: tuple[str, ...] | None = None,
    plane: model.Plane,
) -> model.TunnelEffect:
    """`moves`: whether an end of the tunnel has another address or identity. `local`: the local subnets of the VPN gateway before the change;
    `local_now`: after it, None when they stay. `plane`: of the node.
    """
    if moves or _ike(was.ike_policy) != _ike(now.ike_policy):
        return "ike"
    if _children(was, local, plane) != _children(now, local if local_now is None else local_now, plane):
        return "child"
    without_effect = ("name", "enable_hub", "policy_rules_given", "updated_at")
    same = {name: getattr(now, name) for name in without_effect}
    return "none" if dataclasses.replace(was, **same) == now else "applied"


def text(effect: model.TunnelEffect, *, rekeys: bool) -> str:
    """`rekeys`: whether the pre-shared key changes."""
    if not rekeys:
        return _TEXTS[effect]
    key = _KEY[effect == "ike"]
    return key if effect == "none" else f"{_TEXTS[effect]} {key}"


def _ike(policy: model.IkePolicy) -> tuple[Any, ...]:
    """Returns what an IKE_SA is made from. An IKE_SA of IKEv2 does not depend on the DPD timeout."""
    of_v1 = (policy.negotiation_mode, policy.dpd.timeout) if policy.version == "v1" else ()
    return (
        policy.version,
        strongswan_proposals.ike_proposal(policy),
        policy.lifetime_seconds,
        policy.dpd.interval,
        (policy.local_id_type, policy.local_id),
        (policy.peer_id_type, policy.peer_id),
        policy.authentication_method,
        *of_v1,
    )


def _children(connection: model.Connection, local: tuple[str, ...], plane: model.Plane) -> tuple[Any, ...]:
    """Returns what CHILD_SAs are made from. With a tunnel interface (kernel, static and bgp) the selectors are always 0.0.0.0/0."""
    policy = connection.ipsec_policy
    pairs: tuple[Any, ...] = ()
    if plane != "kernel" or connection.style in ("policy", "policy-template"):
        inner = None if connection.style == "policy" else traffic_selectors.inner_addresses(connection)
        pairs = (*traffic_selectors.subnet_pairs(connection, local), inner)
    return (strongswan_proposals.esp_proposal(policy), policy.lifetime_seconds, pairs)
