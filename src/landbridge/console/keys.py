"""The page of access keys: an admin creates and revokes keys of the project. The secrets of a new key are on one page, and on no later one."""

import json
from typing import Any

from landbridge import errors, model
from landbridge.console import forms
from landbridge.console.visit import Answered, Moved, Rendered, Visit
from landbridge.operations import access, ids
from landbridge.operations import keys as operations


async def show(visit: Visit) -> Answered:
    return await _page(visit)


async def create(visit: Visit) -> Answered:
    request, token = model.KeyRequest(role=visit.form.get("role")), visit.form.get("token") or None
    try:
        made: access.NewKey = await visit.perform(operations.create, request, token=token)
    except errors.Invalid as refused:
        return await _page(visit, refused=refused)
    except errors.Repeated as error:
        notice = f"Nothing was created: {error}. Create again to make another key."
        return Moved(to=visit.link("/keys"), notice=notice)
    shown = {
        "role": made.role,
        "access_key": made.access_key,
        "secret_key": made.secret_key.reveal(),
        "token": made.token.reveal(),
    }
    return Moved(to=visit.link("/keys"), shown_once=model.Secret(json.dumps(shown)))


async def ask_revoke(visit: Visit) -> Answered:
    rows: list[operations.ShownKey] = await visit.perform(operations.list_all, model.EmptyRequest())
    key = next((one for one in rows if one.access_key == visit.path("key")), None)
    if key is None:
        raise errors.NotFound(f"access key {visit.path('key')[:64]}")
    return visit.render("revoke_key.html", key=key, is_own=key.access_key == visit.caller.access_key)


async def revoke(visit: Visit) -> Answered:
    key = visit.path("key")
    await visit.perform(operations.revoke, model.KeyRef(access_key=key))
    return Moved(to=visit.link("/keys"), notice=f"Access key {key} is revoked.")


async def _page(visit: Visit, refused: errors.Invalid | None = None) -> Rendered:
    field = forms.choice(
        "role",
        "Role",
        operations.ROLES,
        help="reader: sees everything but keys. admin: changes everything too.",
    )
    filled = forms.fill([field], visit.form if refused else {}, refused.violations if refused else ())
    rows = await visit.perform(operations.list_all, model.EmptyRequest())
    made: dict[str, Any] | None = json.loads(visit.shown_once.reveal()) if visit.shown_once else None
    return visit.render(
        "keys.html", 400 if refused else 200, rows=rows, made=made, role=filled.at("role"), token=ids.new_id()
    )
