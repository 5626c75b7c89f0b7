"""Bulk actions: one action on the selected resources of a list. A page names these resources first. Each kind of resource has a table of its actions.

Each resource is an operation of its own, with the rules, the permissions and the audit event of a change of one resource. Invariant: a failure for one
resource does not undo or stop the others. The answer leads to a page with the resources that failed and their reasons, so a reload repeats nothing.
"""

import contextlib
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from landbridge import errors, model
from landbridge.console import forms, shown_once
from landbridge.console.page_context import Answered, Moved, PageContext, Rendered
from landbridge.operations import Operation, ids, tags

#: The most resources of one request, as many as a page of a list has.
LIMIT = 50
#: A form has a field `row.ID` for each resource. Its value is the version that the person saw.
_ROW = "row."
_CHANGED = "Somebody else changed it meanwhile. Look at it again first."


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedResource:
    """A resource as the page shows it."""

    id: str
    name: str
    health: model.TunnelHealth | None = None
    word: str = ""
    #: The resource's ETag.
    version: str = ""
    #: What the action costs.
    notes: Sequence[str] = ()


Find = Callable[[PageContext, str], Awaitable[SelectedResource]]


async def _no_notes(*_: object) -> dict[str, list[str]]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action on several resources."""

    label: str
    #: The heading, with {} for the number and the kind of the resources.
    title: str
    intro: str
    #: What the resources are afterwards, as the rest of a sentence.
    done: str
    #: Takes the context, the id and the version of a resource.
    run: Callable[[PageContext, str, str | None], Awaitable[object]]
    #: Ids -> what the action costs, for each id.
    notes: Callable[[PageContext, Collection[str]], Awaitable[Mapping[str, list[str]]]] = _no_notes
    #: What the action needs beside the resources.
    fields: Sequence[forms.Field] = ()
    is_danger: bool = False


def delete_notes(connections: int) -> list[str]:
    """The notes for the delete of a gateway with so many connections."""
    return (
        [f"It has {connections} connection{'' if connections == 1 else 's'} and cannot be deleted."]
        if connections
        else []
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`path`: of the list. `find`: a resource by its id; it raises NotFound."""

    noun: str
    path: str
    find: Find
    actions: Mapping[str, Action]

    def count(self, number: int) -> str:
        return f"{number} {self.noun}{'' if number == 1 else 's'}"


def tag_actions(resource_type: str) -> dict[str, Action]:
    """The actions that add a tag to resources and remove it."""

    def change(
        operation: Operation[model.TagChangeRequest, None],
    ) -> Callable[[PageContext, str, str | None], Awaitable[object]]:
        async def run(context: PageContext, id_: str, _: str | None) -> None:
            tag = model.TagRequest(key=context.form.get("key", "").strip(), value=context.form.get("value", "").strip())
            ref = model.TaggedRef(resource_type=resource_type, resource_id=id_)
            await context.perform(operation, model.TagChangeRequest(resource=ref, tags=(tag,)))

        return run

    text = "A tag that has this key already gets the new value. Other tags stay. No tunnel changes."
    add = Action(
        label="Add a tag", title="Add a tag to {}", intro=text, done="tagged", run=change(tags.add), fields=forms.TAG
    )
    text = "Without a value, the tag is removed whatever its value is. Other tags stay. No tunnel changes."
    remove = Action(
        label="Remove a tag",
        title="Remove a tag from {}",
        intro=text,
        done="without the tag",
        run=change(tags.remove),
        fields=forms.TAG,
    )
    return {"tag": add, "untag": remove}


async def ask(context: PageContext, kind: Kind) -> Answered:
    """The page that names the selected resources. After an action that failed for some: those, with the reasons the first time."""
    action, selected = _action(kind, context.query), _unique(context.request.query_params.getlist("row"))
    reasons = json.loads(context.shown_once.reveal()) if context.shown_once else {}
    rows = await _rows(context, kind, action, selected)
    if not rows:
        return _list(
            context,
            kind,
            context.query,
            "The selected resources no longer exist." if selected else "Nothing was selected.",
        )
    return _page(context, kind, action, rows, context.query, missing=len(selected) - len(rows), reasons=reasons)


