"""The forms of a connection: the fields that belong to what is chosen, the body of the API that they make, and what the rules say beside each.

Pure. The form of a change has a part of the fields of a create. A field has the API's path for its name, the API's default for its first value, and
the API's words for its errors. Two fields stand for several of the API: `endpoint` for a VPN gateway, an endpoint and its role; `cgw_id` may ask for
a new customer gateway, whose fields begin with `customer_gateway.`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from landbridge import model
from landbridge.console import forms
from landbridge.console.forms import Field
from landbridge.model import allowed_values
from landbridge.wire import body, connection_requests, customer_gateways

#: The value of `cgw_id` that asks for a new customer gateway.
NEW = "new"
DEVICE = "customer_gateway"
_RULE = re.compile(r"policy_rules\[(\d+)\]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What decides which fields a form has. `gateway`: None while none is chosen."""

    style: str
    gateway: model.VpnGateway | None
    endpoint: model.Endpoint | None
    ike_version: str

    @property
    def is_gm(self) -> bool:
        return self.gateway is not None and self.gateway.is_gm

    @property
    def follows_template(self) -> bool:
        """Whether the VPN gateway decides algorithms and lifetimes."""
        return self.style == "policy-template" and self.gateway is not None and self.gateway.policy_template is not None

    @property
    def has_subnets(self) -> bool:
        at_router = self.gateway is not None and self.gateway.attachment_type == "er"
        return not (at_router and self.style in ("policy", "bgp"))

    @property
    def ha_role(self) -> str | None:
        """The role that fits the endpoint."""
        return allowed_values.HA_ROLES.values[self.endpoint.number - 1] if self.endpoint else None


def choose(form: Mapping[str, str], gateways: Iterable[model.VpnGateway]) -> Chosen:
    gateway_id, _, address = form.get("endpoint", "").partition("/")
    gateway = next((gateway for gateway in gateways if gateway.id == gateway_id), None)
    ends = gateway.endpoints if gateway else ()
    style, version = form.get("style", ""), form.get("ikepolicy.ike_version", "")
    versions = allowed_values.IKE_GM.ike_version if gateway and gateway.is_gm else allowed_values.IKE.ike_version
    return Chosen(
        style=style if style in allowed_values.STYLES else allowed_values.STYLES.default,
        gateway=gateway,
        endpoint=next((endpoint for endpoint in ends if name_of(endpoint) == address), None),
        ike_version=version if version in versions else versions.default,
    )


def name_of(endpoint: model.Endpoint) -> str:
    """An endpoint as `vgw_ip` names it."""
    return endpoint.eip_id or endpoint.address


def _known(chosen: Chosen) -> Iterator[Field]:
    """The fields of what is chosen, without the endpoint, the customer gateway, the style and the policy rules."""
    text = f"Empty: {allowed_values.CONNECTION_NAME}****."
    yield Field(path="name", label="Name of the connection", group="ends", help=text)
    if chosen.has_subnets:
        asks = chosen.style == "policy-template"
        label = "Subnets that the device may ask for" if asks else "Subnets behind the device"
        yield Field(path="peer_subnets", label=label, group="traffic", kind="lines", help="CIDR blocks, one a line.")
    if chosen.style in ("static", "bgp"):
        free = f"Such as {allowed_values.TUNNEL_EXAMPLE}. Empty: a free pair."
        yield Field(path="tunnel_local_address", label="Tunnel address of the gateway", group="traffic", help=free)
        other = f"The other host of the same /{allowed_values.TUNNEL_MASK}."
        yield Field(path="tunnel_peer_address", label="Tunnel address of the device", group="traffic", help=other)
    if chosen.style == "static":
        text = "Send echoes through the tunnel to the device (NQA)"
        yield Field(path="enable_nqa", label=text, group="traffic", kind="check")
    text = "Send echoes to the device outside of the tunnel (connection monitor)"
    yield Field(path="enable_health_check", label=text, group="traffic", kind="check")
    if not chosen.is_gm:
        text = f"{allowed_values.PSK}."
        yield Field(path="psk", label="Pre-shared key", group="key", kind="secret", help=text[0].upper() + text[1:])
    yield from _ike(chosen)
    yield from _ipsec(chosen)
    yield forms.TAGS


