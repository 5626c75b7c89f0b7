"""`landbridge tags`: tags of VPN gateways, customer gateways and connections."""

import click

from landbridge.cli import fields, remote
from landbridge.client import output
from landbridge.client.resources import KINDS, Kind

_KIND = click.argument("kind", type=click.Choice(tuple(KINDS)), metavar="KIND")
_NAME = click.argument("name", metavar="NAME|ID")
_TAGS = click.argument("pairs", nargs=-1, required=True, metavar="KEY=VALUE…")


@click.group
def tags() -> None:
    """Tags. KIND is gateway, customer-gateway or connection."""


@tags.command("list")
@remote.api_command
@_KIND
@click.argument("name", metavar="[NAME|ID]", required=False)
def _list(run: remote.CommandRun, kind: str, name: str | None) -> None:
    """List the tags of a resource, or of all resources of a kind.

    Columns: key, value.
    """
    resource_kind = KINDS[kind]
    inner = (run.find(resource_kind, name), "tags") if name else ("tags",)
    answer = run.api.get(run.api.v5(resource_kind.tagged, *inner))
    run.show(
        answer,
        ("KEY", "VALUE"),
        lambda: [(tag["key"], value) for tag in answer["tags"] for value in tag.get("values", [tag.get("value", "")])],
    )


@tags.command("set")
@remote.api_command
@_KIND
@_NAME
@_TAGS
def _set(run: remote.CommandRun, kind: str, name: str, pairs: tuple[str, ...]) -> None:
    """Add tags to a resource, or change their values. Other tags stay."""
    _change(run, KINDS[kind], name, "create", [fields.pair(text, "KEY=VALUE") for text in pairs])


@tags.command("unset")
@remote.api_command
@_KIND
@_NAME
@click.argument("keys", nargs=-1, required=True, metavar="KEY…")
def _unset(run: remote.CommandRun, kind: str, name: str, keys: tuple[str, ...]) -> None:
    """Remove tags from a resource, by their keys."""
    _change(run, KINDS[kind], name, "delete", [{"key": key} for key in keys])


def _change(run: remote.CommandRun, kind: Kind, name: str, action: str, changed: list[dict[str, str]]) -> None:
    path = run.api.v5(kind.tagged, run.find(kind, name), "tags", action)
    run.api.send("POST", path, {"tags": changed})
    output.say(f"{'set' if action == 'create' else 'removed'} {len(changed)} of the tags of {name}")


@tags.command("find")
@remote.api_command
@_KIND
@_TAGS
def _find(run: remote.CommandRun, kind: str, pairs: tuple[str, ...]) -> None:
    """List the resources that have all these tags.

    Columns: name, tags, id.
    """
    resource_kind = KINDS[kind]
    tags = [fields.pair(text, "KEY=VALUE") for text in pairs]
    body = {"tags": [{"key": tag["key"], "values": [tag["value"]]} for tag in tags]}
    answer = run.api.send("POST", run.api.v5(resource_kind.tagged, "resource-instances", "filter"), body)
    run.show(
        answer,
        ("NAME", "TAGS", "ID"),
        lambda: [
            (
                resource["resource_name"],
                ", ".join(f"{tag['key']}={tag['value']}" for tag in resource["tags"]),
                output.Id(resource["resource_id"]),
            )
            for resource in answer["resources"]
        ],
    )
