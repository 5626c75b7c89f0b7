"""The policy template of a VPN gateway decides algorithms and lifetimes of its connections of style policy-template. Pure.

The first message of a device that dials in shows no id yet, so that all connections that wait for a device offer the same
(docs/decisions/0049).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from landbridge import model

#: The fields of the template's two policies; those of a connection have the same names.
IKE = ("authentication_algorithm", "encryption_algorithm", "dh_group", "lifetime_seconds")
IPSEC = ("authentication_algorithm", "encryption_algorithm", "pfs", "lifetime_seconds")


def find(style: str, gateway: model.VpnGateway | None) -> model.PolicyTemplate | None:
    """The template that a connection of this style follows; None for a connection with its own policies."""
    return gateway.policy_template if gateway is not None and style == "policy-template" else None


def check(request: model.ConnectionRequest, template: model.PolicyTemplate) -> Iterator[model.Violation]:
    requested = [("ikepolicy", field, getattr(request.ike_policy, field), _ike(template)[field]) for field in IKE]
    requested += [
        ("ipsecpolicy", field, getattr(request.ipsec_policy, field), _ipsec(template)[field]) for field in IPSEC
    ]
    for policy, field, value, expected in requested:
        if value not in (None, expected):
            allowed = f"{expected}, or leave it out; an update of the VPN gateway changes its policy_template"
            yield model.Violation(f"{policy}.{field}", f"{value!r} differs from the gateway's policy_template", allowed)


def completed(request: model.ConnectionRequest, template: model.PolicyTemplate | None) -> model.ConnectionRequest:
    """The request with what the template decides."""
    if template is None:
        return request
    return replace(
        request,
        ike_policy=replace(request.ike_policy, **_ike(template)),
        ipsec_policy=replace(request.ipsec_policy, **_ipsec(template)),
    )


def following(merged: model.ConnectionRequest, change: model.ConnectionRequest) -> model.ConnectionRequest:
    """The merged request of an update. Fields that the change does not name follow the template."""
    return replace(
        merged,
        ike_policy=replace(merged.ike_policy, **{field: getattr(change.ike_policy, field) for field in IKE}),
        ipsec_policy=replace(merged.ipsec_policy, **{field: getattr(change.ipsec_policy, field) for field in IPSEC}),
    )


def _ike(template: model.PolicyTemplate) -> dict[str, Any]:
    return {field: getattr(template, f"ike_{field}") for field in IKE}


def _ipsec(template: model.PolicyTemplate) -> dict[str, Any]:
    return {field: getattr(template, f"ipsec_{field}") for field in IPSEC}
