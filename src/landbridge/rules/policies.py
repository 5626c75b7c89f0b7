"""IKE and IPsec policies: the tables of the API page, forbidden combinations, and the complete values.

Source: Tables 5, 6 and 7 of "Creating a VPN Connection". A GM gateway has tables of its own.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import fields, ipv4

IKE, IKE_GM, DPD = allowed_values.IKE, allowed_values.IKE_GM, allowed_values.DPD
IPSEC, IPSEC_GM = allowed_values.IPSEC, allowed_values.IPSEC_GM
_Fields = TypeVar("_Fields", allowed_values.IkeFields, allowed_values.IpsecFields)


def _either(first: _Fields, other: _Fields) -> _Fields:
    """The values that at least one of the two kinds of gateways accepts. The kinds differ only in choices."""
    changes: dict[str, Any] = {}
    for name in vars(first):
        allowed: Any = getattr(first, name)
        also: Any = getattr(other, name)
        if allowed != also:
            values = tuple(dict.fromkeys((*allowed.values, *also.values)))
            changes[name] = allowed_values.Choice(values, allowed.default)
    return dataclasses.replace(first, **changes)


#: For a gateway that is not known: the values that any gateway takes.
IKE_ANY, IPSEC_ANY = _either(IKE, IKE_GM), _either(IPSEC, IPSEC_GM)
#: Fields whose names in the model are not the wire's.
_MODEL_NAMES = {"ike_version": "version", "phase1_negotiation_mode": "negotiation_mode"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The two ends. The ids default to them. `gm`: None while the gateway is unknown. `endpoint`: ours, None while it is
    unknown. `template`: what decides algorithms and lifetimes in place of the request; None for nearly all connections.
    """

    gm: bool | None
    endpoint: model.Endpoint | None
    peer: model.CustomerGateway | None
    template: model.PolicyTemplate | None = None

    @property
    def peer_has_no_address(self) -> bool:
        return self.peer is not None and self.peer.address is None


def check_ike(request: model.IkePolicyRequest, ends: Ends) -> Iterator[model.Violation]:
    table = {True: IKE_GM, False: IKE, None: IKE_ANY}[ends.gm]
    yield from check_fields("ikepolicy.", request, table, " on a GM gateway" if ends.gm else "")
    yield from check_fields("ikepolicy.dpd.", request.dpd, DPD)
    if request.version == "v1" and request.encryption_algorithm in allowed_values.GCM:
        yield model.Violation(
            "ikepolicy.encryption_algorithm",
            f"{request.encryption_algorithm} cannot be negotiated by IKEv1",
            "a cipher without gcm, or ike_version v2; in ipsecpolicy gcm is fine with both",
        )
    yield from _check_identity("local_id", request.local_id_type, request.local_id, mandatory=ends.gm is False)
    yield from _check_peer_identity(request, ends)


def check_fields(
    path: str,
    request: model.IkePolicyRequest | model.DpdRequest | model.IpsecPolicyRequest,
    table: allowed_values.IkeFields | allowed_values.DpdFields | allowed_values.IpsecFields,
    where: str = "",
) -> Iterator[model.Violation]:
    """Checks each field of a request that the table has. `path` is the place of the request in the body, with a dot."""
    for name, allowed in vars(table).items():
        value = getattr(request, _MODEL_NAMES.get(name, name))
        if value is not None and value not in allowed:
            yield from fields.check_value(path + name, value, allowed, where)


def _check_peer_identity(request: model.IkePolicyRequest, ends: Ends) -> Iterator[model.Violation]:
    if not ends.peer_has_no_address:
        yield from _check_identity("peer_id", request.peer_id_type, request.peer_id, mandatory=ends.gm is False)
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
                yield model.Violation(path, f"is mandatory when {field}_type is fqdn", str(allowed_values.IDENTITY))
        elif value not in allowed_values.IDENTITY:
            yield model.Violation(path, f"{value!r} is not an identity", str(allowed_values.IDENTITY))
    elif id_type in (None, "ip") and value is not None:
        number = ipv4.parse_address(value)
        if number is None or fields.is_unroutable(ipv4.Block(number, 32)):
            wrong = "is not an IPv4 address" if number is None else "is not the address of a device"
            yield model.Violation(path, f"{value!r} {wrong}", f"an IPv4 address, or {field}_type fqdn")


