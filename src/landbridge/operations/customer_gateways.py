"""Customer gateways: create, show, list, update, delete. No engine carries them, so every change is complete when it is stored."""

from dataclasses import dataclass

from landbridge import errors, model
from landbridge.operations import idempotency, ids, paging, quotas, status_lists, versions
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.rules import customer_gateway as rules
from landbridge.rules import fields
from landbridge.store import codec, counters, customer_gateways, resources, tags
from landbridge.store.database import Transaction

#: Connections that one answer lists.
USED_BY_LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerGatewayPage:
    customer_gateways: list[model.CustomerGateway]
    next_marker: str | None
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedBy:
    """The oldest connections of a customer gateway, and how many there are."""

    connections: list[status_lists.ResourceStatus]
    total: int


@operation("create_cgw", "admin", "write")
def create(tx: Transaction, call: Call, request: model.CustomerGatewayRequest) -> model.CustomerGateway:
    return idempotency.once(tx, call, create.name, codec.customer_gateway, lambda: _create(tx, call, request))


@operation("check_cgw", "admin", "read")
def check(tx: Transaction, call: Call, request: model.CustomerGatewayRequest) -> model.CheckResult:
    """Explains why a create with this request would be refused. It writes nothing."""
    violations = [*rules.check(request, _facts(tx, call, request)), *quotas.check(tx, call, "customer_gateway")]
    return model.CheckResult(violations=tuple(fields.merge(call.violations, violations)))


def _create(tx: Transaction, call: Call, request: model.CustomerGatewayRequest) -> model.CustomerGateway:
    facts = _facts(tx, call, request)
    call.refuse([*rules.check(request, facts), *quotas.check(tx, call, "customer_gateway")])
    made = rules.complete(request, facts, ids.generate(call.now), call.project_id)
    customer_gateways.add(tx, made)
    tags.add(tx, call.project_id, "customer-gateway", made.id, made.tags)
    counters.add(tx, call.project_id, "customer_gateway", 1)
    call.audit(tx, create.name, made.id)
    return made


def _facts(tx: Transaction, call: Call, request: model.CustomerGatewayRequest) -> rules.CustomerGatewayFacts:
    certificate_id = request.ca_certificate.id if request.ca_certificate else None
    named = customer_gateways.certificate(tx, call.project_id, certificate_id.lower()) if certificate_id else None
    return rules.CustomerGatewayFacts(now=call.now, site=call.service.site, named_certificate=named)


@operation("show_cgw", "reader", "read")
def show(tx: Transaction, call: Call, request: model.CustomerGatewayRef) -> model.CustomerGateway:
    return _find(tx, call, request.customer_gateway_id)


def _find(tx: Transaction, call: Call, customer_gateway_id: str) -> model.CustomerGateway:
    customer_gateway = customer_gateways.find(tx, call.project_id, customer_gateway_id.lower())
    if customer_gateway is None:
        raise errors.NotFound(f"customer gateway {customer_gateway_id[:64]}")
    return customer_gateway


def etag(customer_gateway: model.CustomerGateway) -> str:
    """A customer gateway has no generations, since no engine carries it."""
    return versions.etag(1, codec.dump(codec.customer_gateway, customer_gateway))


@operation("list_cgw_connections", "reader", "long read")
def used_by(tx: Transaction, call: Call, request: model.CustomerGatewayRef) -> UsedBy:
    """The connections of a customer gateway with their statuses."""
    customer_gateway = _find(tx, call, request.customer_gateway_id)
    rows = status_lists.rows_of(tx, call, customer_gateways.connections(tx, customer_gateway.id, USED_BY_LIMIT))
    return UsedBy(connections=[row for _, row in rows], total=customer_gateways.dependants(tx, customer_gateway.id)[1])


@operation("update_cgw", "admin", "write")
def update(tx: Transaction, call: Call, request: model.CustomerGatewayUpdateRequest) -> model.CustomerGateway:
    """No tunnel depends on the fields that can change."""
    before, after = _plan_update(tx, call, request)
    if after != before:
        resources.rewrite(tx, resources.CUSTOMER_GATEWAY, after)
        call.audit(tx, update.name, after.id)
    return after


@operation("check_cgw_update", "admin", "read")
def check_update(tx: Transaction, call: Call, request: model.CustomerGatewayUpdateRequest) -> model.CheckResult:
    """Returns what the update would do. It writes nothing."""
    try:
        before, after = _plan_update(tx, call, request)
    except errors.Invalid as error:
        return model.CheckResult(violations=tuple(error.violations))
    return model.CheckResult(before=before, after=after)


def _plan_update(
    tx: Transaction, call: Call, request: model.CustomerGatewayUpdateRequest
) -> tuple[model.CustomerGateway, model.CustomerGateway]:
    """The customer gateway before and after the update. Raises Changed when `If-Match` names another version, Invalid."""
    before, change = _find(tx, call, request.customer_gateway_id), request.change
    versions.check_match(call.if_match, lambda: etag(before))
    facts = _facts(tx, call, change)
    call.refuse(rules.check_update(change, before, facts))
    return before, rules.update(change, before, facts, ids.generate(call.time_after(before.updated_at)))


@operation("list_cgws", "reader", "long read")
def list_page(tx: Transaction, call: Call, request: model.CustomerGatewayListRequest) -> CustomerGatewayPage:
    limit, after = request.limit, paging.after(call, "customer gateways", request.marker)
    if request.customer_gateway_id is not None:
        only = customer_gateways.find(tx, call.project_id, request.customer_gateway_id)
        page = [only] if only is not None else []
        return CustomerGatewayPage(customer_gateways=page, next_marker=None, total=len(page))
    rows = customer_gateways.page(tx, call.project_id, after, limit + 1)
    return CustomerGatewayPage(
        customer_gateways=[customer_gateway for _, customer_gateway in rows[:limit]],
        next_marker=paging.marker(call, "customer gateways", rows[limit - 1][0]) if len(rows) > limit else None,
        total=counters.value(tx, call.project_id, "customer_gateway"),
    )


@operation("delete_cgw", "admin", "write")
def remove(tx: Transaction, call: Call, request: model.CustomerGatewayRef) -> None:
    customer_gateway = _find(tx, call, request.customer_gateway_id)
    versions.check_match(call.if_match, lambda: etag(customer_gateway))
    dependant, number = customer_gateways.dependants(tx, customer_gateway.id)
    if dependant is not None:
        raise errors.in_use(f"customer gateway {customer_gateway.id}", dependant, number)
    customer_gateways.remove(tx, customer_gateway.id)
    counters.add(tx, call.project_id, "customer_gateway", -1)
    call.audit(tx, remove.name, customer_gateway.id)