async def answer(context: PageContext, kind: Kind) -> Answered:
    form, action = context.form, _action(kind, context.form)
    versions = {name.removeprefix(_ROW).lower(): form[name] for name in form if name.startswith(_ROW)}
    selected = _unique(versions)
    failed: dict[str, str] = {}
    missing = 0
    for id_ in selected:
        try:
            await action.run(context, id_, versions[id_] or None)
        except errors.Invalid as refused:
            if any(field.is_about(violation.field) for violation in refused.violations for field in action.fields):
                rows = await _rows(context, kind, action, selected)
                return _page(context, kind, action, rows, form, violations=refused.violations)
            failed[id_] = "; ".join(violation.message for violation in refused.violations)
        except errors.Changed:
            failed[id_] = _CHANGED
        except errors.NotFound:
            missing += 1
        except errors.LandbridgeError as error:
            failed[id_] = str(error)
    notice = (
        _notice(kind, action, len(selected) - len(failed) - missing, missing) if selected else "Nothing was selected."
    )
    if not failed:
        return _list(context, kind, form, notice)
    again = [(name, form[name]) for name in ("do", "back", *(field.path for field in action.fields)) if name in form]
    to = context.link(f"{kind.path}/selected?{urlencode([*again, *(('row', id_) for id_ in failed)])}")
    return Moved(
        to=to, notice=f"{notice} It failed for {kind.count(len(failed))}.", shown_once=_reasons_that_fit(failed)
    )


def _notice(kind: Kind, action: Action, number: int, missing: int) -> str:
    return f"{kind.count(number)} {'is' if number == 1 else 'are'} {action.done}. {_missing(missing)}".rstrip()


def _missing(number: int) -> str:
    return f"{number} selected resource{' no longer exists' if number == 1 else 's no longer exist'}." if number else ""


def _reasons_that_fit(failed: Mapping[str, str]) -> model.Secret:
    """As many reasons as fit into the cookie of the next page."""
    fitting: dict[str, str] = {}
    for id_, reason in failed.items():
        fitting[id_] = reason
        if not shown_once.fits(json.dumps(fitting)):
            del fitting[id_]
            break
    return model.Secret(json.dumps(fitting))


def _action(kind: Kind, given: Mapping[str, str]) -> Action:
    name = given.get("do", "")
    if name not in kind.actions:
        raise errors.Invalid(
            [model.Violation("do", f"{name[:64]!r} is not an action", f"one of {', '.join(kind.actions)}")]
        )
    return kind.actions[name]


def _unique(ids: Iterable[str]) -> list[str]:
    """The ids, each once: the case of their letters does not matter. Raises Invalid when they are too many for one request."""
    unique_ids = list(dict.fromkeys(id_.lower() for id_ in ids))
    if len(unique_ids) > LIMIT:
        raise errors.Invalid(
            [model.Violation("row", f"names {len(unique_ids)} resources", f"at most {LIMIT} in one request")]
        )
    return unique_ids


async def _rows(context: PageContext, kind: Kind, action: Action, ids: Sequence[str]) -> list[SelectedResource]:
    """The resources that exist."""
    rows = []
    for id_ in ids:
        with contextlib.suppress(errors.NotFound):
            rows.append(await kind.find(context, id_))
    notes = await action.notes(context, [row.id for row in rows])
    return [replace(row, notes=(*row.notes, *notes.get(row.id, ()))) for row in rows]


def _list(context: PageContext, kind: Kind, given: Mapping[str, str], notice: str) -> Moved:
    """Leads back to the list, with its filter, search and page."""
    query = urlencode(parse_qsl(given.get("back", "").removeprefix("?")))
    return Moved(to=context.link(kind.path) + (f"?{query}" if query else ""), notice=notice)


def _page(
    context: PageContext,
    kind: Kind,
    action: Action,
    rows: Sequence[SelectedResource],
    given: Mapping[str, str],
    *,
    missing: int = 0,
    reasons: Mapping[str, str] | None = None,
    violations: Sequence[model.Violation] = (),
) -> Rendered:
    return context.render(
        "selected.html",
        400 if violations else 200,
        kind=kind,
        action=action,
        name=given["do"],
        token=ids.new_id(),
        title=action.title.format(kind.count(len(rows))),
        rows=rows,
        missing=_missing(missing),
        reasons=reasons or {},
        filled=forms.fill(action.fields, given, violations),
        back=_list(context, kind, given, "").to,
        back_query=given.get("back", ""),
    )
