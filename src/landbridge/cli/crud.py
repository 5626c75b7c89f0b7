"""Create, show, update and delete, for the commands of all kinds of resources."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from landbridge.cli import fields as bodies
from landbridge.cli import remote
from landbridge.cli.fields import Field
from landbridge.client import failures, output, waiting
from landbridge.client.resources import Kind

CREATE_DRY_RUN = click.option("--dry-run", is_flag=True, help="Check the request, and create nothing.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")


def create(run: remote.CommandRun, kind: Kind, body: dict[str, Any], fields: Sequence[Field]) -> dict[str, Any]:
    """Creates a resource and prints its id, or the whole answer. Returns the resource."""
    answer = send(run, "POST", run.api.v5(kind.path), {kind.envelope: body}, fields)
    made: dict[str, Any] = answer[kind.envelope]
    if run.form == "table":
        print(made["id"], flush=True)
    else:
        output.document(answer, run.form)
    output.say(f"created {kind.title} {made['name']}")
    return made


def check_create(run: remote.CommandRun, kind: Kind, body: dict[str, Any], fields: Sequence[Field]) -> None:
    """Prints the result of a check. Raises Refused when a create would be refused."""
    answer = send(run, "POST", run.api.ours(kind.statuses or kind.path, "check"), {kind.envelope: body}, fields)
    result = answer["check"]
    if run.form != "table":
        output.document(answer, run.form)
    warn(result)
    if not result["valid"]:
        raise refused("a create would be refused", result, fields)
    output.say(f"a create of this {kind.title} would succeed; nothing is created yet")


def update(
    run: remote.CommandRun,
    kind: Kind,
    resource_id: str,
    body: dict[str, Any],
    fields: Sequence[Field],
    *,
    dry_run: bool = False,
    **query: object,
) -> dict[str, Any] | None:
    """Changes the fields of the body, and no other. Returns the resource. With `dry_run`, prints what would change and returns None. Raises Usage
    when the body has no field.
    """
    if not body:
        raise failures.Usage(f"nothing to change: give {', '.join(field.flag for field in fields[:3])} … or --file")
    if dry_run:
        _check_update(run, kind, resource_id, body, fields, **query)
        return None
    answer = send(run, "PUT", run.api.v5(kind.path, resource_id), {kind.envelope: body}, fields, **query)
    if run.form != "table":
        output.document(answer, run.form)
    changed: dict[str, Any] = answer[kind.envelope]
    output.say(f"updated {kind.title} {changed['name']}")
    return changed


def _check_update(
    run: remote.CommandRun, kind: Kind, resource_id: str, body: dict[str, Any], fields: Sequence[Field], **query: object
) -> None:
    """Prints the result of a check. Raises Refused when an update would be refused."""
    path = run.api.ours(kind.statuses or kind.path, resource_id, "check")
    answer = send(run, "POST", path, {kind.envelope: body}, fields, **query)
    result = answer["check"]
    shown = [
        (change["field"], _inline(change.get("before")), _inline(change.get("after"))) for change in result["changes"]
    ]
    run.show(answer, ("FIELD", "BEFORE", "AFTER"), lambda: shown)
    warn(result)
    if not result["valid"]:
        raise refused("an update would be refused", result, fields)
    output.say("nothing is changed yet" if result["changes"] else "no field differs from what is stored")
    if "effect" in result:
        output.say(result["effect"])
    for disturbed in result["disturbed"]:
        output.say(f"negotiated anew: the tunnel of connection {disturbed['name']} ({disturbed['id']})")


def warn(check: Mapping[str, Any]) -> None:
    """Prints the warnings of a check."""
    for warning in check["warnings"]:
        output.say(f"warning: {warning['field']}: {warning['message']}")


def refused(summary: str, check: Mapping[str, Any], fields: Sequence[Field]) -> failures.Refused:
    """The error for a check that found violations. It names the flag of each wrong field."""
    details = tuple((violation["field"], violation["message"]) for violation in check["details"])
    return bodies.explained(failures.Refused(summary, details), fields)


def send(
    run: remote.CommandRun, method: str, path: str, body: object, fields: Sequence[Field], **query: object
) -> dict[str, Any]:
    """The answer. A refusal names the flag of each wrong field."""
    try:
        return run.api.send(method, path, body, **query)
    except failures.Refused as error:
        raise bodies.explained(error, fields) from None


def show(run: remote.CommandRun, kind: Kind, resource_id: str) -> dict[str, Any]:
    """The answer to a GET of a resource."""
    return run.api.get(run.api.v5(kind.path, resource_id))


def delete(
    run: remote.CommandRun, kind: Kind, given: str, *, yes: bool, wait: bool, timeout: float, retype: bool = False
) -> None:
    """Deletes a resource after a question. `retype`: its name must be typed."""
    resource_id = run.find(kind, given)
    name = show(run, kind, resource_id)[kind.envelope]["name"]
    account = run.api.account
    question = f"Delete {kind.title} {name} ({resource_id}) at {account.endpoint}?"
    remote.confirm(question, yes=yes, name=name if retype else None)
    path = run.api.v5(kind.path, resource_id)
    run.api.send("DELETE", path)
    output.say(f"deleting {kind.title} {name}" if kind.statuses else f"deleted {kind.title} {name}")
    if wait:
        waiting.for_end(run.api, name, path, timeout)


def flat(value: object, prefix: str = "") -> list[tuple[str, output.Cell]]:
    """The fields of an object, those of inner objects with dots; a list on one line."""
    if isinstance(value, Mapping):
        pairs = (flat(part, f"{prefix}.{name}" if prefix else name) for name, part in value.items())
        return [pair for part_pairs in pairs for pair in part_pairs]
    if isinstance(value, list):
        return [(prefix, _inline(value))]
    return [(prefix, value if isinstance(value, (str, int, bool)) or value is None else str(value))]


def _inline(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_inline, value))
    if isinstance(value, Mapping):
        if set(value) == {"key", "value"}:
            return f"{value['key']}={value['value']}"
        return " ".join(f"{name}={text}" for name, text in flat(value))
    return str(value)