def _ike(chosen: Chosen) -> Iterator[Field]:
    table, dpd = allowed_values.IKE_GM if chosen.is_gm else allowed_values.IKE, allowed_values.DPD
    yield _choice("ikepolicy.ike_version", "IKE version", table.ike_version)
    if chosen.ike_version == "v1":
        yield _choice("ikepolicy.phase1_negotiation_mode", "Negotiation mode", table.phase1_negotiation_mode)
    if not chosen.follows_template:
        yield _choice("ikepolicy.encryption_algorithm", "IKE encryption", table.encryption_algorithm)
        yield _choice("ikepolicy.authentication_algorithm", "IKE authentication", table.authentication_algorithm)
        if not chosen.is_gm:
            yield _choice("ikepolicy.dh_group", "DH group", table.dh_group)
        yield _seconds("ikepolicy.lifetime_seconds", "IKE lifetime", table.lifetime_seconds)
    if not chosen.is_gm:
        for side, label, whose in (("local", "gateway", "endpoint"), ("peer", "device", "customer gateway")):
            yield _choice(f"ikepolicy.{side}_id_type", f"Id type of the {label}", table.local_id_type)
            text = f"Empty: that of the {whose}. Mandatory with fqdn."
            yield Field(path=f"ikepolicy.{side}_id", label=f"Id of the {label}", group="ike", help=text)
    yield _seconds("ikepolicy.dpd.interval", "DPD: idle time before a probe", dpd.interval)
    yield _seconds("ikepolicy.dpd.timeout", "DPD: time between retransmits", dpd.timeout)


def _ipsec(chosen: Chosen) -> Iterator[Field]:
    if chosen.follows_template:
        return
    table = allowed_values.IPSEC_GM if chosen.is_gm else allowed_values.IPSEC
    yield _choice("ipsecpolicy.encryption_algorithm", "IPsec encryption", table.encryption_algorithm)
    yield _choice("ipsecpolicy.authentication_algorithm", "IPsec authentication", table.authentication_algorithm)
    if not chosen.is_gm:
        yield _choice("ipsecpolicy.pfs", "PFS", table.pfs)
    yield _seconds("ipsecpolicy.lifetime_seconds", "IPsec lifetime", table.lifetime_seconds)


def _choice(path: str, label: str, allowed: allowed_values.Choice) -> Field:
    return forms.choice(path, label, allowed, _group(path))


def _seconds(path: str, label: str, allowed: allowed_values.Seconds) -> Field:
    return forms.seconds(path, label, allowed, _group(path))


def _group(path: str) -> str:
    return path.partition(".")[0].removesuffix("policy")


def device_fields(prefix: str = f"{DEVICE}.") -> list[Field]:
    """The fields of a new customer gateway, without its certificate and its tags."""
    known = "ip: by a fixed address. fqdn: by an IKE identity; it may come from any address."
    asn = f"Empty: {allowed_values.DEVICE_ASN} with an address, and none with an identity."
    name, text = "Name of the customer gateway" if prefix else "Name", f"Empty: {allowed_values.DEVICE_NAME}****."
    return [
        Field(path=f"{prefix}name", label=name, group="device", help=text),
        forms.choice(f"{prefix}id_type", "How it is known", allowed_values.ID_TYPES, "device", known),
        Field(path=f"{prefix}id_value", label="Address or identity", group="device"),
        Field(path=f"{prefix}bgp_asn", label="BGP ASN", group="device", help=asn),
    ]


def stored_fields(connection: model.Connection, gateway: model.VpnGateway) -> list[Field]:
    """The fields of the form of a change, with what is stored. The pre-shared key is not shown."""
    ike, ipsec = connection.ike_policy, connection.ipsec_policy
    stored: dict[str, object] = {
        "name": connection.name,
        "peer_subnets": connection.peer_subnets or (),
        "enable_nqa": "true" if connection.enable_nqa else "false",
        "psk": None,
        "ikepolicy.ike_version": ike.version,
        "ikepolicy.encryption_algorithm": ike.encryption_algorithm,
        "ikepolicy.authentication_algorithm": ike.authentication_algorithm,
        "ikepolicy.dh_group": ike.dh_group,
        "ikepolicy.lifetime_seconds": ike.lifetime_seconds,
        "ikepolicy.local_id": ike.local_id,
        "ikepolicy.peer_id": ike.peer_id,
        "ipsecpolicy.encryption_algorithm": ipsec.encryption_algorithm,
        "ipsecpolicy.authentication_algorithm": ipsec.authentication_algorithm,
        "ipsecpolicy.pfs": ipsec.pfs,
        "ipsecpolicy.lifetime_seconds": ipsec.lifetime_seconds,
    }
    chosen = Chosen(style=connection.style, gateway=gateway, endpoint=None, ike_version=ike.version)
    fields = [forms.stored(field, stored[field.path]) for field in _known(chosen) if field.path in stored]
    label, text = "New pre-shared key", "Empty: the present one stays."
    return [replace(field, label=label, help=text) if field.path == "psk" else field for field in fields]


