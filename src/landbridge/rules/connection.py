"""Creating a connection: every rule of the API page, and the complete connection that a sound request becomes.

`check` lists all violations; `complete` may be called only when there are none. The order of the checks is the order of
the page. `docs/reference/connection-rules.md` has a row for each sentence and the tests that prove it.
"""

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import fields, ipv4, policies, policy_rules, policy_template, tunnel

STYLES, HA_ROLES = allowed_values.STYLES, allowed_values.HA_ROLES
RULES_ALLOWED = f"{allowed_values.RULES} rules"
#: Blocks that are never a customer's network. The page names the first two as examples.
RESERVED = tuple(map(ipv4.block, model.RESERVED_NETS))
#: Each allowed character with its kind.
PSK_KINDS = {
    character: kind
    for kind in (string.ascii_uppercase, string.ascii_lowercase, string.digits, allowed_values.PSK_SPECIALS)
    for character in kind
}
PSK_ALLOWED = str(allowed_values.PSK)
CARRYING = frozenset({"ACTIVE", "PENDING_UPDATE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayFacts:
    """The gateway that the request names. `status`: as the API shows it. `connections`: how many the gateway has.
    `next_if_id`: of its next connection.
    """

    gateway: model.VpnGateway
    status: str
    connections: int
    next_if_id: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFacts:
    """What the store knows about the surroundings of a request. None: the project does not have it, or nobody asked for
    it. `other_key`: the id of a connection with another PSK, when the IKE daemon cannot tell the two connections apart
    when it picks the PSK.
    """

    gateway: GatewayFacts | None
    customer_gateway: model.CustomerGateway | None
    neighbours: tuple[model.Neighbour, ...] = ()
    other_key: str | None = None


def style(request: model.ConnectionRequest) -> str:
    return request.style or STYLES.default


def endpoint(request: model.ConnectionRequest, gateway: model.VpnGateway) -> model.Endpoint | None:
    """The endpoint that `vgw_ip` names: by EIP id on a public gateway, by address on a private one."""
    address = (request.gateway_endpoint or "").lower()
    for candidate in gateway.endpoints:
        if address == (candidate.eip_id or candidate.address):
            return candidate
    return None


def ends(request: model.ConnectionRequest, facts: ConnectionFacts) -> policies.Ends:
    """The two ends. The ids of the policies default to them."""
    gateway = facts.gateway.gateway if facts.gateway else None
    return policies.Ends(
        gm=gateway.is_gm if gateway is not None else None,
        endpoint=endpoint(request, gateway) if gateway is not None else None,
        peer=facts.customer_gateway,
        template=policy_template.find(style(request), gateway),
    )


def identity(request: model.ConnectionRequest, facts: ConnectionFacts) -> str:
    """The values that distinguish this tunnel on the wire from other tunnels of the same endpoint: the peer's address and both ids.

    IKE daemons compare names without regard to case.
    """
    both = ends(request, facts)
    peer = both.peer.address_for(style(request)) if both.peer else None
    ids = (policies.local_identity(request.ike_policy, both), policies.peer_identity(request.ike_policy, both))
    return _identity(peer, ids)


def stored_identity(connection: model.Connection, peer: model.CustomerGateway) -> str:
    """The beginning of the `identity` of a stored connection. A GM connection stores no ids."""
    ike = connection.ike_policy
    ids = ((ike.local_id_type, ike.local_id), (ike.peer_id_type, ike.peer_id))
    return _identity(peer.address_for(connection.style), (identity for identity in ids if identity[0] is not None))


def _identity(address: str | None, ids: Iterable[tuple[str | None, str | None]]) -> str:
    return "\n".join([address or "any", *(f"{kind}:{value}".lower() for kind, value in ids)])


def tunnel_blocks(request: model.ConnectionRequest, generated: fields.Generated) -> tuple[int, ...]:
    """The /30s to look up: the blocks that the request names, or else the candidates."""
    given = [a for a in (request.tunnel_local_address, request.tunnel_peer_address) if a is not None]
    if not given:
        return generated.tunnel_blocks
    return tuple(tunnel.block_of(a) for a in given if tunnel.is_sound(a))


def picks_key_by_address(request: model.ConnectionRequest, facts: ConnectionFacts) -> bool:
    """Whether the IKE daemon picks the PSK by the two addresses. IKEv1 main mode needs the key before the device tells
    its id.
    """
    policy = request.ike_policy
    return (
        request.psk is not None
        and policy.version == "v1"
        and policy.negotiation_mode != "aggressive"
        and not _is_gm(facts)
    )


def did_pick_by_address(connection: model.Connection) -> bool:
    """`picks_key_by_address` for a connection that is stored."""
    policy = connection.ike_policy
    return policy.negotiation_mode == "main" and policy.authentication_method == "pre-share"


def check(
    request: model.ConnectionRequest, facts: ConnectionFacts, generated: fields.Generated
) -> Iterator[model.Violation]:
    both = ends(request, facts)
    yield from fields.check_name("name", request.name)
    yield from _check_gateway(request, facts)
    yield from _check_endpoint(request, facts, both.endpoint)
    yield from fields.check_value("style", request.style, STYLES)
    yield from _check_customer_gateway(request, facts)
    yield from _check_peer_subnets(request, facts)
    yield from _check_tunnel(request, facts, generated)
    if request.enable_nqa is not None and style(request) != "static" and style(request) in STYLES:
        yield model.Violation(
            "enable_nqa", "enable_nqa must not be filled if style is not static", "leave it out, or use style static"
        )
    if request.enable_health_check and style(request) == "policy-template":
        yield model.Violation(
            "enable_health_check", "a policy-template has no device of its own to probe", "leave it out"
        )
    yield from _check_psk(request, facts)
    if facts.other_key is not None:
        yield model.Violation(
            "psk",
            f"connection {facts.other_key} has another PSK for the same endpoint and peer address, and IKEv1 main mode picks"
            " the PSK by these two addresses",
            f"ike_version v2, phase1_negotiation_mode aggressive, or the PSK of connection {facts.other_key}",
        )
    yield from _check_policy_rules(request, facts)
    if both.template is not None:
        yield from policy_template.check(request, both.template)
    completed = policy_template.completed(request, both.template)
    yield from policies.check_ike(completed.ike_policy, both)
    yield from policies.check_ipsec(completed.ipsec_policy, gm=both.gm)
    yield from _check_ha_role(request, facts, both.endpoint)
    yield from fields.check_tags("tags", request.tags or ())
    for path, given in (("peer_subnets_v6", request.peer_subnets_v6), ("policy_rules_v6", request.policy_rules_v6)):
        if given:
            yield model.Violation(path, allowed_values.NO_IPV6, "leave it out")
    yield from _check_neighbours(request, facts, both.endpoint)


def _check_gateway(request: model.ConnectionRequest, facts: ConnectionFacts) -> Iterator[model.Violation]:
    malformed = list(fields.check_uuid("vgw_id", request.gateway_id, "a VPN gateway"))
    yield from malformed
    if malformed:
        return
    if facts.gateway is None:
        yield model.Violation(
            "vgw_id", f"VPN gateway {request.gateway_id} does not exist", "a VPN gateway of this project"
        )
        return
    known = facts.gateway
    if known.status not in CARRYING:
        yield model.Violation(
            "vgw_id", f"VPN gateway {known.gateway.id} is {known.status}", "a VPN gateway that is ACTIVE"
        )
    if known.connections >= known.gateway.connection_number:
        yield model.Violation(
            "vgw_id",
            f"VPN gateway {known.gateway.id} has {known.connections} connections",
            f"at most {known.gateway.connection_number}",
        )
    if known.next_if_id >= model.IF_ID_END:
        yield model.Violation(
            "vgw_id",
            f"VPN gateway {known.gateway.id} has no interface id left for another connection",
            "a new VPN gateway",
        )
    if known.gateway.is_gm and known.gateway.certificate_id is None:
        yield model.Violation("vgw_id", "the GM gateway has no certificate", "a gateway with imported certificates")


def _check_endpoint(
    request: model.ConnectionRequest, facts: ConnectionFacts, ours: model.Endpoint | None
) -> Iterator[model.Violation]:
    given = request.gateway_endpoint
    gateway = facts.gateway.gateway if facts.gateway else None
    allowed = "the id of one of the gateway's EIPs, or on a private gateway one of its addresses"
    if given is None:
        yield model.Violation("vgw_ip", "is mandatory", _endpoints(gateway) if gateway else allowed)
    elif given not in allowed_values.UUID and ipv4.parse_address(given) is None:
        yield model.Violation("vgw_ip", f"{given!r} is neither an EIP id nor an IPv4 address", allowed)
    elif gateway is not None and ours is None:
        yield model.Violation("vgw_ip", f"{given} is not an endpoint of VPN gateway {gateway.id}", _endpoints(gateway))


def _endpoints(gateway: model.VpnGateway) -> str:
    return " or ".join(
        f"{e.eip_id} (EIP {e.address})" if e.eip_id is not None else e.address for e in gateway.endpoints
    )


def _check_customer_gateway(request: model.ConnectionRequest, facts: ConnectionFacts) -> Iterator[model.Violation]:
    malformed = list(fields.check_uuid("cgw_id", request.customer_gateway_id, "a customer gateway"))
    yield from malformed
    if malformed:
        return
    if facts.customer_gateway is None:
        yield model.Violation(
            "cgw_id",
            f"customer gateway {request.customer_gateway_id} does not exist",
            "a customer gateway of this project",
        )
    elif facts.gateway and facts.customer_gateway.address in [e.address for e in facts.gateway.gateway.endpoints]:
        yield model.Violation(
            "cgw_id", f"{facts.customer_gateway.address} is an endpoint of the gateway itself", "another device"
        )
    elif _is_gm(facts) and facts.customer_gateway.ca_certificate is None:
        yield model.Violation(
            "cgw_id", "the customer gateway has no certificate", "one with an imported CA certificate"
        )


def _is_gm(facts: ConnectionFacts) -> bool:
    return facts.gateway is not None and facts.gateway.gateway.is_gm


def _without_peer_subnets(request: model.ConnectionRequest, facts: ConnectionFacts) -> bool:
    """Whether `peer_subnets` is neither needed nor stored, because an enterprise router gets its routes from elsewhere.

    True for an unknown gateway, so that no violation is wrong.
    """
    attached = facts.gateway.gateway.attachment_type if facts.gateway else "er"
    return attached == "er" and style(request) in ("policy", "bgp")


def _check_peer_subnets(request: model.ConnectionRequest, facts: ConnectionFacts) -> Iterator[model.Violation]:
    if _without_peer_subnets(request, facts):
        return
    if request.peer_subnets is None:
        yield model.Violation("peer_subnets", "is mandatory", fields.SUBNETS_ALLOWED)
        return
    yield from fields.check_subnets("peer_subnets", request.peer_subnets)
    if len(request.peer_subnets) > allowed_values.SUBNETS.high:
        return
    local = facts.gateway.gateway.local_subnets if facts.gateway else ()
    local_blocks = fields.blocks(local)
    for index, text in enumerate(request.peer_subnets):
        parsed = ipv4.parse_block(text)
        if parsed is None:
            continue
        place = f"peer_subnets[{index}]"
        for reserved in RESERVED:
            if reserved.contains(parsed):
                yield model.Violation(place, f"{text} lies in the reserved block {reserved}", "a customer's own block")
        for ours in local_blocks:
            if ours.contains(parsed):
                yield model.Violation(
                    place, f"{text} lies in the gateway's local subnet {ours}", "a block of the other side"
                )


def _check_tunnel(
    request: model.ConnectionRequest, facts: ConnectionFacts, generated: fields.Generated
) -> Iterator[model.Violation]:
    local, peer = request.tunnel_local_address, request.tunnel_peer_address
    given = [(f"tunnel_{side}_address", text) for side, text in (("local", local), ("peer", peer)) if text is not None]
    if style(request) == "policy-template":
        for path, _ in given:
            yield model.Violation(path, "a policy-template has no tunnel interface", "leave it out")
        return
    for path, text in given:
        yield from tunnel.check(path, text)
    if local is not None and peer is not None and tunnel.is_sound(local) and tunnel.is_sound(peer):
        yield from tunnel.check_pair(local, peer)
    users = {n.tunnel_block: n for n in facts.neighbours}
    if not given and set(generated.tunnel_blocks) <= users.keys():
        yield model.Violation(
            "tunnel_local_address", "no free /30 was found on this gateway", "send an address pair that is free"
        )
    blocks = {tunnel.block_of(text): path for path, text in reversed(given) if tunnel.is_sound(text)}
    for block, path in blocks.items():
        if (user := users.get(block)) is not None:
            yield model.Violation(
                path,
                f"the /30 of {tunnel.addresses(block)[0]} is used by connection {user.id}{_leaving(user)}",
                "a /30 that no other connection of the gateway uses",
            )


def _leaving(user: model.Neighbour) -> str:
    return ", which is still being deleted" if user.deleting else ""


def _check_psk(request: model.ConnectionRequest, facts: ConnectionFacts) -> Iterator[model.Violation]:
    if _is_gm(facts):
        return
    if request.psk is None:
        unless = "" if facts.gateway is not None else " unless the gateway is GM"
        yield model.Violation("psk", f"is mandatory{unless}", PSK_ALLOWED)
        return
    if wrong := list(_faults_of_psk(request.psk.reveal())):
        yield model.Violation("psk", " and ".join(wrong), PSK_ALLOWED)


def _faults_of_psk(text: str) -> Iterator[str]:
    if not text:
        yield "is empty"
        return
    if len(text) not in allowed_values.PSK_LENGTH:
        yield f"has {len(text)} characters"
    kinds = set(map(PSK_KINDS.get, text))
    if None in kinds:
        yield "has a character that is not allowed"
    if len(kinds - {None}) < allowed_values.PSK_KINDS_NEEDED:
        yield "has fewer than three kinds of characters"


def _check_policy_rules(request: model.ConnectionRequest, facts: ConnectionFacts) -> Iterator[model.Violation]:
    rules = request.policy_rules or ()
    if style(request) != "policy":
        if rules and style(request) in STYLES:
            yield model.Violation("policy_rules", "must not be filled if style is not policy", "leave it out")
        return
    if not rules:
        yield from _check_derivable(facts)
    if len(rules) > allowed_values.RULES.high:
        yield model.Violation("policy_rules", f"has {len(rules)} entries", f"at most {allowed_values.RULES.high}")
        return
    seen_indexes: set[int] = set()
    seen_sources: set[str] = set()
    for position, rule in enumerate(rules):
        place = f"policy_rules[{position}]"
        yield from _check_rule_index(f"{place}.rule_index", rule.index, seen_indexes)
        yield from _check_rule_source(f"{place}.source", rule.source, seen_sources)
        if rule.destinations is None:
            yield model.Violation(f"{place}.destination", "is mandatory in a rule", fields.SUBNETS_ALLOWED)
        else:
            yield from fields.check_subnets(f"{place}.destination", rule.destinations)


def _check_derivable(facts: ConnectionFacts) -> Iterator[model.Violation]:
    """Checks that a connection without rules can get one rule for each local subnet."""
    if facts.gateway is None:
        return
    local = facts.gateway.gateway.local_subnets
    if not local:
        yield model.Violation("policy_rules", "is mandatory on a gateway without local subnets", RULES_ALLOWED)
    elif len(local) > allowed_values.RULES.high:
        yield model.Violation(
            "policy_rules",
            f"is mandatory here: one rule for each of the gateway's {len(local)} local subnets would be too many",
            RULES_ALLOWED,
        )


def _check_rule_index(path: str, index: int | None, seen: set[int]) -> Iterator[model.Violation]:
    if index is None:
        return
    yield from fields.check_value(path, index, allowed_values.RULE_INDEX)
    if index in seen:
        yield model.Violation(path, f"{index} is given twice", "each index once")
    seen.add(index)


def _check_rule_source(path: str, source: str | None, seen: set[str]) -> Iterator[model.Violation]:
    if source is None:
        yield model.Violation(path, "is mandatory in a rule", "a CIDR block")
        return
    yield from fields.check_cidr(path, source)
    if source in seen:
        yield model.Violation(path, f"{source} is given twice", "each source once")
    seen.add(source)


def _check_ha_role(
    request: model.ConnectionRequest, facts: ConnectionFacts, ours: model.Endpoint | None
) -> Iterator[model.Violation]:
    yield from fields.check_value("ha_role", request.ha_role, HA_ROLES)
    if facts.gateway is None or (request.ha_role is not None and request.ha_role not in HA_ROLES):
        return
    gateway = facts.gateway.gateway
    if ours is None:
        return
    role = request.ha_role or HA_ROLES.default
    fitting = HA_ROLES.values[ours.number - 1]
    if gateway.ha_mode == "active-standby" and request.ha_role is None and role != fitting:
        yield model.Violation(
            "ha_role",
            f"is mandatory with endpoint {ours.number} of an active-standby gateway",
            f"{fitting} with this vgw_ip",
        )
    elif gateway.ha_mode == "active-standby" and role != fitting:
        yield model.Violation(
            "ha_role",
            f"{role} does not fit endpoint {ours.number} of an active-standby gateway",
            f"{fitting} with this vgw_ip",
        )
    elif gateway.ha_mode == "active-active" and role == "slave" and ours.number == 1:
        yield model.Violation("ha_role", "slave does not fit endpoint 1 of an active-active gateway", "master")


def _check_neighbours(
    request: model.ConnectionRequest, facts: ConnectionFacts, ours: model.Endpoint | None
) -> Iterator[model.Violation]:
    """Refuses a connection that the IKE daemon cannot distinguish from an existing one."""
    if ours is None or facts.customer_gateway is None or not facts.neighbours:
        return
    wire = identity(request, facts)
    for other in facts.neighbours:
        if other.endpoint != ours.number:
            continue
        if other.customer_gateway_id == facts.customer_gateway.id:
            yield model.Violation(
                "cgw_id",
                f"connection {other.id}{_leaving(other)} already leads from this endpoint to this customer gateway",
                "another endpoint or another customer gateway",
            )
        elif other.identity == wire:
            yield model.Violation(
                "cgw_id",
                f"connection {other.id}{_leaving(other)} has the same endpoint, peer address and ids",
                "another endpoint, address, local_id or peer_id",
            )


def complete(
    request: model.ConnectionRequest, facts: ConnectionFacts, generated: fields.Generated, gateway: model.VpnGateway
) -> model.Connection:
    """The connection with every default. Call it only when `check` found no violation."""
    both = ends(request, facts)
    ours = both.endpoint
    if ours is None or facts.customer_gateway is None or request.gateway_endpoint is None:
        raise ValueError("complete() needs a request that check() passed")
    asked_style = cast("model.Style", style(request))
    local, peer = _tunnel_pair(request, facts, generated)
    completed = policy_template.completed(request, both.template)
    return model.Connection(
        id=generated.id,
        project_id=gateway.project_id,
        name=request.name or f"{allowed_values.CONNECTION_NAME}{generated.suffix}",
        gateway_id=gateway.id,
        endpoint=ours.number,
        gateway_endpoint=request.gateway_endpoint,
        style=asked_style,
        customer_gateway_id=facts.customer_gateway.id,
        peer_subnets=None if _without_peer_subnets(request, facts) else request.peer_subnets,
        tunnel_local_address=local,
        tunnel_peer_address=peer,
        enable_nqa=(request.enable_nqa or False) if asked_style == "static" else None,
        enable_hub=request.enable_hub,
        policy_rules=_policy_rules(request, gateway) if asked_style == "policy" else (),
        ike_policy=policies.complete_ike(completed.ike_policy, both),
        ipsec_policy=policies.complete_ipsec(completed.ipsec_policy, gm=gateway.is_gm),
        ha_role="slave" if request.ha_role == "slave" else "master",
        enterprise_project_id=gateway.enterprise_project_id,
        monitor_id=generated.other_ids[0] if request.enable_health_check else None,
        tags=fields.tags(request.tags),
        created_at=generated.now,
        updated_at=generated.now,
        policy_rules_given=bool(request.policy_rules) if asked_style == "policy" else None,
    )


def _policy_rules(request: model.ConnectionRequest, gateway: model.VpnGateway) -> tuple[model.PolicyRule, ...]:
    return policy_rules.number(request.policy_rules or policy_rules.derive(gateway.local_subnets, request.peer_subnets))


def _tunnel_pair(
    request: model.ConnectionRequest, facts: ConnectionFacts, generated: fields.Generated
) -> tuple[str | None, str | None]:
    if style(request) == "policy-template":
        return None, None
    local, peer = request.tunnel_local_address, request.tunnel_peer_address
    if local is not None:
        return local, peer or tunnel.other(local)
    if peer is not None:
        return tunnel.other(peer), peer
    used = {n.tunnel_block for n in facts.neighbours}
    return tunnel.addresses(next(b for b in generated.tunnel_blocks if b not in used))


def warnings(connection: model.Connection, abilities: model.Abilities) -> tuple[model.Warning, ...]:
    """Returns what the caller should know about a connection that is stored as the request asks. `abilities`: those of the
    engine here.
    """
    uncarried = model.uncarried(connection, abilities)
    return (
        *((uncarried,) if uncarried else ()),
        *policies.warnings(connection.ike_policy, connection.ipsec_policy),
        *policy_rules.uncovered_peers(connection),
    )