def check_ipsec(request: model.IpsecPolicyRequest, *, gm: bool | None) -> Iterator[model.Violation]:
    table = {True: IPSEC_GM, False: IPSEC, None: IPSEC_ANY}[gm]
    yield from check_fields("ipsecpolicy.", request, table, " on a GM gateway" if gm else "")


def complete_ike(request: model.IkePolicyRequest, ends: Ends) -> model.IkePolicy:
    """The policy with every default. Call it only when `check_ike` found no violation."""
    table = IKE_GM if ends.gm else IKE
    version = table.ike_version.complete(request.version)
    local = None if ends.gm else local_identity(request, ends)
    peer = None if ends.gm else peer_identity(request, ends)
    return model.IkePolicy(
        version="v1" if version == "v1" else "v2",
        negotiation_mode=_mode(version, request.negotiation_mode),
        authentication_algorithm=table.authentication_algorithm.complete(request.authentication_algorithm),
        encryption_algorithm=table.encryption_algorithm.complete(request.encryption_algorithm),
        dh_group=None if ends.gm else table.dh_group.complete(request.dh_group),
        authentication_method=table.authentication_method.complete(request.authentication_method),
        lifetime_seconds=table.lifetime_seconds.complete(request.lifetime_seconds),
        local_id_type=local[0] if local else None,
        local_id=local[1] if local else None,
        peer_id_type=peer[0] if peer else None,
        peer_id=peer[1] if peer else None,
        dpd=model.Dpd(
            interval=DPD.interval.complete(request.dpd.interval),
            timeout=DPD.timeout.complete(request.dpd.timeout),
            msg=DPD.msg.complete(request.dpd.msg),
        ),
    )


def _mode(version: str, requested: str | None) -> "model.connection.NegotiationMode | None":
    """IKEv2 has no modes: the field is neither stored nor returned."""
    if version == "v2":
        return None
    return "aggressive" if requested == "aggressive" else "main"


def local_identity(request: model.IkePolicyRequest, ends: Ends) -> tuple[model.IdType, str]:
    if request.local_id_type == "fqdn":
        return "fqdn", request.local_id or ""
    return "ip", request.local_id or (ends.endpoint.address if ends.endpoint else "")


def peer_identity(request: model.IkePolicyRequest, ends: Ends) -> tuple[model.IdType, str]:
    known_as = ends.peer.id_value if ends.peer else ""
    if request.peer_id_type == "fqdn" or ends.peer_has_no_address:
        return "fqdn", request.peer_id or known_as
    return "ip", request.peer_id or known_as


def complete_ipsec(request: model.IpsecPolicyRequest, *, gm: bool) -> model.IpsecPolicy:
    table = IPSEC_GM if gm else IPSEC
    return model.IpsecPolicy(
        authentication_algorithm=table.authentication_algorithm.complete(request.authentication_algorithm),
        encryption_algorithm=table.encryption_algorithm.complete(request.encryption_algorithm),
        pfs=None if gm else table.pfs.complete(request.pfs),
        transform_protocol=table.transform_protocol.complete(request.transform_protocol),
        lifetime_seconds=table.lifetime_seconds.complete(request.lifetime_seconds),
        encapsulation_mode=table.encapsulation_mode.complete(request.encapsulation_mode),
    )


def warnings(ike: model.IkePolicy, ipsec: model.IpsecPolicy) -> Iterator[model.Warning]:
    """Warnings about the choices that the page calls weak."""
    for path, value in (
        ("ikepolicy.authentication_algorithm", ike.authentication_algorithm),
        ("ikepolicy.encryption_algorithm", ike.encryption_algorithm),
        ("ikepolicy.dh_group", ike.dh_group),
        ("ipsecpolicy.authentication_algorithm", ipsec.authentication_algorithm),
        ("ipsecpolicy.encryption_algorithm", ipsec.encryption_algorithm),
        ("ipsecpolicy.pfs", ipsec.pfs),
    ):
        if value in allowed_values.WEAK:
            yield model.Warning(path, f"{value} is weak")
