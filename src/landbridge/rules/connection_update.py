"""Updating a connection: `merge` makes a whole request of the update, and the rules of a create check that request.

An absent field stays, at every depth. A list is replaced. A default or a derived value follows its source when the source
changes. A client may send back all that it read: an unchanged value is never a change.
`docs/reference/connection-rules.md` has the rows.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from landbridge import model
from landbridge.rules import connection as rules
from landbridge.rules import fields, policies, policy_rules, policy_template

T = TypeVar("T")
Identity = tuple[str | None, str | None]
CANNOT_CHANGE = "leave it out; another one needs another connection"


def _or(requested: T | None, present: T) -> T:
    return present if requested is None else requested


def merge(
    change: model.ConnectionRequest,
    connection: model.Connection,
    psk: model.Secret | None,
    ends: policies.Ends,
    local_subnets: tuple[str, ...],
) -> model.ConnectionRequest:
    """The request that would create the updated connection. `ends`: the two ends of the connection now.
    `local_subnets`: those of its gateway.
    """
    local, peer = _tunnel_pair(change, connection)
    merged = model.ConnectionRequest(
        name=_or(change.name, connection.name),
        gateway_id=connection.gateway_id,
        gateway_endpoint=connection.gateway_endpoint,
        style=connection.style,
        customer_gateway_id=_or(change.customer_gateway_id, connection.customer_gateway_id),
        peer_subnets=_or(change.peer_subnets, connection.peer_subnets),
        tunnel_local_address=local,
        tunnel_peer_address=peer,
        enable_nqa=_or(change.enable_nqa, connection.enable_nqa),
        enable_hub=_or(change.enable_hub, connection.enable_hub),
        psk=_or(change.psk, psk),
        policy_rules=_policy_rules(change.policy_rules, connection, local_subnets),
        ike_policy=_ike(change.ike_policy, connection.ike_policy, ends),
        ipsec_policy=_ipsec(change.ipsec_policy, connection.ipsec_policy),
        ha_role=connection.ha_role,
        peer_subnets_v6=change.peer_subnets_v6,
        policy_rules_v6=change.policy_rules_v6,
    )
    return policy_template.following(merged, change) if ends.template is not None else merged


def _tunnel_pair(change: model.ConnectionRequest, was: model.Connection) -> Identity:
    """When the request has one new address, the other address becomes the other host of the same /30."""
    local, peer = change.tunnel_local_address, change.tunnel_peer_address
    if local in (None, was.tunnel_local_address) and peer in (None, was.tunnel_peer_address):
        return was.tunnel_local_address, was.tunnel_peer_address
    return local, peer


def _policy_rules(
    given: tuple[model.PolicyRuleRequest, ...] | None, was: model.Connection, local_subnets: tuple[str, ...]
) -> tuple[model.PolicyRuleRequest, ...]:
    """The policy rules. Empty when they must be derived: the rules before were derived, or the request empties the list."""
    present = policy_rules.asked(was.policy_rules)
    numbered = present if given is None else tuple(policy_rules.with_indexes_of(was.policy_rules, given))
    return () if numbered == present and policy_rules.are_derived(was, local_subnets) else numbered


def _ike(requested: model.IkePolicyRequest, was: model.IkePolicy, ends: policies.Ends) -> model.IkePolicyRequest:
    plain = model.IkePolicyRequest()
    local = _identity(
        (requested.local_id_type, requested.local_id),
        (was.local_id_type, was.local_id),
        policies.local_identity(plain, ends),
    )
    peer = _identity(
        (requested.peer_id_type, requested.peer_id),
        (was.peer_id_type, was.peer_id),
        policies.peer_identity(plain, ends),
    )
    return model.IkePolicyRequest(
        version=_or(requested.version, was.version),
        negotiation_mode=_or(requested.negotiation_mode, was.negotiation_mode),
        authentication_algorithm=_or(requested.authentication_algorithm, was.authentication_algorithm),
        encryption_algorithm=_or(requested.encryption_algorithm, was.encryption_algorithm),
        dh_group=_or(requested.dh_group, was.dh_group),
        authentication_method=_or(requested.authentication_method, was.authentication_method),
        lifetime_seconds=requested.lifetime_seconds or was.lifetime_seconds,
        local_id_type=local[0],
        local_id=local[1],
        peer_id_type=peer[0],
        peer_id=peer[1],
        dpd=model.DpdRequest(
            interval=requested.dpd.interval or was.dpd.interval,
            timeout=requested.dpd.timeout or was.dpd.timeout,
            msg=_or(requested.dpd.msg, was.dpd.msg),
        ),
    )


def _identity(requested: Identity, was: Identity, default: Identity) -> Identity:
    """A default id follows its end. A new type of id replaces the old id."""
    kind, value = requested
    if kind in (None, was[0]) and value in (None, was[1]):
        return (None, None) if was == default else was
    return _or(kind, was[0]), value


def _ipsec(requested: model.IpsecPolicyRequest, was: model.IpsecPolicy) -> model.IpsecPolicyRequest:
    return model.IpsecPolicyRequest(
        authentication_algorithm=_or(requested.authentication_algorithm, was.authentication_algorithm),
        encryption_algorithm=_or(requested.encryption_algorithm, was.encryption_algorithm),
        pfs=_or(requested.pfs, was.pfs),
        transform_protocol=_or(requested.transform_protocol, was.transform_protocol),
        lifetime_seconds=requested.lifetime_seconds or was.lifetime_seconds,
        encapsulation_mode=_or(requested.encapsulation_mode, was.encapsulation_mode),
    )


def check(
    change: model.ConnectionRequest,
    connection: model.Connection,
    merged: model.ConnectionRequest,
    facts: rules.ConnectionFacts,
) -> Iterator[model.Violation]:
    """All that is wrong with the update. `merged`: the result of `merge`. `facts`: without the connection itself."""
    yield from _check_fixed(change, connection)
    yield from rules.check(merged, facts, generated(connection))


def _check_fixed(change: model.ConnectionRequest, connection: model.Connection) -> Iterator[model.Violation]:
    for path, requested, present in (
        ("vgw_id", change.gateway_id, connection.gateway_id),
        ("vgw_ip", change.gateway_endpoint, connection.gateway_endpoint),
        ("style", change.style, connection.style),
        ("ha_role", change.ha_role, connection.ha_role),
    ):
        if requested is not None and requested.lower() != present.lower():
            yield model.Violation(path, f"cannot be changed to {requested!r}: it is {present}", CANNOT_CHANGE)
    if change.enable_health_check not in (None, connection.monitor_id is not None):
        yield model.Violation(
            "enable_health_check", "cannot be changed here", "create or delete a connection monitor instead"
        )
    if change.tags is not None and set(fields.tags(change.tags)) != set(connection.tags):
        yield model.Violation("tags", "cannot be changed here", "the operations tags/create and tags/delete")


def generated(connection: model.Connection) -> fields.Generated:
    """An update generates nothing: the connection keeps its id and its time of creation."""
    return fields.Generated(id=connection.id, now=connection.created_at, suffix="")


def complete(
    merged: model.ConnectionRequest, facts: rules.ConnectionFacts, connection: model.Connection
) -> model.Connection:
    """The updated connection, still with the old time of update. Call it only when `check` found no violation."""
    if facts.gateway is None:
        raise ValueError("complete() needs an update that check() passed")
    made = rules.complete(merged, facts, generated(connection), facts.gateway.gateway)
    return replace(
        made,
        policy_rules=_rules_in_place(made, connection),
        enterprise_project_id=connection.enterprise_project_id,
        monitor_id=connection.monitor_id,
        tags=connection.tags,
        updated_at=connection.updated_at,
    )


def _rules_in_place(made: model.Connection, was: model.Connection) -> tuple[model.PolicyRule, ...]:
    """A rule that is derived again keeps the index of its source."""
    if made.policy_rules_given is not False:
        return made.policy_rules
    unnumbered = (model.PolicyRuleRequest(source=r.source, destinations=r.destinations) for r in made.policy_rules)
    return policy_rules.number(policy_rules.with_indexes_of(was.policy_rules, unnumbered))


def bumps_generation(was: model.Connection, now: model.Connection) -> bool:
    """Whether the engine must apply the change. It ignores the name, and fields that are only stored."""
    same = replace(was, name=now.name, enable_hub=now.enable_hub, policy_rules_given=now.policy_rules_given)
    return same != now
