"""The lists of a project: connections, quotas, the audit trail. It also has the page with the abilities of the node."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

from landbridge import model
from landbridge.console import connection
from landbridge.console import overview as overview_page
from landbridge.console.page_context import Answered, Download, PageContext, Rendered
from landbridge.operations import audit, overview, quotas
from landbridge.operations.overview import Overview

#: Rows of a page.
ROWS = 50


async def show_connections(context: PageContext) -> Answered:
    """All connections, those with problems first."""
    given = _given(context)
    requested = overview_page.requested(given)
    request = _of_any_health(requested, ROWS)

    def finish(overview: Overview) -> Rendered:
        return context.render(
            "connections.html",
            overview=overview,
            request=request,
            given=given,
            chips=overview_page.chips(overview, requested.health),
            total=sum(overview.by_health.values()),
            summary=overview_page.summary(overview.by_health),
            bulk_kind=connection.BULK,
        )

    answer: Rendered = await context.perform(overview.select, await overview_page.selection(context, request), finish)
    return answer


def _given(context: PageContext) -> dict[str, str | None]:
    return {name: context.query.get(name) for name in ("q", "health", "gateway", "page")}


def _of_any_health(request: model.OverviewRequest, limit: int) -> model.OverviewRequest:
    """Without a chosen health the list has all connections, and the overview has those with problems."""
    return replace(request, health=request.health or frozenset(model.HEALTH_ORDER), limit=limit)


async def download_connections(context: PageContext) -> Answered:
    """The connections of all pages of the list with their causes. Reasons are left out, since they take much processor time."""
    request = _of_any_health(overview_page.requested(_given(context)), 0)
    selection = await overview_page.selection(context, request)

    def finish(overview: Overview) -> Download:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("health", "name", "id", "gateway", "endpoint", "device", "address", "since", "cause"))
        for gateway, tunnel in overview.listed:
            since = (
                datetime.fromtimestamp(tunnel.since / 1000, UTC).isoformat(timespec="seconds") if tunnel.since else ""
            )
            row = (
                tunnel.health,
                tunnel.name,
                tunnel.id,
                gateway,
                tunnel.endpoint,
                tunnel.peer,
                tunnel.address,
                since,
                tunnel.cause or "",
            )
            writer.writerow(map(_cell, row))
        return Download(content=text.getvalue(), name="connections.csv")

    answer: Download = await context.perform(overview.select, selection, finish)
    return answer


def _cell(value: object) -> str:
    """A text that no spreadsheet takes for a formula."""
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


async def show_quotas(context: PageContext) -> Answered:
    return context.render("quotas.html", rows=await context.perform(quotas.show, model.EmptyRequest()))


async def show_audit(context: PageContext) -> Answered:
    given = {name: context.query.get(name) or None for name in ("resource", "actor", "action")}
    request = model.AuditListRequest(
        limit=ROWS,
        marker=context.query.get("after", ""),
        resource_id=given["resource"],
        actor=given["actor"],
        action=given["action"],
    )
    page = await context.perform(audit.list_page, request)
    return context.render("audit.html", rows=page.events, names=page.names, given=given, next_marker=page.next_marker)


async def show_node(context: PageContext) -> Answered:
    """Shows what the engine carries, and why it does not carry the rest."""
    service = context.dependencies.service
    able = service.abilities
    styles = {style: style in able.styles for style in get_args(model.Style)}
    reasons = {
        "bgp": model.NO_BIRD if not service.bgp else "",
        "gm": "" if able.gm else model.NO_GM,
        "default_route": "" if able.default_route else model.NO_DEFAULT_ROUTE,
    }
    site = service.site.for_project(context.project_id)
    return context.render(
        "node.html",
        service=service,
        able=able,
        styles=styles,
        reasons=reasons,
        site=site,
        has_agent=service.engine != "none",
    )
