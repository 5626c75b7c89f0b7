"""The pages that create, change and delete a resource of any kind. A kind says which fields the forms have and which operations they use.

The forms work without a script: each button sends them. The value `do` of the form of a create is `check`, `create`, or `live`, which the script sends while
a person types. A person confirms warnings of the rules and the connections that a change disturbs. A form carries a name of what the person saw
(`seen`). When there is more to confirm, the page shows it and changes nothing.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from landbridge import errors, model
from landbridge.console import forms
from landbridge.console.page_context import Answered, Moved, PageContext, Rendered
from landbridge.operations import Operation, ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a form asks for, as a request of the API."""

    request: Any
    #: The wrong shapes of the request.
    violations: tuple[model.Violation, ...] = ()
    #: The fields of the form; only for a create, as is `body`.
    fields: Sequence[forms.Field] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    #: The path of a field in the API -> its path in the form.
    place: Callable[[str], str] = str
    #: What else the template of the form needs.
    values: Mapping[str, Any] = field(default_factory=dict)


Check = Callable[[PageContext, Mapping[str, str], Draft], Awaitable[model.CheckResult]]


async def _nothing(*_: object) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """How resources of a kind are created."""

    noun: str
    #: The path of the form.
    path: str
    #: The path of a resource.
    show: str
    #: What the kind is, in a sentence.
    intro: str
    draft: Callable[[PageContext, Mapping[str, str]], Awaitable[Draft]]
    #: What a create would do.
    check: Check
    create: Operation[Any, Any]
    #: The resource in what the operation returns.
    made: Callable[[Any], Any] = field(default=lambda result: result)
    #: Creates another resource that the form asks for, puts its id into the form, and returns a sentence that says what was created. It raises Invalid.
    prepare: Callable[[PageContext, dict[str, str]], Awaitable[str]] = _nothing
    template: str = "new.html"


