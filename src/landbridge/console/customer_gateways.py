"""The pages of customer gateways: the list, one of them with its connections, and the forms that create, change and delete one."""

import functools
from collections.abc import Collection, Mapping
from typing import Any

from landbridge import model
from landbridge.console import bulk, changes, connection_form, forms
from landbridge.console.visit import Answered, Visit
from landbridge.operations import customer_gateways as operations
from landbridge.wire import body
from landbridge.wire import customer_gateways as wire

#: Rows of a page of the list.
ROWS = 50


async def show_list(visit: Visit) -> Answered:
    request = model.CustomerGatewayListRequest(limit=ROWS, marker=visit.query.get("after", ""))
    page = await visit.perform(operations.list_page, request)
    return visit.render(
        "customer_gateways.html",
        rows=page.customer_gateways,
        total=page.total,
        next_marker=page.next_marker,
        bulk_kind=BULK,
    )


async def show(visit: Visit) -> Answered:
    found = await _find(visit)
    used = await visit.perform(operations.used_by, _ref(visit))
    return visit.render("customer_gateway.html", peer=found, used=used, health_of=model.HEALTH_OF_STATUS)


def _ref(visit: Visit) -> model.CustomerGatewayRef:
    return model.CustomerGatewayRef(customer_gateway_id=visit.path("id"))


async def _find(visit: Visit) -> model.CustomerGateway:
    found: model.CustomerGateway = await visit.perform(operations.show, _ref(visit))
    return found


# -- create -----------------------------------------------------------------------------------------------------------

_CERTIFICATE = forms.Field(
    path="ca_certificate.content",
    label="CA certificate of the device",
    group="more",
    kind="block",
    help="PEM, SM2 with SM3; only for connections of GM gateways.",
)


async def _draft(_: Visit, form: Mapping[str, str]) -> changes.Draft:
    fields = [*connection_form.device_fields(""), _CERTIFICATE, forms.TAGS]
    content = {"customer_gateway": forms.content(fields, form)}
    parsed = body.parse_value(wire.CreateCustomerGateway, "customer_gateway", content)
    return changes.Draft(request=parsed.value.request(), violations=parsed.violations, fields=fields, body=content)


_KIND = changes.Creation(
    noun="customer gateway",
    path="/new-customer-gateway",
    show="/customer-gateways",
    intro="The other side of tunnels: a device that has a fixed address, or that is known by an identity.",
    draft=_draft,
    check=changes.checked_by(operations.check),
    create=operations.create,
)
ask_new = functools.partial(changes.ask_new, kind=_KIND)
answer_new = functools.partial(changes.answer_new, kind=_KIND)


# -- change and delete ------------------------------------------------------------------------------------------------


async def _present(visit: Visit) -> changes.Present:
    found = await _find(visit)
    fields = [forms.stored(forms.Field(path="name", label="Name"), found.name)]
    if found.ca_certificate is not None:
        fields.append(forms.stored(_CERTIFICATE, found.ca_certificate.content))

    def draft(form: Mapping[str, str]) -> changes.Draft:
        content = {"customer_gateway": forms.content(fields, form)}
        parsed = body.parse_value(wire.UpdateCustomerGateway, "customer_gateway", content)
        change = model.CustomerGatewayUpdateRequest(customer_gateway_id=found.id, change=parsed.value.request())
        return changes.Draft(request=change, violations=parsed.violations)

    return changes.Present(
        noun="customer gateway",
        name=found.name,
        show=f"/customer-gateways/{found.id}",
        version=operations.etag(found),
        fields=fields,
        intro="Its address, its identity and its ASN cannot be changed: another one needs another customer gateway. No tunnel changes.",
        draft=draft,
        check=operations.check_update,
        update=operations.update,
    )


ask_edit, edit = changes.edit_pages(_present)


async def ask_delete(visit: Visit) -> Answered:
    """What a delete will touch. With connections it would be refused."""
    found: Any = await _find(visit)
    used = await visit.perform(operations.used_by, _ref(visit))
    return visit.render("delete_customer_gateway.html", peer=found, version=operations.etag(found), used=used)


async def delete(visit: Visit) -> Answered:
    notice = "The customer gateway is deleted."
    return await changes.delete(visit, operations.remove, _ref(visit), "/customer-gateways", notice)


# -- bulk actions of the list ----------------------------------------------------------------------------------------------


async def _find_one(visit: Visit, customer_gateway_id: str) -> bulk.Row:
    ref = model.CustomerGatewayRef(customer_gateway_id=customer_gateway_id)
    found: model.CustomerGateway = await visit.perform(operations.show, ref)
    return bulk.Row(id=found.id, name=found.name, version=operations.etag(found))


async def _delete_one(visit: Visit, customer_gateway_id: str, version: str | None) -> None:
    ref = model.CustomerGatewayRef(customer_gateway_id=customer_gateway_id)
    await visit.perform(operations.remove, ref, if_match=version)


async def _delete_notes(visit: Visit, ids: Collection[str]) -> dict[str, list[str]]:
    notes = {}
    for id_ in ids:
        used = await visit.perform(operations.used_by, model.CustomerGatewayRef(customer_gateway_id=id_))
        notes[id_] = bulk.delete_notes(used.total)
    return notes


BULK = bulk.Kind(
    noun="customer gateway",
    path="/customer-gateways",
    find=_find_one,
    actions=bulk.tag_actions("customer-gateway")
    | {
        "delete": bulk.Action(
            label="Delete",
            title="Delete {}",
            intro="No tunnel changes: a customer gateway with connections is not deleted.",
            done="deleted",
            run=_delete_one,
            notes=_delete_notes,
            is_danger=True,
        )
    },
)
ask_bulk = functools.partial(bulk.ask, kind=BULK)
answer_bulk = functools.partial(bulk.answer, kind=BULK)
