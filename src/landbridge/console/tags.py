"""The pages of tags: those of the project with the resources that have them, and the tags of one resource, which an admin changes."""

from typing import Any

from landbridge import errors, model
from landbridge.console import forms, overview
from landbridge.console.page_context import Answered, Moved, PageContext, Rendered
from landbridge.model import allowed_values
from landbridge.operations import tags as operations

#: Resources of a page.
ROWS = 50
#: The pages of resources of a type.
PLACES = {"vpn-gateway": "gateways", "customer-gateway": "customer-gateways", "vpn-connection": "connections"}
NAMES = {"vpn-gateway": "VPN gateway", "customer-gateway": "customer gateway", "vpn-connection": "connection"}


async def show_all(context: PageContext) -> Answered:
    """The tags of all resources; with a key in the address, the resources that have it."""
    kinds = {
        kind: await context.perform(operations.of_project, model.TagListRequest(resource_type=kind))
        for kind in allowed_values.TAGGED
    }
    kind, key, value = (context.query.get(name, "") for name in ("type", "key", "value"))
    number, page = overview.page_number(context.query.get("page")), None
    if kind in allowed_values.TAGGED and key:
        search = model.TagSearchRequest(
            resource_type=kind,
            tags=(model.TagValuesRequest(key=key, values=(value,) if value else ()),),
            limit=ROWS,
            offset=(number - 1) * ROWS,
        )
        page = await context.perform(operations.search, search)
    given = {"type": kind, "key": key, "value": value}
    return context.render(
        "tags.html", kinds=kinds, found=page, given=given, number=number, limit=ROWS, places=PLACES, names=NAMES
    )


async def ask(context: PageContext) -> Answered:
    return await _page(context)


async def change(context: PageContext) -> Answered:
    """Adds a tag, gives it another value, or removes it. Other tags of the resource stay, whoever changed them meanwhile."""
    form, ref = context.form, _ref(context)
    removes = form.get("do") == "remove"
    tag = model.TagRequest(
        key=form.get("key", "").strip(), value=form.get("before" if removes else "value", "").strip()
    )
    operation = operations.remove if removes else operations.add
    try:
        await context.perform(operation, model.TagChangeRequest(resource=ref, tags=(tag,)))
    except errors.Invalid as refused:
        return await _page(context, refused)
    notice = f"The tag {tag.key} is set."
    if removes:
        stays = any(remaining.key == tag.key for remaining in await context.perform(operations.show, ref))
        notice = (
            f"The tag {tag.key} has another value by now, and stays." if stays else f"The tag {tag.key} is removed."
        )
    return Moved(to=context.link(f"/tags/{ref.resource_type}/{ref.resource_id}"), notice=notice)


def _ref(context: PageContext) -> model.TaggedRef:
    return model.TaggedRef(resource_type=context.path("type"), resource_id=context.path("id"))


async def _page(context: PageContext, refused: errors.Invalid | None = None) -> Rendered:
    """The tags of the resource, a form for each, and one for another tag. What the rules refuse stands in the form that was sent."""
    ref = _ref(context)
    tags: tuple[model.Tag, ...] = await context.perform(operations.show, ref)
    violations = refused.violations if refused else ()
    asked = context.form.get("key", "").strip() if refused else None
    known = {tag.key for tag in tags}
    filled: dict[Any, forms.FilledForm] = {}
    for key, value in [*((tag.key, tag.value) for tag in tags), (None, "")]:
        is_asked = refused is not None and (key == asked or (key is None and asked not in known))
        form = context.form if is_asked else {"key": key or "", "value": value}
        filled[key] = forms.fill(forms.TAG, form, violations if is_asked else ())
    return context.render(
        "resource_tags.html",
        400 if refused else 200,
        ref=ref,
        kind=NAMES[ref.resource_type],
        place=f"/{PLACES[ref.resource_type]}/{ref.resource_id}",
        tags=tags,
        filled=filled,
        limit=allowed_values.TAG_LIMIT,
    )