def checked_by(operation: Operation[Any, model.CheckResult]) -> Check:
    """The check of a request by an operation that takes the same request."""

    async def check(context: PageContext, _: Mapping[str, str], draft: Draft) -> model.CheckResult:
        return await _check(context, operation, draft)

    return check


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A resource as the form of a change shows it."""

    noun: str
    name: str
    show: str
    #: The resource's ETag.
    version: str
    fields: Sequence[forms.Field]
    intro: str
    #: What a person gave -> the request.
    draft: Callable[[Mapping[str, str]], Draft]
    update: Operation[Any, Any]
    #: What the change would do. The form has a button for it. None: the change disturbs nothing.
    check: Operation[Any, model.CheckResult] | None = None


# -- create -----------------------------------------------------------------------------------------------------------


async def ask_new(context: PageContext, kind: Creation) -> Answered:
    """The form. The address may have first values of fields."""
    return await show_new(context, kind, context.query)


async def show_new(context: PageContext, kind: Creation, form: Mapping[str, str]) -> Answered:
    """The form with what a person has filled in so far. An empty field is shown as wrong only after the person has asked for a check."""
    return await _new_page(context, kind, form, quiet=form.get("strict") != "true")


async def answer_new(context: PageContext, kind: Creation) -> Answered:
    form, action = dict(context.form), context.form.get("do", "check")
    if action == "live":
        return await show_new(context, kind, form)
    if action != "create":
        return await _new_page(context, kind, form)
    form["token"] = form.get("token") or ids.new_id()
    try:
        return await _create(context, kind, form)
    except errors.Repeated:
        form["token"] = ids.new_id()
        notice = f"This form was used before. Create again to make another {kind.noun}."
        return await _new_page(context, kind, form, notice=notice)
    except errors.Busy as busy:
        notice = f"The {kind.noun} is not created: {busy}. Create it again."
        return await _new_page(context, kind, form, notice=notice, code=503)


async def _create(context: PageContext, kind: Creation, form: dict[str, str]) -> Answered:
    """Creates what the form asks for, once the person has seen the warnings. With the token of the form, a second submit is a retry of the first. The
    check may then find what the first submit created, so the violations of the check do not stop the create.
    """
    notice = ""
    try:
        notice = await kind.prepare(context, form)
        draft = await kind.draft(context, form)
        checked = await kind.check(context, form, draft)
        if not checked.violations and _seen(checked) != form.get("seen", ""):
            return await _new_page(context, kind, form, confirm=True, notice=notice)
        result = await context.perform(
            kind.create,
            draft.request,
            violations=draft.violations,
            token=form["token"],
            body=json.dumps(draft.body).encode(),
        )
    except errors.Invalid as refused:
        return await _new_page(context, kind, form, refused=refused.violations, notice=notice)
    made = kind.made(result)
    created = f"{kind.noun[0].upper()}{kind.noun[1:]} {made.name} is created."
    return Moved(to=context.link(f"{kind.show}/{made.id}"), notice=created)


async def _new_page(
    context: PageContext,
    kind: Creation,
    form: Mapping[str, str],
    *,
    quiet: bool = False,
    refused: Sequence[model.Violation] | None = None,
    confirm: bool = False,
    notice: str = "",
    code: int | None = None,
) -> Rendered:
    """`refused`: why a create was refused; None: the check tells. `code`: the HTTP status; None: that of the violations."""
    draft = await kind.draft(context, form)
    result = await kind.check(context, form, draft)
    violations = result.violations if refused is None else refused
    placed = [replace(violation, field=draft.place(violation.field)) for violation in violations]
    return context.render(
        kind.template,
        code or (400 if violations and context.form and form.get("do") != "live" else 200),
        kind=kind,
        filled=forms.fill(draft.fields, form, placed, result.warnings, quiet=quiet),
        incomplete=bool(violations),
        strict=not quiet,
        confirm=confirm,
        **({"notice": notice} if notice else {}),
        token=form.get("token") or ids.new_id(),
        **draft.values,
    )


async def _check(context: PageContext, check: Operation[Any, model.CheckResult], draft: Draft) -> model.CheckResult:
    result: model.CheckResult = await context.perform(check, draft.request, violations=draft.violations)
    return result


def _seen(result: model.CheckResult) -> str:
    return forms.seen([*result.warnings, *result.disturbed, *([result.effect] if result.disturbed else [])])


# -- change -----------------------------------------------------------------------------------------------------------


_SAME = "No field differs from what is stored."


Load = Callable[[PageContext], Awaitable[Present]]


def edit_pages(
    load: Load,
) -> tuple[Callable[[PageContext], Awaitable[Answered]], Callable[[PageContext], Awaitable[Answered]]]:
    """The form that changes a resource, and its answer."""

    async def ask(context: PageContext) -> Answered:
        return _edit_page(context, await load(context), {}, model.CheckResult())

    async def answer(context: PageContext) -> Answered:
        return await _edit(context, load)

    return ask, answer


async def _edit(context: PageContext, load: Load) -> Answered:
    """Changes what differs from what is stored, and only while the resource is still the version that the form shows."""
    form, present = context.form, await load(context)
    if form.get("version") not in (None, present.version):
        return _answer_stale(context, present, form)
    is_check = form.get("do") == "check"
    if not any(forms.is_changed(field, form) for field in present.fields):
        if is_check:
            return _edit_page(context, present, form, model.CheckResult(effect=_SAME), checked=True)
        return Moved(to=context.link(present.show), notice="Nothing was changed.")
    draft = present.draft(form)
    result = model.CheckResult() if present.check is None else await _check(context, present.check, draft)
    if is_check:
        return _edit_page(context, present, form, result, code=400 if result.violations else 200, checked=True)
    if not result.violations and _seen(result) != form.get("seen", ""):
        return _edit_page(context, present, form, result, confirm=True)
    try:
        made = await context.perform(
            present.update, draft.request, violations=draft.violations, if_match=form.get("version") or None
        )
    except errors.Invalid as refused:
        return _edit_page(context, present, form, model.CheckResult(violations=tuple(refused.violations)), code=400)
    except errors.Changed:
        return _answer_stale(context, await load(context), form)
    except errors.Busy as busy:
        notice = f"The {present.noun} is not changed: {busy}. Change it again."
        return _edit_page(context, present, form, result, code=503, notice=notice)
    warnings = "".join(f" Warning: {warning}" for warning in getattr(made, "warnings", ()))
    return Moved(to=context.link(present.show), notice=f"The {present.noun} is changed.{warnings}")


def _answer_stale(context: PageContext, present: Present, form: Mapping[str, str]) -> Answered:
    """The form again, unless it asks for what is stored: then it was sent twice, or somebody else stored the same."""
    if any(forms.is_changed(field, form) for field in present.fields):
        return _stale_page(context, present, form)
    return Moved(to=context.link(present.show), notice=f"The {present.noun} has the values of your form.")


def _stale_page(context: PageContext, present: Present, form: Mapping[str, str]) -> Rendered:
    """The form with the values that are stored now, and the other values of the person beside it. The person chooses between both."""
    theirs = [
        (field.label, form[field.path])
        for field in present.fields
        if field.kind != "secret" and forms.is_changed(field, form)
    ]
    return _edit_page(context, present, {}, model.CheckResult(), code=412, stale=True, theirs=theirs)


def _edit_page(
    context: PageContext,
    present: Present,
    form: Mapping[str, str],
    result: model.CheckResult,
    *,
    code: int = 200,
    confirm: bool = False,
    checked: bool = False,
    stale: bool = False,
    theirs: Sequence[tuple[str, str]] = (),
    notice: str = "",
) -> Rendered:
    shown = {field.path: form[field.path] for field in present.fields if field.path in form}
    return context.render(
        "edit.html",
        code,
        present=present,
        filled=forms.fill(present.fields, shown, result.violations, result.warnings),
        disturbed=result.disturbed,
        effect=result.effect,
        seen=_seen(result),
        confirm=confirm,
        checked=checked,
        stale=stale,
        theirs=theirs,
        **({"notice": notice} if notice else {}),
    )


# -- delete -----------------------------------------------------------------------------------------------------------


async def delete(context: PageContext, operation: Operation[Any, None], ref: Any, to: str, notice: str) -> Answered:
    """Deletes the version that the page before showed. A newer version is shown again first, and is not deleted. What is gone since
    that page leads to its list. Raises NotFound for what was on no page.
    """
    try:
        await context.perform(operation, ref, if_match=context.form.get("version") or None)
    except errors.NotFound:
        if not context.form.get("version"):
            raise
        return Moved(to=context.link(f"/{to.split('/')[1]}"), notice="It no longer exists.")
    except errors.Changed:
        again = "Somebody else changed it meanwhile. Look at it again before you delete it."
        return Moved(to=context.request.url.path, notice=again)
    return Moved(to=context.link(to), notice=notice)
