"""The form of a new connection: the fields that belong to what is chosen, the body of the API that they make, and what the rules say beside each.

Pure. A field has the API's path for its name, the API's default for its first value, and the API's words for its errors. Two fields stand for
several of the API: `endpoint` for a VPN gateway, an endpoint and its role; `cgw_id` may ask for a new customer gateway, whose fields begin with
`customer_gateway.`.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from landbridge import model
from landbridge.model import allowed_values
from landbridge.model.allowed_values import Choice, Seconds
from landbridge.wire import body, connection_requests, customer_gateways

Kind = Literal["text", "number", "choice", "lines", "secret", "check"]
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
    gateway = next((one for one in gateways if one.id == gateway_id), None)
    ends = gateway.endpoints if gateway else ()
    style, version = form.get("style", ""), form.get("ikepolicy.ike_version", "")
    versions = allowed_values.IKE_GM.ike_version if gateway and gateway.is_gm else allowed_values.IKE.ike_version
    return Chosen(
        style=style if style in allowed_values.STYLES else allowed_values.STYLES.default,
        gateway=gateway,
        endpoint=next((one for one in ends if name_of(one) == address), None),
        ike_version=version if version in versions else versions.default,
    )


def name_of(endpoint: model.Endpoint) -> str:
    """An endpoint as `vgw_ip` names it."""
    return endpoint.eip_id or endpoint.address


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """`path`: the field as the API names it. `wrong`, `warnings`: what the rules say."""

    path: str
    label: str
    group: str
    kind: Kind = "text"
    allowed: Choice | Seconds | None = None
    help: str = ""
    value: str = ""
    wrong: Sequence[str] = ()
    warnings: Sequence[str] = ()

    @property
    def id(self) -> str:
        """Another list of choices makes another element, so that a refresh replaces it."""
        suffix = f"-{len(self.allowed.values)}" if isinstance(self.allowed, Choice) else ""
        return "f-" + re.sub(r"[^a-z0-9_]+", "-", self.path) + suffix

    @property
    def choices(self) -> list[tuple[str, str]]:
        """(value, text) of each choice. The text marks the default and what the API's page calls weak."""
        if not isinstance(self.allowed, Choice):
            return []
        marks = {self.allowed.default: " (default)"} | dict.fromkeys(allowed_values.WEAK, " (weak)")
        return [(value, value + marks.get(value, "")) for value in self.allowed.values]

    @property
    def described(self) -> str:
        """The ids of the texts about the field, for `aria-describedby`."""
        parts = (("help", self.help), ("wrong", self.wrong), ("warning", self.warnings))
        return " ".join(f"{self.id}-{name}" for name, there in parts if there)


def _known(chosen: Chosen) -> Iterator[Field]:
    """The fields of what is chosen, without the endpoint, the customer gateway, the style and the policy rules."""
    yield Field(path="name", label="Name", group="ends", help=f"Empty: {allowed_values.CONNECTION_NAME}****.")
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
    tags = f"One a line, at most {allowed_values.TAG_LIMIT}."
    yield Field(path="tags", label="KEY=VALUE", group="tags", kind="lines", help=tags)


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


def _choice(path: str, label: str, allowed: Choice) -> Field:
    return Field(path=path, label=label, group=_group(path), kind="choice", allowed=allowed, value=allowed.default)


def _seconds(path: str, label: str, allowed: Seconds) -> Field:
    text = f"Seconds, {allowed}. Default: {allowed.default}."
    return Field(path=path, label=label, group=_group(path), kind="number", allowed=allowed, help=text)


def _group(path: str) -> str:
    return path.partition(".")[0].removesuffix("policy")


_DEVICE = (
    Field(
        path=f"{DEVICE}.name",
        label="Name of the customer gateway",
        group="device",
        help=f"Empty: {allowed_values.DEVICE_NAME}****.",
    ),
    Field(
        path=f"{DEVICE}.id_type",
        label="How it is known",
        group="device",
        kind="choice",
        allowed=allowed_values.ID_TYPES,
        value=allowed_values.ID_TYPES.default,
        help="ip: by a fixed address. fqdn: by an IKE identity; it may come from any address.",
    ),
    Field(path=f"{DEVICE}.id_value", label="Address or identity", group="device"),
    Field(
        path=f"{DEVICE}.bgp_asn",
        label="BGP ASN",
        group="device",
        help=f"Empty: {allowed_values.DEVICE_ASN} with an address, and none with an identity.",
    ),
)


# -- from a form to the API -------------------------------------------------------------------------------------------


def parse(form: Mapping[str, str], chosen: Chosen) -> body.Parsed[connection_requests.CreateConnection]:
    """The body of a create. Only fields that belong to what is chosen are in it."""
    return body.parse(connection_requests.CreateConnection, "vpn_connection", content(form, chosen))


def content(form: Mapping[str, str], chosen: Chosen) -> bytes:
    gateway_id, _, address = form.get("endpoint", "").partition("/")
    given: dict[str, Any] = {"style": chosen.style}
    device = form.get("cgw_id", "").strip()
    ends = {"vgw_id": gateway_id, "vgw_ip": address, "cgw_id": "" if device == NEW else device}
    given |= {name: value for name, value in ends.items() if value}
    if chosen.ha_role is not None:
        given["ha_role"] = chosen.ha_role
    for field in _known(chosen):
        value = _value(field, form.get(field.path, ""))
        if value:
            _put(given, field.path, value)
    if chosen.style == "policy":
        given["policy_rules"] = [
            {"source": source.strip() or None, "destination": _words(destination) or None}
            for source, destination in _rules(form).values()
        ]
    return json.dumps({"vpn_connection": given}).encode()


