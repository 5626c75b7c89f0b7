"""IKE and IPsec policies: the tables of the API page, what may not go together, and the complete values.

Source: Tables 5, 6 and 7 of "Creating a VPN Connection". A GM gateway has tables of its own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import choices, fields, ipv4
from landbridge.rules.choices import Choice, Range

WEAK = frozenset({"sha1", "md5", "3des", "group1", "group2", "group5", "group14"})
GCM = frozenset({"aes-256-gcm-16", "aes-128-gcm-16"})
IKE, IKE_GM, DPD = allowed_values.IKE, allowed_values.IKE_GM, allowed_values.DPD
IPSEC, IPSEC_GM = allowed_values.IPSEC, allowed_values.IPSEC_GM


def _either(one: Choice | Range, other: Choice | Range) -> Choice | Range:
    if isinstance(one, Range) or isinstance(other, Range) or one == other:
        return one
    return Choice(tuple(dict.fromkeys((*one.values, *other.values))), one.default)


#: Of a gateway that is not known: what any gateway would take.
IKE_ANY: choices.Table = {name: _either(row, IKE_GM[name]) for name, row in IKE.items()}
IPSEC_ANY: choices.Table = {name: _either(row, IPSEC_GM[name]) for name, row in IPSEC.items()}

_IDENTITY = re.compile(allowed_values.IDENTITY, re.ASCII)
IDENTITY_ALLOWED = "1 to 255 letters, digits and special characters except & < > [ ] \\ and the space; not * or # first"


def is_identity(text: str) -> bool:
    return _IDENTITY.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The two ends that ids default to. `local_address`: None while the endpoint is not known, `gm` while the gateway is not."""

    gm: bool | None
    local_address: str | None
    peer: model.CustomerGateway | None

    @property
    def peer_has_no_address(self) -> bool:
        return self.peer is not None and self.peer.address is None


def check_ike(request: model.IkePolicyRequest, sides: Sides) -> Iterator[model.Violation]:
    table = {True: IKE_GM, False: IKE, None: IKE_ANY}[sides.gm]
    yield from choices.check("ikepolicy.", _ike_fields(request), table, " on a GM gateway" if sides.gm else "")
    dpd = {"interval": request.dpd.interval, "timeout": request.dpd.timeout, "msg": request.dpd.msg}
    yield from choices.check("ikepolicy.dpd.", dpd, DPD)
    if request.version == "v1" and request.encryption_algorithm in GCM:
        yield model.Violation(
            "ikepolicy.encryption_algorithm",
            f"{request.encryption_algorithm} cannot be negotiated by IKEv1",
            "a cipher without gcm, or ike_version v2; in ipsecpolicy gcm is fine with both",
        )
    yield from _check_identity("local_id", request.local_id_type, request.local_id, mandatory=sides.gm is False)
    yield from _check_peer_identity(request, sides)


def _check_peer_identity(request: model.IkePolicyRequest, sides: Sides) -> Iterator[model.Violation]:
    if not sides.peer_has_no_address:
        yield from _check_identity("peer_id", request.peer_id_type, request.peer_id, mandatory=sides.gm is False)
        return
    if request.peer_id_type == "ip":
        yield model.Violation(
            "ikepolicy.peer_id_type", "the customer gateway is known by its fqdn and has no fixed address", "fqdn"
        )
    elif request.peer_id is not None:
        yield from _check_identity("peer_id", "fqdn", request.peer_id, mandatory=False)


def _check_identity(
    field: str, id_type: str | None, value: str | None, *, mandatory: bool
) -> Iterator[model.Violation]:
    path = f"ikepolicy.{field}"
    if id_type == "fqdn":
        if value is None:
            if mandatory:
                yield model.Violation(path, f"is mandatory when {field}_type is fqdn", IDENTITY_ALLOWED)
        elif not is_identity(value):
            yield model.Violation(path, f"{value!r} is not an identity", IDENTITY_ALLOWED)
    elif id_type in (None, "ip") and value is not None:
        number = ipv4.parse_address(value)
        if number is None or fields.is_unroutable(ipv4.Block(number, 32)):
            wrong = "is not an IPv4 address" if number is None else "is no address of a device"
            yield model.Violation(path, f"{value!r} {wrong}", f"an IPv4 address, or {field}_type fqdn")


def check_ipsec(request: model.IpsecPolicyRequest, *, gm: bool | None) -> Iterator[model.Violation]:
    table = {True: IPSEC_GM, False: IPSEC, None: IPSEC_ANY}[gm]
    yield from choices.check("ipsecpolicy.", _ipsec_fields(request), table, " on a GM gateway" if gm else "")


