"""Customer gateways: create, show, list, update, delete. They exist only in the store, so all of it is done at once."""

from dataclasses import dataclass

from landbridge import errors, model
from landbridge.operations import call as calls
from landbridge.operations import idempotency, ids, paging, quotas, versions
from landbridge.operations.call import Call
from landbridge.rules import customer_gateway as rules
from landbridge.rules import fields
from landbridge.store import codec, counters, customer_gateways, resources, tags
from landbridge.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerGatewayPage:
    customer_gateways: list[model.CustomerGateway]
    next_marker: str | None
    total: int


@calls.operation("admin", "write")
def create(tx: Transaction, call: Call, request: model.CustomerGatewayRequest) -> model.CustomerGateway:
    return idempotency.once(tx, call, "create_cgw", codec.customer_gateway, lambda: _create(tx, call, request))


def _create(tx: Transaction, call: Call, request: model.CustomerGatewayRequest) -> model.CustomerGateway:
    facts = _facts(tx, call, request)
    violations = fields.merge(call.shape, [*rules.check(request, facts), *quotas.check(tx, call, "customer_gateway")])
    if violations:
        raise errors.Invalid(violations)
    made = rules.complete(request, facts, ids.generate(call.now), call.project_id)
    customer_gateways.add(tx, made)
    tags.add(tx, call.project_id, "customer-gateway", made.id, made.tags)
    counters.add(tx, call.project_id, "customer_gateway", 1)
    call.audit(tx, "create_cgw", made.id)
    return made


def _facts(tx: Transaction, call: Call, request: model.CustomerGatewayRequest) -> rules.Facts:
    wanted = request.ca_certificate.id if request.ca_certificate else None
    named = customer_gateways.certificate(tx, call.project_id, wanted.lower()) if wanted else None
    return rules.Facts(now=call.now, site=call.service.site, named_certificate=named)


@calls.operation("reader", "read")
def show(tx: Transaction, call: Call, customer_gateway_id: str) -> model.CustomerGateway:
    found = customer_gateways.find(tx, call.project_id, customer_gateway_id.lower())
    if found is None:
        raise errors.NotFound(f"customer gateway {customer_gateway_id[:64]}")
    return found


def etag(customer_gateway: model.CustomerGateway) -> str:
    """It has no generations, since no engine carries it."""
    return versions.etag(1, codec.dump(codec.customer_gateway, customer_gateway))


@calls.operation("admin", "write")
def update(tx: Transaction, call: Call, request: tuple[str, model.CustomerGatewayRequest]) -> model.CustomerGateway:
    """`ask`: which one, and what is to be changed. No tunnel has anything of what can be."""
    before, wanted = show(tx, call, request[0]), request[1]
    versions.check_match(call.if_match, lambda: etag(before))
    facts = _facts(tx, call, wanted)
    violations = fields.merge(call.shape, rules.check_update(wanted, before, facts))
    if violations:
        raise errors.Invalid(violations)
    after = rules.update(wanted, before, facts, ids.generate(call.time_after(before.updated_at)))
    if after != before:
        resources.rewrite(tx, resources.CUSTOMER_GATEWAY, after)
        call.audit(tx, "update_cgw", after.id)
    return after


@calls.operation("reader", "long read")
def list_page(tx: Transaction, call: Call, request: tuple[int, str, str | None]) -> CustomerGatewayPage:
    """`ask`: how many, the marker of the page before, and only this id (None: all)."""
    limit, after = request[0], paging.after(call, "customer gateways", request[1])
    if request[2] is not None:
        only = customer_gateways.find(tx, call.project_id, request[2])
        found = [only] if only is not None else []
        return CustomerGatewayPage(customer_gateways=found, next_marker=None, total=len(found))
    rows = customer_gateways.page(tx, call.project_id, after, limit + 1)
    return CustomerGatewayPage(
        customer_gateways=[found for _, found in rows[:limit]],
        next_marker=paging.marker(call, "customer gateways", rows[limit - 1][0]) if len(rows) > limit else None,
        total=counters.value(tx, call.project_id, "customer_gateway"),
    )


@calls.operation("admin", "write")
def remove(tx: Transaction, call: Call, customer_gateway_id: str) -> None:
    found = show(tx, call, customer_gateway_id)
    versions.check_match(call.if_match, lambda: etag(found))
    dependant, number = customer_gateways.dependants(tx, found.id)
    if dependant is not None:
        raise errors.in_use(f"customer gateway {found.id}", dependant, number)
    customer_gateways.remove(tx, found.id)
    counters.add(tx, call.project_id, "customer_gateway", -1)
    call.audit(tx, "delete_cgw", found.id)