def parse_device(form: Mapping[str, str]) -> body.Parsed[customer_gateways.CreateCustomerGateway]:
    """The body of a create of a customer gateway."""
    given = {each.path.removeprefix(f"{DEVICE}."): _value(each, form.get(each.path, "")) for each in _DEVICE}
    sent = {name: value for name, value in given.items() if value}
    return body.parse(customer_gateways.CreateCustomerGateway, DEVICE, json.dumps({DEVICE: sent}).encode())


def _value(field: Field, text: str) -> Any:
    if field.path == "tags":
        pairs = (line.partition("=") for line in text.splitlines() if line.strip())
        return [{"key": key.strip(), "value": value.strip()} for key, _, value in pairs]
    if field.kind == "lines":
        return _words(text)
    if field.kind == "check":
        return text == "true"
    if isinstance(field.allowed, Choice):
        return text if text in field.allowed else field.value
    return text if field.kind == "secret" else text.strip()


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _put(given: dict[str, Any], path: str, value: Any) -> None:
    *groups, name = path.split(".")
    for group in groups:
        given = given.setdefault(group, {})
    given[name] = value


def _rules(form: Mapping[str, str]) -> dict[int, tuple[str, str]]:
    """Row of the form -> source and destinations, of rows that are not empty."""
    rows = {}
    for row in range(allowed_values.RULES.high):
        source, destination = (form.get(f"policy_rules[{row}].{name}", "") for name in ("source", "destination"))
        if source.strip() or destination.strip():
            rows[row] = (source, destination)
    return rows


# -- from the rules to a form -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A form with what the rules say. `other_wrong`, `other_warnings`: what no field has. `seen`: names the warnings."""

    endpoint: Field
    device: Field
    style: Field
    fields: Sequence[Field]
    rules: Sequence[tuple[Field, Field]]
    other_wrong: Sequence[model.Violation]
    other_warnings: Sequence[model.Warning]
    seen: str

    def group(self, name: str) -> list[Field]:
        return [one for one in self.fields if one.group == name]

    @property
    def wrong(self) -> list[Field]:
        rows = (each for row in self.rules for each in row)
        return [one for one in (self.endpoint, self.device, self.style, *self.fields, *rows) if one.wrong]

    @property
    def warned(self) -> int:
        rows = (each for row in self.rules for each in row)
        fields = (self.endpoint, self.device, self.style, *self.fields, *rows)
        return sum(len(one.warnings) for one in fields) + len(self.other_warnings)


def show(
    form: Mapping[str, str],
    chosen: Chosen,
    violations: Iterable[model.Violation],
    warnings: Iterable[model.Warning],
    *,
    quiet: bool,
) -> Shown:
    """`quiet`: while a person still fills the form, a field that is empty is not called wrong."""
    rows = list(_rules(form))
    told = [replace(one, field=_in_row(one.field, rows)) for one in violations]
    cautions = list(warnings)
    left = {(one.field, one.message): one for one in told}
    unplaced = {(one.field, one.text): one for one in cautions}

    def about(field: Field, *paths: str) -> Field:
        value = form.get(field.path, field.value)
        if isinstance(field.allowed, Choice) and value not in field.allowed:
            value = field.value
        places = paths or (field.path,)
        wrong = [one for one in told if any(model.findings.is_at(one.field, place) for place in places)]
        warned = [one for one in cautions if any(model.findings.is_at(one.field, place) for place in places)]
        for one in wrong:
            left.pop((one.field, one.message), None)
        for each in warned:
            unplaced.pop((each.field, each.text), None)
        hidden = quiet and not value.strip()
        said = [] if hidden else [one.message for one in wrong]
        return replace(field, value=value, wrong=said, warnings=[each.text for each in warned])

    endpoint = Field(path="endpoint", label="VPN gateway and endpoint", group="ends")
    device = Field(path="cgw_id", label="Customer gateway", group="ends")
    style = Field(path="style", label="Style", group="style", kind="choice", allowed=allowed_values.STYLES)
    asked = [*_known(chosen), *(_DEVICE if form.get("cgw_id") == NEW else ())]
    shown = Shown(
        endpoint=about(endpoint, "vgw_id", "vgw_ip", "ha_role"),
        device=about(device),
        style=about(replace(style, value=chosen.style)),
        fields=[about(each) for each in asked],
        rules=[(about(source), about(destination)) for source, destination in _rule_fields(rows)]
        if chosen.style == "policy"
        else [],
        other_wrong=[],
        other_warnings=[],
        seen=seen(cautions),
    )
    over = [one for one in left.values() if not (quiet and one.wrong.startswith("is mandatory"))]
    return replace(shown, other_wrong=over, other_warnings=list(unplaced.values()))


def seen(warnings: Iterable[model.Warning]) -> str:
    """A name for these warnings. A form carries it, so that a create can tell whether a person saw them."""
    names = sorted((one.field, one.text) for one in warnings)
    return hashlib.sha256(repr(names).encode()).hexdigest()[:16] if names else ""


def _in_row(field: str, rows: Sequence[int]) -> str:
    """The path with the row of the form in place of the number of the rule: empty rows are not sent."""
    found = _RULE.match(field)
    if found is None or int(found[1]) >= len(rows):
        return field
    return f"policy_rules[{rows[int(found[1])]}]{field[found.end() :]}"


def _rule_fields(rows: Sequence[int]) -> Iterator[tuple[Field, Field]]:
    """The rows that are filled, and an empty one after them."""
    for row in range(min(max(rows, default=-1) + 2, allowed_values.RULES.high)):
        place, number = f"policy_rules[{row}]", row + 1
        yield (
            Field(path=f"{place}.source", label=f"Source of rule {number}", group="rules"),
            Field(path=f"{place}.destination", label=f"Destinations of rule {number}", group="rules"),
        )
