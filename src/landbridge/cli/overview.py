"""`landbridge status`, `quota` and `audit`: what concerns a whole project."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import click

from landbridge.cli import remote
from landbridge.client import api, failures, output, resources
from landbridge.client.output import Cell, Id, Moment
from landbridge.client.resources import CONNECTION, GATEWAY, KINDS

#: Rows of recent changes.
_CHANGES = 5
#: Gateways without redundancy whose reason the screen has: each costs a request.
_EXPLAINED = 3
#: A gateway or a connection with this status and without a cause is no problem.
_WELL = "ACTIVE"
#: The largest page of the audit trail.
_AUDIT_PAGE = 500


@click.command
@remote.api_command
@click.option("--limit", type=click.IntRange(min=1), default=20, help="Rows of problems (default 20).")
def status(run: remote.CommandRun, limit: int) -> None:
    """Show the overview on one screen: counts, problems with their causes, redundancy, recent changes.

    In a pipe each line begins with its section: count, problem, not-redundant, changed.
    """
    gateways = list(resources.list_statuses(run.api, GATEWAY))
    connections = list(resources.list_statuses(run.api, CONNECTION))
    audit = _audit(run.api)
    if run.form != "table":
        collections = {GATEWAY.collection: gateways, CONNECTION.collection: connections, "audit_events": audit}
        output.document(collections, run.form)
        return
    names = {resource["id"]: resource["name"] for resource in (*gateways, *connections)}
    kinds = (("gateway", gateways), ("connection", connections))
    rows = (_problem(kind, resource, names) for kind, some in kinds for resource in some)
    problems = [row for row in rows if row is not None]
    not_redundant = [gateway for gateway in gateways if gateway.get("redundant") is False]
    recent = _recent_changes(gateways, connections, audit)
    counts = [("gateways", *_counts(gateways)), ("connections", *_counts(connections))]
    if output.is_terminal():
        _screen(run, counts, problems, limit, not_redundant, recent)
    else:
        _lines(counts, problems, [gateway["name"] for gateway in not_redundant], recent)


def _audit(service: api.Api) -> list[dict[str, Any]]:
    """The last changes; none for a key that may not read the audit trail."""
    try:
        events: list[dict[str, Any]] = service.get(service.ours("audit"), limit=_CHANGES)["audit_events"]
    except failures.SignIn:
        return []
    return events


def _counts(resources: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        f"{count} {name}" for name, count in Counter(resource["status"] for resource in resources).most_common()
    )


def _problem(kind: str, resource: dict[str, Any], names: dict[str, str]) -> tuple[Cell, ...] | None:
    """A row of a resource with a problem; None for the others."""
    if resource["status"] == _WELL and not resource.get("cause"):
        return None
    gateway = names.get(resource.get("vgw_id", ""), "")
    why = resource.get("reason") or ""
    remedy = f" → {resource['remedy']}" if resource.get("remedy") else ""
    return (
        kind,
        resource["name"],
        gateway,
        resource["status"],
        Moment(resource.get("since", "")),
        resource.get("cause"),
        why + remedy,
    )


def _recent_changes(
    gateways: Sequence[dict[str, Any]],
    connections: Sequence[dict[str, Any]],
    audit: Sequence[dict[str, Any]],
) -> list[tuple[Cell, ...]]:
    """The last changes of statuses and the last requests, newest first."""
    moved = sorted(
        (resource for resource in (*gateways, *connections) if resource.get("since")),
        key=lambda resource: resource["since"],
    )
    changed: list[tuple[Cell, ...]] = [
        (Moment(resource["since"]), resource["name"], f"is {resource['status']}") for resource in moved[-_CHANGES:]
    ]
    cells: list[tuple[Cell, ...]] = [
        (
            Moment(event["at"]),
            event.get("resource_name") or Id(event["resource_id"]),
            f"{event['action']} by {event['actor']}",
        )
        for event in audit
    ]
    return sorted(changed + cells, key=lambda row: str(row[0]), reverse=True)


def _screen(
    run: remote.CommandRun,
    counts: Sequence[tuple[str, ...]],
    problems: Sequence[tuple[Cell, ...]],
    limit: int,
    not_redundant: Sequence[dict[str, Any]],
    recent: Sequence[tuple[Cell, ...]],
) -> None:
    account = run.api.account
    output.fields(
        [
            ("service", f"{account.endpoint}, project {account.project_id} ({account.source})"),
            *((name, ", ".join(some) or "none") for name, *some in counts),
            *(("redundancy", text) for text in _redundancy(run.api, not_redundant)),
        ]
    )
    if problems:
        output.heading("PROBLEMS")
        output.table(("KIND", "NAME", "GATEWAY", "STATUS", "SINCE", "CAUSE", "REASON"), problems[:limit])
    if len(problems) > limit:
        output.say(f"and {len(problems) - limit} more: landbridge connection list --status DOWN, or --limit")
    if recent:
        output.heading("RECENT CHANGES")
        output.table(("WHEN", "NAME", "WHAT"), recent)


def _redundancy(service: api.Api, not_redundant: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Explains why the redundancy of the first gateways is not met, as their diagnoses say it."""
    if not not_redundant:
        yield "met, or nothing to carry"
    for gateway in not_redundant[:_EXPLAINED]:
        try:
            diagnosis = service.get(service.ours(GATEWAY.statuses, gateway["id"], "diagnosis"))["diagnosis"]
        except failures.NotFound:  # deleted meanwhile
            continue
        yield f"{gateway['name']}: {diagnosis.get('redundancy', {}).get('summary', 'nothing to carry')}"
    if len(not_redundant) > _EXPLAINED:
        yield f"not met for {len(not_redundant) - _EXPLAINED} more: landbridge gateway list, landbridge gateway diagnose NAME"


