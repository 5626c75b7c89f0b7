"""The page of access keys: an admin creates and revokes keys of the project. The secrets of a new key are on one page, and on no later one."""

import json
from typing import Any

from landbridge import errors, model
from landbridge.console import forms
from landbridge.console.page_context import Answered, Moved, PageContext, Rendered
from landbridge.operations import access, ids
from landbridge.operations import keys as operations


async def show(context: PageContext) -> Answered:
    return await _page(context)


async def create(context: PageContext) -> Answered:
    request, token = model.KeyRequest(role=context.form.get("role")), context.form.get("token") or None
    try:
        made: access.NewKey = await context.perform(operations.create, request, token=token)
    except errors.Invalid as refused:
        return await _page(context, refused=refused)
    except errors.Repeated as error:
        notice = f"Nothing was created: {error}. Create again to make another key."
        return Moved(to=context.link("/keys"), notice=notice)
    shown = {
        "role": made.role,
        "access_key": made.access_key,
        "secret_key": made.secret_key.reveal(),
        "token": made.token.reveal(),
    }
    return Moved(to=context.link("/keys"), shown_once=model.Secret(json.dumps(shown)))


async def ask_revoke(context: PageContext) -> Answered:
    rows: list[operations.ShownKey] = await context.perform(operations.list_all, model.EmptyRequest())
    key = next((key for key in rows if key.access_key == context.path("key")), None)
    if key is None:
        raise errors.NotFound(f"access key {context.path('key')[:64]}")
    return context.render("revoke_key.html", key=key, is_own=key.access_key == context.caller.access_key)


async def revoke(context: PageContext) -> Answered:
    key = context.path("key")
    await context.perform(operations.revoke, model.KeyRef(access_key=key))
    return Moved(to=context.link("/keys"), notice=f"Access key {key} is revoked.")


async def _page(context: PageContext, refused: errors.Invalid | None = None) -> Rendered:
    field = forms.choice(
        "role",
        "Role",
        operations.ROLES,
        help="reader: sees everything but keys. admin: changes everything too.",
    )
    filled = forms.fill([field], context.form if refused else {}, refused.violations if refused else ())
    rows = await context.perform(operations.list_all, model.EmptyRequest())
    made: dict[str, Any] | None = json.loads(context.shown_once.reveal()) if context.shown_once else None
    return context.render(
        "keys.html", 400 if refused else 200, rows=rows, made=made, role=filled.at("role"), token=ids.new_id()
    )
