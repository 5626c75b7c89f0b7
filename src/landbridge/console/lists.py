"""The lists of a project: connections, VPN gateways, customer gateways, tags, quotas, keys, the audit trail; and what the node is able to do."""

from collections.abc import Mapping
from typing import Any, get_args

from landbridge import model
from landbridge.console import estate as estate_page
from landbridge.console.visit import Answered, Rendered, Visit
from landbridge.operations import (
    audit,
    customer_gateways,
    estate,
    gateways,
    keys,
    quotas,
    status_lists,
    tags,
)
from landbridge.operations.estate import Estate

#: Rows of a page.
ROWS = 50
#: Types of resources that have tags, as the API names them.
TAGGED = ("vpn-gateway", "customer-gateway", "vpn-connection")
GATEWAY_LOOKS: Mapping[model.GatewayStatusName, model.TunnelLook] = {
    "PENDING_CREATE": "pending",
    "PENDING_UPDATE": "pending",
    "PENDING_DELETE": "deleting",
    "ACTIVE": "up",
    "FAULT": "error",
}


async def show_connections(visit: Visit) -> Answered:
    """All connections, those with problems first."""
    given = {name: visit.query.get(name) for name in ("q", "look", "gateway", "page")}
    wanted = set((given["look"] or "").split(","))
    request = model.EstateRequest(
        text=(given["q"] or "").strip()[: estate_page.TEXT_LIMIT],
        looks=frozenset(look for look in model.LOOKS if look in wanted) or frozenset(model.LOOKS),
        gateway_id=given["gateway"] or None,
        page=estate_page.page_number(given["page"]),
        limit=ROWS,
    )

    def finish(found: Estate) -> Rendered:
        chips = [(look, found.looks[look], look in wanted) for look in model.LOOKS if found.looks.get(look)]
        return visit.render(
            "connections.html",
            estate=found,
            request=request,
            given=given,
            chips=chips,
            total=sum(found.looks.values()),
            summary=estate_page.summary(found.looks),
        )

    answer: Rendered = await visit.perform(estate.show, request, finish)
    return answer


async def show_gateways(visit: Visit) -> Answered:
    request = model.StatusListRequest(limit=ROWS, marker=visit.query.get("after", ""))
    page: status_lists.StatusPage = await visit.perform(status_lists.list_gateways, request)
    shown = {one.gateway.id: one for one in await visit.perform(gateways.list_all, model.GatewayListRequest())}
    rows = [(row, shown[row.id]) for row in page.rows if row.id in shown]
    return visit.render("gateways.html", rows=rows, looks=GATEWAY_LOOKS, next_marker=page.next_marker, total=len(shown))


async def show_gateway(visit: Visit) -> Answered:
    ref = model.GatewayRef(gateway_id=visit.path("id"))
    found = await visit.perform(gateways.diagnose, ref)
    request = model.EstateRequest(gateway_id=found.gateway.id, looks=frozenset(model.LOOKS), limit=ROWS)
    its: Estate = await visit.perform(estate.show, request)
    return visit.render(
        "gateway.html",
        gateway=found.gateway,
        status=found.status,
        look="unknown" if found.status.not_seen_since else GATEWAY_LOOKS[found.status.status],
        strangers=found.strangers[::-1],
        redundancy=found.redundancy,
        walls=estate_page.pictures(its.gateways),
    )


async def show_customer_gateways(visit: Visit) -> Answered:
    request = model.CustomerGatewayListRequest(limit=ROWS, marker=visit.query.get("after", ""))
    page = await visit.perform(customer_gateways.list_page, request)
    return visit.render(
        "customer_gateways.html", rows=page.customer_gateways, total=page.total, next_marker=page.next_marker
    )


async def show_tags(visit: Visit) -> Answered:
    """The tags of all resources; with a key in the address, the resources that have it."""
    kinds = {kind: await visit.perform(tags.of_project, model.TagListRequest(resource_type=kind)) for kind in TAGGED}
    kind, key, value = (visit.query.get(name, "") for name in ("type", "key", "value"))
    found: Any = None
    if kind in TAGGED and key:
        search = model.TagSearchRequest(
            resource_type=kind,
            tags=(model.TagValuesRequest(key=key, values=(value,) if value else ()),),
            limit=ROWS,
            offset=(estate_page.page_number(visit.query.get("page")) - 1) * ROWS,
        )
        found = await visit.perform(tags.search, search)
    return visit.render(
        "tags.html",
        kinds=kinds,
        found=found,
        given={"type": kind, "key": key, "value": value},
        number=estate_page.page_number(visit.query.get("page")),
        limit=ROWS,
        places={"vpn-gateway": "gateways", "vpn-connection": "connections"},
    )


async def show_quotas(visit: Visit) -> Answered:
    return visit.render("quotas.html", rows=await visit.perform(quotas.show, model.EmptyRequest()))


async def show_keys(visit: Visit) -> Answered:
    return visit.render("keys.html", rows=await visit.perform(keys.list_all, model.EmptyRequest()))


async def show_audit(visit: Visit) -> Answered:
    given = {name: visit.query.get(name) or None for name in ("resource", "actor", "action")}
    request = model.AuditListRequest(
        limit=ROWS,
        marker=visit.query.get("after", ""),
        resource_id=given["resource"],
        actor=given["actor"],
        action=given["action"],
    )
    page = await visit.perform(audit.list_page, request)
    return visit.render("audit.html", rows=page.events, given=given, next_marker=page.next_marker)


async def show_node(visit: Visit) -> Answered:
    """What the engine carries, and why it does not carry the rest."""
    service = visit.dependencies.service
    able = service.abilities
    styles = {style: style in able.styles for style in get_args(model.Style)}
    reasons = {
        "bgp": model.NO_BIRD if not service.bgp else "",
        "gm": "" if able.gm else model.NO_GM,
        "default_route": "" if able.default_route else model.NO_DEFAULT_ROUTE,
    }
    site = service.site.of(visit.project_id)
    return visit.render(
        "node.html",
        service=service,
        able=able,
        styles=styles,
        reasons=reasons,
        site=site,
        has_agent=service.engine != "none",
    )