def _lines(
    counts: Sequence[tuple[str, ...]],
    problems: Sequence[tuple[Cell, ...]],
    not_redundant: Sequence[str],
    recent: Sequence[tuple[Cell, ...]],
) -> None:
    counted = [
        ("count", name, *reversed(counted_status.split(" "))) for name, *some in counts for counted_status in some
    ]
    unmet = [("not-redundant", name) for name in not_redundant]
    output.table(
        (), [*counted, *(("problem", *row) for row in problems), *unmet, *(("changed", *row) for row in recent)]
    )
    sys.stdout.flush()


@click.command
@remote.api_command
def quota(run: remote.CommandRun) -> None:
    """List the quotas of the project, and how much of them is used.

    Columns: type, used, quota (-1: any number).
    """
    answer = run.api.get(run.api.v5("vpn", "quotas"))
    run.show(
        answer,
        ("TYPE", "USED", "QUOTA"),
        lambda: [(quota["type"], quota["used"], quota["quota"]) for quota in answer["quotas"]["resources"]],
    )


@click.command
@remote.api_command
@click.option(
    "--kind", type=click.Choice(tuple(KINDS)), default="connection", help="Of --resource (default connection)."
)
@click.option("--resource", metavar="NAME|ID", help="Only changes of this resource.")
@click.option("--action", metavar="OPERATION", help="Only this operation, such as update_vpn_connection.")
@click.option("--actor", metavar="ACCESS_KEY", help="Only changes of this key.")
@click.option("--from", "since", metavar="TIME", help="Only then or later, such as 2026-11-30T08:00:00Z.")
@click.option("--to", "until", metavar="TIME", help="Only then or earlier.")
@click.option("--limit", type=click.IntRange(min=1), default=50, help="How many (default 50).")
def audit(run: remote.CommandRun, kind: str, resource: str | None, limit: int, **filters: str | None) -> None:
    """List the changes of the project with their actors, newest first; for admins.

    Columns: time, actor, operation, name of the resource (empty when it is deleted), its id, id of the request.
    """
    query = {
        "resource_id": run.find(KINDS[kind], resource) if resource else None,
        "action": filters["action"],
        "actor": filters["actor"],
        "from": filters["since"],
        "to": filters["until"],
    }
    pages = run.api.pages(run.api.ours("audit"), "audit_events", min(limit, _AUDIT_PAGE), **query)
    events = [event for _, event in zip(range(limit), pages, strict=False)]
    run.show(
        {"audit_events": events},
        ("WHEN", "ACTOR", "ACTION", "NAME", "RESOURCE", "REQUEST"),
        lambda: [
            (
                Moment(event["at"]),
                event["actor"],
                event["action"],
                event.get("resource_name"),
                Id(event["resource_id"]),
                event["request_id"],
            )
            for event in events
        ],
    )
