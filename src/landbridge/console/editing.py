"""The form that changes a connection. Pure."""

import json
from collections.abc import Mapping

from landbridge import model
from landbridge.console import forms
from landbridge.console.forms import Field
from landbridge.model import allowed_values
from landbridge.wire import body, connection_requests

_IKE, _IPSEC = allowed_values.IKE, allowed_values.IPSEC


def fields(connection: model.Connection) -> list[Field]:
    """The fields that the form changes, with what is stored. The pre-shared key is not shown."""
    ike, ipsec = connection.ike_policy, connection.ipsec_policy
    subnets = Field(
        path="peer_subnets", label="Subnets behind the device", kind="lines", help="CIDR blocks, one a line."
    )
    known: list[tuple[Field, object]] = [(Field(path="name", label="Name"), connection.name)]
    if connection.style != "policy-template":
        known.append((subnets, connection.peer_subnets or ()))
    known += [
        (Field(path="psk", label="New pre-shared key", kind="secret", help="Empty: the present one stays."), None),
        (forms.choice("ikepolicy.ike_version", "IKE version", _IKE.ike_version), ike.version),
        (
            forms.choice("ikepolicy.encryption_algorithm", "IKE encryption", _IKE.encryption_algorithm),
            ike.encryption_algorithm,
        ),
        (
            forms.choice("ikepolicy.authentication_algorithm", "IKE authentication", _IKE.authentication_algorithm),
            ike.authentication_algorithm,
        ),
        (forms.choice("ikepolicy.dh_group", "DH group", _IKE.dh_group), ike.dh_group),
        (forms.seconds("ikepolicy.lifetime_seconds", "IKE lifetime", _IKE.lifetime_seconds), ike.lifetime_seconds),
        (Field(path="ikepolicy.local_id", label="Id of the gateway"), ike.local_id),
        (Field(path="ikepolicy.peer_id", label="Id of the device"), ike.peer_id),
        (
            forms.choice("ipsecpolicy.encryption_algorithm", "IPsec encryption", _IPSEC.encryption_algorithm),
            ipsec.encryption_algorithm,
        ),
        (
            forms.choice(
                "ipsecpolicy.authentication_algorithm", "IPsec authentication", _IPSEC.authentication_algorithm
            ),
            ipsec.authentication_algorithm,
        ),
        (forms.choice("ipsecpolicy.pfs", "PFS", _IPSEC.pfs), ipsec.pfs),
        (
            forms.seconds("ipsecpolicy.lifetime_seconds", "IPsec lifetime", _IPSEC.lifetime_seconds),
            ipsec.lifetime_seconds,
        ),
    ]
    return [forms.stored(field, value) for field, value in known]


def parse(connection: model.Connection, form: Mapping[str, str]) -> body.Parsed[connection_requests.UpdateConnection]:
    """The fields that differ from what is stored, as a body of the API."""
    given = {"vpn_connection": forms.content(fields(connection), form)}
    return body.parse(connection_requests.UpdateConnection, "vpn_connection", json.dumps(given).encode())
