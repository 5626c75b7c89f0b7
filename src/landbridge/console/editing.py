"""The form that changes a connection: its fields are those of the API, and so are the words of its errors. Pure.

A field that was not touched is not sent, so a form never writes a value back that somebody else changed.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from landbridge import model
from landbridge.model import allowed_values
from landbridge.wire import body, connection_requests

_IKE, _IPSEC = allowed_values.IKE, allowed_values.IPSEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """`path`: the field as the API names it. `value`: what the form shows; `before`: what is stored. `wrong`: what the rules say."""

    path: str
    label: str
    value: str
    before: str
    choices: Sequence[str] = ()
    help: str = ""
    is_secret: bool = False
    is_number: bool = False
    wrong: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    path: str
    label: str
    read: Callable[[model.Connection], Any]
    choices: Sequence[str] = ()
    help: str = ""


_KNOWN = (
    _Known("name", "Name", lambda one: one.name),
    _Known(
        "peer_subnets",
        "Subnets behind the device",
        lambda one: one.peer_subnets,
        help="CIDR blocks with commas between them",
    ),
    _Known("psk", "New pre-shared key", lambda _: None, help="empty: the present one stays"),
    _Known("ikepolicy.ike_version", "IKE version", lambda one: one.ike_policy.version, _IKE.ike_version.values),
    _Known(
        "ikepolicy.encryption_algorithm",
        "IKE encryption",
        lambda one: one.ike_policy.encryption_algorithm,
        _IKE.encryption_algorithm.values,
    ),
    _Known(
        "ikepolicy.authentication_algorithm",
        "IKE authentication",
        lambda one: one.ike_policy.authentication_algorithm,
        _IKE.authentication_algorithm.values,
    ),
    _Known("ikepolicy.dh_group", "DH group", lambda one: one.ike_policy.dh_group, _IKE.dh_group.values),
    _Known("ikepolicy.lifetime_seconds", "IKE lifetime in seconds", lambda one: one.ike_policy.lifetime_seconds),
    _Known("ikepolicy.local_id", "Id of the gateway", lambda one: one.ike_policy.local_id),
    _Known("ikepolicy.peer_id", "Id of the device", lambda one: one.ike_policy.peer_id),
    _Known(
        "ipsecpolicy.encryption_algorithm",
        "IPsec encryption",
        lambda one: one.ipsec_policy.encryption_algorithm,
        _IPSEC.encryption_algorithm.values,
    ),
    _Known(
        "ipsecpolicy.authentication_algorithm",
        "IPsec authentication",
        lambda one: one.ipsec_policy.authentication_algorithm,
        _IPSEC.authentication_algorithm.values,
    ),
    _Known("ipsecpolicy.pfs", "PFS", lambda one: one.ipsec_policy.pfs, _IPSEC.pfs.values),
    _Known("ipsecpolicy.lifetime_seconds", "IPsec lifetime in seconds", lambda one: one.ipsec_policy.lifetime_seconds),
)


def fields(connection: model.Connection, form: Mapping[str, str], wrong: Iterable[model.Violation]) -> list[Field]:
    """The fields of the form. `form`: what a person gave before, empty at first."""
    found = list(wrong)
    return [
        Field(
            path=known.path,
            label=known.label,
            value=form.get(known.path, _text(known.read(connection))) if known.path != "psk" else "",
            before=_text(known.read(connection)),
            choices=known.choices,
            help=known.help,
            is_secret=known.path == "psk",
            is_number=known.path.endswith("_seconds"),
            wrong=[one.message for one in found if model.findings.is_at(one.field, known.path)],
        )
        for known in _KNOWN
        if known.path != "peer_subnets" or connection.style != "policy-template"
    ]


def others(wrong: Iterable[model.Violation]) -> list[model.Violation]:
    """The violations that no field of the form has."""
    return [one for one in wrong if not any(model.findings.is_at(one.field, known.path) for known in _KNOWN)]


def parse(connection: model.Connection, form: Mapping[str, str]) -> body.Parsed[connection_requests.UpdateConnection]:
    """The fields that differ from what is stored, as a body of the API."""
    changed: dict[str, Any] = {}
    for known in _KNOWN:
        given = form.get(known.path)
        if given is None or given.strip() == _text(known.read(connection)):
            continue
        group, _, name = known.path.rpartition(".")
        place = changed.setdefault(group, {}) if group else changed
        place[name] = _value(known.path, given)
    content = json.dumps({"vpn_connection": changed}).encode()
    return body.parse(connection_requests.UpdateConnection, "vpn_connection", content)


def _value(path: str, given: str) -> Any:
    if path == "peer_subnets":
        return [part for part in given.replace(",", " ").split() if part]
    text = given if path == "psk" else given.strip()
    return int(text) if path.endswith("_seconds") and text.isascii() and text.isdigit() and len(text) < 10 else text


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else str(value)
