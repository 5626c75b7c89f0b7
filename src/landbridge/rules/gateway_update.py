"""Updating a VPN gateway, and changing its specification. An absent field stays, and a client may send back all that it
read.

A gateway moves to other EIPs with all its connections: `updated_connection` gives each connection after the update.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import connection as connection_rules
from landbridge.rules import connection_update, fields, gateway, ipv4, policy_rules, policy_template

#: What is allowed for a field that no operation changes.
CANNOT_CHANGE = "leave it out; another one needs another gateway"
#: Connection id -> its customer gateway.
Peers = Mapping[str, model.CustomerGateway]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayUpdateFacts:
    """What the update may disturb. `site` and `taken`: as for a create; `site` also has what the gateway uses already."""

    site: model.Site
    taken: gateway.Taken
    connections: tuple[model.Connection, ...]


def check(
    request: model.GatewayChange, present: model.VpnGateway, facts: GatewayUpdateFacts
) -> Iterator[model.Violation]:
    yield from fields.check_name("name", request.name)
    yield from _check_local_subnets(request, present, facts)
    yield from _check_eips(request, present, facts)
    yield from _check_template(request, present, facts.connections)
    yield from _check_fixed(request.rest, present)


def _check_local_subnets(
    request: model.GatewayChange, present: model.VpnGateway, facts: GatewayUpdateFacts
) -> Iterator[model.Violation]:
    path = "local_subnets"
    if request.local_subnets_v6:
        yield model.Violation("local_subnets_v6", allowed_values.NO_IPV6, "leave it out")
    if request.local_subnets is None:
        return
    if present.attachment_type == "er":
        if request.local_subnets:
            yield model.Violation(path, "must not be filled if attachment_type is er", "leave it out")
        return
    yield from gateway.check_own_subnets(path, request.local_subnets)
    for index, ours in enumerate(map(ipv4.parse_block, request.local_subnets[: allowed_values.SUBNETS.high])):
        for connection in facts.connections if ours is not None else ():
            for theirs in fields.blocks(connection.peer_subnets or ()):
                if ours is not None and ours.contains(theirs):
                    wrong = f"the peer subnet {theirs} of connection {connection.id} lies in {ours}"
                    yield model.Violation(f"{path}[{index}]", wrong, "a block that holds no peer subnet")


def _asked_eips(
    request: model.GatewayChange, present: model.VpnGateway
) -> list[tuple[str, model.Endpoint, str | None]]:
    """(field, endpoint, EIP id) of each endpoint. The EIP id is None when the endpoint keeps its EIP."""
    requested = zip(("eip_id_1", "eip_id_2"), present.endpoints, (request.eip_id_1, request.eip_id_2), strict=True)
    return [
        (field, endpoint, None if _same(eip_id, endpoint.eip_id) else eip_id) for field, endpoint, eip_id in requested
    ]


def _same(first: str | None, other: str | None) -> bool:
    return first is not None and other is not None and first.lower() == other.lower()


def _check_eips(
    request: model.GatewayChange, present: model.VpnGateway, facts: GatewayUpdateFacts
) -> Iterator[model.Violation]:
    eips = {eip.id: eip for eip in facts.site.eips}
    eip_ids: list[str] = []
    for field, endpoint, eip_id in _asked_eips(request, present):
        eip_ids.append((eip_id or endpoint.eip_id or "").lower())
        if eip_id is None:
            continue
        if present.network_type == "private":
            yield model.Violation(field, "must not be filled if network_type is private", "leave it out")
            return
        malformed = list(fields.check_uuid(field, eip_id, "an EIP"))
        yield from malformed
        if not malformed:
            yield from gateway.check_eip_use(field, eip_id, facts.site, facts.taken, own=present.id)
    uplinks = {eips[eip_id].uplink for eip_id in eip_ids if eip_id in eips}
    if present.network_type == "public" and eip_ids[0] == eip_ids[1]:
        field = "eip_id_2" if request.eip_id_2 is not None else "eip_id_1"
        yield model.Violation(field, "is the EIP of the other endpoint too", "two different EIPs")
    elif len(uplinks) > 1:
        field = "eip_id_2" if request.eip_id_2 is not None else "eip_id_1"
        allowed = f"two EIPs on one of: {', '.join(sorted(uplinks))}"
        yield model.Violation(field, "is attached to this site in another way than the other EIP", allowed)


def _check_template(
    request: model.GatewayChange, present: model.VpnGateway, connections: Iterable[model.Connection]
) -> Iterator[model.Violation]:
    path = "policy_template"
    if request.ike_template is None and request.ipsec_template is None:
        return
    if not present.flavor.endswith(allowed_values.NON_FIXED_IP):
        wrong = f"does not go with flavor {present.flavor}"
        yield model.Violation(path, wrong, f"leave it out: only flavors {allowed_values.NON_FIXED_IP} have one")
    if request.ike_template is not None:
        for field in policy_template.IKE:
            value, allowed = getattr(request.ike_template, field), getattr(allowed_values.IKE, field)
            yield from fields.check_value(f"{path}.ike_policy.{field}", value, allowed)
        yield from _check_template_cipher(f"{path}.ike_policy.encryption_algorithm", request.ike_template, connections)
    if request.ipsec_template is not None:
        for field in policy_template.IPSEC:
            value, allowed = getattr(request.ipsec_template, field), getattr(allowed_values.IPSEC, field)
            yield from fields.check_value(f"{path}.ipsec_policy.{field}", value, allowed)


_FIXED = (
    "network_type",
    "attachment_type",
    "er_id",
    "vpc_id",
    "connect_subnet",
    "access_vpc_id",
    "access_subnet_id",
    "bgp_asn",
    "ha_mode",
    "enterprise_project_id",
    "availability_zone_ids",
)


_EIP_FIELDS = ("type", "charge_mode", "bandwidth_size", "bandwidth_name", "bandwidth_id")


def _check_template_cipher(
    path: str, requested: model.IkePolicyRequest, connections: Iterable[model.Connection]
) -> Iterator[model.Violation]:
    by_v1 = (
        connection.id
        for connection in connections
        if connection.style == "policy-template" and connection.ike_policy.version == "v1"
    )
    if requested.encryption_algorithm in allowed_values.GCM and (connection_id := next(by_v1, None)) is not None:
        wrong = f"{requested.encryption_algorithm} cannot be negotiated by IKEv1, which connection {connection_id} has"
        yield model.Violation(path, wrong, "a cipher without gcm, or ike_version v2 in the connections")


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _check_fixed(rest: model.GatewayRequest, present: model.VpnGateway) -> Iterator[model.Violation]:
    first, second = present.endpoints
    private = present.network_type == "private"
    fixed = [(field, getattr(rest, field), getattr(present, field), CANNOT_CHANGE) for field in _FIXED]
    fixed += [
        ("ip_version", rest.ip_version, "ipv4", CANNOT_CHANGE),
        ("flavor", rest.flavor, present.flavor, "leave it out; update-specification changes it"),
        ("access_private_ip_1", rest.access_private_ip_1, first.address if private else None, CANNOT_CHANGE),
        ("access_private_ip_2", rest.access_private_ip_2, second.address if private else None, CANNOT_CHANGE),
    ]
    for name, older, endpoint in (("eip1", "master_eip", first), ("eip2", "slave_eip", second)):
        for field in (name, older):
            requested: model.EipRequest = getattr(rest, field) or model.EipRequest()
            changes = f"leave it out; eip_id_{endpoint.number} changes it"
            fixed.append((f"{field}.id", requested.id, endpoint.eip_id, changes))
            fixed += [
                (f"{field}.{inner}", getattr(requested, inner), getattr(endpoint, inner), "leave it out")
                for inner in _EIP_FIELDS
            ]
    for field, expected, value, allowed in fixed:
        if expected is not None and _text(expected).lower() != _text(value).lower():
            has = "it is not set" if value is None else f"it is {_text(value)}"
            yield model.Violation(field, f"cannot be changed here to {_text(expected)!r}: {has}", allowed)
    if rest.tags is not None and set(fields.tags(rest.tags)) != set(present.tags):
        yield model.Violation("tags", "cannot be changed here", "the operations tags/create and tags/delete")


def complete(request: model.GatewayChange, present: model.VpnGateway, site: model.Site) -> model.VpnGateway:
    """The updated gateway, still with the old time of update. Call it only when `check` found no violation."""
    eips = {eip.id: eip for eip in site.eips}
    first, second = (
        endpoint if eip_id is None else _moved(endpoint, eips[eip_id.lower()])
        for _, endpoint, eip_id in _asked_eips(request, present)
    )
    return replace(
        present,
        name=request.name or present.name,
        local_subnets=request.local_subnets or present.local_subnets,
        endpoints=(first, second),
        policy_template=_template(request, present),
    )


def _moved(endpoint: model.Endpoint, eip: model.Eip) -> model.Endpoint:
    return replace(endpoint, address=eip.address, eip_id=eip.id)


def _template(request: model.GatewayChange, present: model.VpnGateway) -> model.PolicyTemplate | None:
    was = present.policy_template or gateway.template(present.flavor)
    if was is None:
        return None
    ike, ipsec = request.ike_template or model.IkePolicyRequest(), request.ipsec_template or model.IpsecPolicyRequest()
    return model.PolicyTemplate(
        ike_authentication_algorithm=ike.authentication_algorithm or was.ike_authentication_algorithm,
        ike_encryption_algorithm=ike.encryption_algorithm or was.ike_encryption_algorithm,
        ike_dh_group=ike.dh_group or was.ike_dh_group,
        ike_lifetime_seconds=ike.lifetime_seconds or was.ike_lifetime_seconds,
        ipsec_authentication_algorithm=ipsec.authentication_algorithm or was.ipsec_authentication_algorithm,
        ipsec_encryption_algorithm=ipsec.encryption_algorithm or was.ipsec_encryption_algorithm,
        ipsec_pfs=ipsec.pfs or was.ipsec_pfs,
        ipsec_lifetime_seconds=ipsec.lifetime_seconds or was.ipsec_lifetime_seconds,
    )


def bumps_generation(was: model.VpnGateway, now: model.VpnGateway) -> bool:
    """Whether the engine must apply the change. It ignores the name, and the policy template, which changes connections (`follows`)."""
    return replace(was, name=now.name, policy_template=now.policy_template) != now


def follows(connection: model.Connection, was: model.VpnGateway, now: model.VpnGateway) -> bool:
    """Whether a connection changes with its gateway when both endpoints keep their EIPs. Without a template after the update, the
    connection keeps its policies.
    """
    if connection.style == "policy-template":
        return now.policy_template not in (None, was.policy_template)
    return now.local_subnets != was.local_subnets and policy_rules.are_derived(connection, was.local_subnets)


def updated_connection(
    connection: model.Connection, was: model.VpnGateway, now: model.VpnGateway, peer: model.CustomerGateway
) -> tuple[model.Connection, str]:
    """A connection after the update of its gateway, and its identity on the wire. The endpoint, a local id that was the
    endpoint's address, and derived rules follow the gateway.
    """
    present = model.ConnectionRequest(gateway_endpoint=connection.gateway_endpoint, style=connection.style)
    ends = connection_rules.ends(present, _connection_facts(was, peer))
    requested = connection_update.merge(model.ConnectionRequest(), connection, None, ends, was.local_subnets)
    before, after = (gateway.endpoints[connection.endpoint - 1] for gateway in (was, now))
    merged = requested if after == before else replace(requested, gateway_endpoint=after.eip_id)
    facts = _connection_facts(now, peer)
    return connection_update.complete(merged, facts, connection), connection_rules.identity(merged, facts)


def _connection_facts(present: model.VpnGateway, peer: model.CustomerGateway) -> connection_rules.ConnectionFacts:
    carrying = connection_rules.GatewayFacts(gateway=present, status="ACTIVE", connections=0)
    return connection_rules.ConnectionFacts(gateway=carrying, customer_gateway=peer)


def check_peers(now: model.VpnGateway, request: model.GatewayChange, peers: Peers) -> Iterator[model.Violation]:
    """Refuses an EIP that is the address of a customer gateway of a connection. `peers`: connection id -> customer
    gateway.
    """
    for connection_id, peer in peers.items():
        for endpoint in now.endpoints:
            field = f"eip_id_{endpoint.number}"
            if peer.address == endpoint.address and getattr(request, field) is not None:
                wrong = f"{peer.address} is the address of the device of connection {connection_id}"
                yield model.Violation(field, wrong, "another EIP")


def check_identities(
    request: model.GatewayChange, updated: list[tuple[model.Connection, str]]
) -> Iterator[model.Violation]:
    """Refuses an update after which two connections have the same identity on the wire, which their addresses distinguished before.
    `updated`: the results of `updated_connection`.
    """
    seen: dict[tuple[int, str], str] = {}
    for connection, identity in updated:
        field = f"eip_id_{connection.endpoint}"
        other = seen.setdefault((connection.endpoint, identity), connection.id)
        if other != connection.id and getattr(request, field) is not None:
            wrong = f"there connection {connection.id} has the same addresses and ids as connection {other}"
            yield model.Violation(field, wrong, "an EIP that is not the local id of a connection")


def check_flavor(
    flavor: str | None, present: model.VpnGateway, connections: int, limit: int
) -> Iterator[model.Violation]:
    """`limit`: how many connections a gateway of the new flavor carries here."""
    known = allowed_values.FLAVORS
    if flavor is None:
        yield model.Violation("flavor", "is mandatory", allowed_values.one_of(tuple(known)))
    elif flavor not in known:
        yield model.Violation("flavor", f"{flavor!r} is not a known value", allowed_values.one_of(tuple(known)))
    elif _family(flavor) != _family(present.flavor):
        same = tuple(flavor for flavor in known if _family(flavor) == _family(present.flavor))
        wrong = f"{present.flavor} cannot become {flavor}"
        yield model.Violation("flavor", wrong, allowed_values.one_of(same), "VPN.0518")
    elif connections > limit:
        wrong = f"{flavor} carries {limit} connections, and the gateway has {connections}"
        yield model.Violation("flavor", wrong, "a flavor that carries them, or fewer connections", "VPN.0517")


def _family(flavor: str) -> str:
    """A flavor changes within its family only: Basic, Professional or GM."""
    return flavor if flavor in {"Basic", "GM"} else "Professional"


def with_flavor(present: model.VpnGateway, flavor: str, limit: int) -> model.VpnGateway:
    """The gateway with another flavor. Its EIPs keep their bandwidth."""
    return replace(
        present,
        flavor=flavor,
        connection_number=limit,
        policy_template=(present.policy_template or gateway.template(flavor)) if gateway.template(flavor) else None,
    )
