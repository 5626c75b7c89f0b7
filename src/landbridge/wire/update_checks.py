"""The answers to the check of an update and to that of a create of a gateway (extensions of ours): what is wrong, what would change, field by field, and what
that does to tunnels.
"""

from collections.abc import Callable, Iterator
from typing import Any, get_args

from pydantic import Field

from landbridge import model
from landbridge.wire import errors, schema, shapes

#: Fields that an update generates.
_GENERATED = frozenset({"updated_at", "ca_certificate.id"})


class CreateCheckAnswer(schema.Answer):
    """The result of a create with this body. The check stores nothing."""

    valid: bool = Field(description="whether a create would succeed now")
    details: list[errors.Detail] = Field(description="all violations, as in the error of a create")
    warnings: list[errors.Detail] = Field(description="findings that do not refuse the create")


class OneCreateCheck(schema.Answer):
    check: CreateCheckAnswer
    request_id: str


class ChangedField(schema.Answer):
    """A field that would have another value."""

    field: str = Field(description="with dots, such as ikepolicy.dh_group; a list is one field")
    before: Any = Field(None, description="absent when the resource does not have the field; always absent for psk")
    after: Any = Field(None, description="absent when the resource would not have the field; always absent for psk")


class Disturbed(schema.Answer):
    """A connection whose tunnel would be negotiated anew."""

    id: str
    name: str


class UpdateCheckAnswer(schema.Answer):
    """The result of an update with this body. The check stores nothing."""

    valid: bool = Field(description="whether an update would succeed now")
    details: list[errors.Detail] = Field(description="all violations, as in the error of an update")
    warnings: list[errors.Detail] = Field(
        description="findings that do not refuse the update; of a connection, only those that the change brings"
    )
    changes: list[ChangedField] = Field(description="empty when no field differs, and when the update is not valid")
    tunnel_effect: str | None = schema.listed(
        get_args(model.TunnelEffect),
        "only of a connection. none: nothing changes; applied: only what is beside the SAs, such as routes; child: its CHILD_SAs are negotiated anew;"
        " ike: its IKE_SA and all its CHILD_SAs",
    )
    effect: str | None = Field(None, description="tunnel_effect in sentences")
    disturbed: list[Disturbed] = Field(
        description="connections whose tunnels would be negotiated anew; in a check of a connection, the connection itself while its tunnel is up"
    )


class OneUpdateCheck(schema.Answer):
    check: UpdateCheckAnswer
    request_id: str


def check_create(result: model.CheckResult) -> dict[str, Any]:
    return {
        "valid": not result.violations,
        "details": [{"field": violation.field, "message": violation.message} for violation in result.violations],
        "warnings": [{"field": warning.field, "message": warning.text} for warning in result.warnings],
    }


def check(result: model.CheckResult, render: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """`render`: a resource as its GET has it."""
    changes = []
    if result.before is not None:
        changes = list(_changes(render(result.before), render(result.after), ""))
    return shapes.without_none(
        **check_create(result),
        changes=[*changes, *([{"field": "psk"}] if result.rekeys else [])],
        tunnel_effect=result.tunnel_effect,
        effect=result.effect or None,
        disturbed=[{"id": id_, "name": name} for id_, name in result.disturbed],
    )


def _changes(before: dict[str, Any], after: dict[str, Any], prefix: str) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys((*before, *after)):
        field, was, now = prefix + name, before.get(name), after.get(name)
        if isinstance(was, dict) or isinstance(now, dict):
            yield from _changes(was or {}, now or {}, f"{field}.")
        elif was != now and field not in _GENERATED:
            yield shapes.without_none(field=field, before=was, after=now)