# -- from a form to the API -------------------------------------------------------------------------------------------


def parse(form: Mapping[str, str], chosen: Chosen) -> body.Parsed[connection_requests.CreateConnection]:
    """The body of a create. Only fields that belong to what is chosen are in it."""
    return body.parse_value(connection_requests.CreateConnection, "vpn_connection", content(form, chosen))


def parse_change(fields: Sequence[Field], form: Mapping[str, str]) -> body.Parsed[connection_requests.UpdateConnection]:
    """The body of an update: the fields that differ from what is stored."""
    given = {"vpn_connection": forms.content(fields, form)}
    return body.parse_value(connection_requests.UpdateConnection, "vpn_connection", given)


def content(form: Mapping[str, str], chosen: Chosen) -> dict[str, Any]:
    gateway_id, _, address = form.get("endpoint", "").partition("/")
    given: dict[str, Any] = {"style": chosen.style}
    device = form.get("cgw_id", "").strip()
    ends = {"vgw_id": gateway_id, "vgw_ip": address, "cgw_id": "" if device == NEW else device}
    given |= {name: value for name, value in ends.items() if value}
    if chosen.ha_role is not None:
        given["ha_role"] = chosen.ha_role
    given |= forms.content(_known(chosen), form)
    if chosen.style == "policy":
        given["policy_rules"] = [
            {"source": source.strip() or None, "destination": forms.words(destination) or None}
            for source, destination in _rules(form).values()
        ]
    return {"vpn_connection": given}


def parse_device(form: Mapping[str, str]) -> body.Parsed[customer_gateways.CreateCustomerGateway]:
    """The body of a create of a customer gateway."""
    given = {DEVICE: {}} | forms.content(device_fields(), form)
    return body.parse_value(customer_gateways.CreateCustomerGateway, DEVICE, given)


def _rules(form: Mapping[str, str]) -> dict[int, tuple[str, str]]:
    """Row of the form -> source and destinations, of rows that are not empty."""
    rows = {}
    for row in range(allowed_values.RULES.high):
        source, destination = (form.get(f"policy_rules[{row}].{name}", "") for name in ("source", "destination"))
        if source.strip() or destination.strip():
            rows[row] = (source, destination)
    return rows


# -- from the rules to a form -----------------------------------------------------------------------------------------


def fields(form: Mapping[str, str], chosen: Chosen) -> list[Field]:
    """The fields of the form: endpoint, customer gateway and style first."""
    return [
        Field(path="endpoint", label="VPN gateway and endpoint", places=("vgw_id", "vgw_ip", "ha_role")),
        Field(path="cgw_id", label="Customer gateway"),
        replace(forms.choice("style", "Style", allowed_values.STYLES), value=chosen.style),
        *_known(chosen),
        *(device_fields() if form.get("cgw_id") == NEW else ()),
        *(_rule_fields(list(_rules(form))) if chosen.style == "policy" else ()),
    ]


def in_row(form: Mapping[str, str], path: str) -> str:
    """The path with the row of the form in place of the number of the rule: empty rows are not sent."""
    match, rows = _RULE.match(path), list(_rules(form))
    if match is None or int(match[1]) >= len(rows):
        return path
    return f"policy_rules[{rows[int(match[1])]}]{path[match.end() :]}"


def _rule_fields(rows: Sequence[int]) -> Iterator[Field]:
    """The source and the destinations of the rows that are filled, and of an empty one after them."""
    for row in range(min(max(rows, default=-1) + 2, allowed_values.RULES.high)):
        place, number = f"policy_rules[{row}]", row + 1
        yield Field(path=f"{place}.source", label=f"Source of rule {number}", group="rules")
        yield Field(path=f"{place}.destination", label=f"Destinations of rule {number}", group="rules")