def complete_ike(request: model.IkePolicyRequest, sides: Sides) -> model.IkePolicy:
    """The policy with every default. Call it only on what `check_ike` found nothing wrong with."""
    table = IKE_GM if sides.gm else IKE
    version = choices.text(request.version, table["ike_version"])
    local = None if sides.gm else local_identity(request, sides)
    peer = None if sides.gm else peer_identity(request, sides)
    return model.IkePolicy(
        version="v1" if version == "v1" else "v2",
        negotiation_mode=_mode(version, request.negotiation_mode),
        authentication_algorithm=choices.text(request.authentication_algorithm, table["authentication_algorithm"]),
        encryption_algorithm=choices.text(request.encryption_algorithm, table["encryption_algorithm"]),
        dh_group=None if sides.gm else choices.text(request.dh_group, table["dh_group"]),
        authentication_method=choices.text(request.authentication_method, table["authentication_method"]),
        lifetime_seconds=choices.number(request.lifetime_seconds, table["lifetime_seconds"]),
        local_id_type=local[0] if local else None,
        local_id=local[1] if local else None,
        peer_id_type=peer[0] if peer else None,
        peer_id=peer[1] if peer else None,
        dpd=model.Dpd(
            interval=choices.number(request.dpd.interval, DPD["interval"]),
            timeout=choices.number(request.dpd.timeout, DPD["timeout"]),
            msg=choices.text(request.dpd.msg, DPD["msg"]),
        ),
    )


def _mode(version: str, asked: str | None) -> "model.connection.NegotiationMode | None":
    """IKEv2 has no modes: there the field is neither stored nor returned."""
    if version == "v2":
        return None
    return "aggressive" if asked == "aggressive" else "main"


def local_identity(request: model.IkePolicyRequest, sides: Sides) -> tuple[model.IdType, str]:
    if request.local_id_type == "fqdn":
        return "fqdn", request.local_id or ""
    return "ip", request.local_id or sides.local_address or ""


def peer_identity(request: model.IkePolicyRequest, sides: Sides) -> tuple[model.IdType, str]:
    known_as = sides.peer.id_value if sides.peer else ""
    if request.peer_id_type == "fqdn" or sides.peer_has_no_address:
        return "fqdn", request.peer_id or known_as
    return "ip", request.peer_id or known_as


def complete_ipsec(request: model.IpsecPolicyRequest, *, gm: bool) -> model.IpsecPolicy:
    table = IPSEC_GM if gm else IPSEC
    return model.IpsecPolicy(
        authentication_algorithm=choices.text(request.authentication_algorithm, table["authentication_algorithm"]),
        encryption_algorithm=choices.text(request.encryption_algorithm, table["encryption_algorithm"]),
        pfs=None if gm else choices.text(request.pfs, table["pfs"]),
        transform_protocol=choices.text(request.transform_protocol, table["transform_protocol"]),
        lifetime_seconds=choices.number(request.lifetime_seconds, table["lifetime_seconds"]),
        encapsulation_mode=choices.text(request.encapsulation_mode, table["encapsulation_mode"]),
    )


def warnings(ike: model.IkePolicy, ipsec: model.IpsecPolicy) -> Iterator[model.Warning]:
    """Choices that the page asks to exercise caution with."""
    for path, value in (
        ("ikepolicy.authentication_algorithm", ike.authentication_algorithm),
        ("ikepolicy.encryption_algorithm", ike.encryption_algorithm),
        ("ikepolicy.dh_group", ike.dh_group),
        ("ipsecpolicy.authentication_algorithm", ipsec.authentication_algorithm),
        ("ipsecpolicy.encryption_algorithm", ipsec.encryption_algorithm),
        ("ipsecpolicy.pfs", ipsec.pfs),
    ):
        if value in WEAK:
            yield model.Warning(path, f"{value} is weak")


def _ike_fields(request: model.IkePolicyRequest) -> dict[str, str | int | None]:
    return {
        "ike_version": request.version,
        "phase1_negotiation_mode": request.negotiation_mode,
        "authentication_algorithm": request.authentication_algorithm,
        "encryption_algorithm": request.encryption_algorithm,
        "dh_group": request.dh_group,
        "authentication_method": request.authentication_method,
        "lifetime_seconds": request.lifetime_seconds,
        "local_id_type": request.local_id_type,
        "peer_id_type": request.peer_id_type,
    }


def _ipsec_fields(request: model.IpsecPolicyRequest) -> dict[str, str | int | None]:
    return {
        "authentication_algorithm": request.authentication_algorithm,
        "encryption_algorithm": request.encryption_algorithm,
        "pfs": request.pfs,
        "transform_protocol": request.transform_protocol,
        "lifetime_seconds": request.lifetime_seconds,
        "encapsulation_mode": request.encapsulation_mode,
    }
