"""The pages of customer gateways: the list, one of them with its connections, and the forms that create, change and delete one."""

import functools
from collections.abc import Collection, Mapping
from typing import Any

from landbridge import model
from landbridge.console import bulk, changes, connection_form, forms
from landbridge.console.page_context import Answered, PageContext
from landbridge.operations import customer_gateways as operations
from landbridge.wire import body
from landbridge.wire import customer_gateways as wire

#: Rows of a page of the list.
ROWS = 50


async def show_list(context: PageContext) -> Answered:
    request = model.CustomerGatewayListRequest(limit=ROWS, marker=context.query.get("after", ""))
    page = await context.perform(operations.list_page, request)
    return context.render(
        "customer_gateways.html",
        rows=page.customer_gateways,
        total=page.total,
        next_marker=page.next_marker,
        bulk_kind=BULK,
    )


async def show(context: PageContext) -> Answered:
    customer_gateway = await _find(context)
    used = await context.perform(operations.used_by, _ref(context))
    return context.render("customer_gateway.html", peer=customer_gateway, used=used, health_of=model.HEALTH_OF_STATUS)


def _ref(context: PageContext) -> model.CustomerGatewayRef:
    return model.CustomerGatewayRef(customer_gateway_id=context.path("id"))


async def _find(context: PageContext) -> model.CustomerGateway:
    customer_gateway: model.CustomerGateway = await context.perform(operations.show, _ref(context))
    return customer_gateway


# -- create -----------------------------------------------------------------------------------------------------------

_CERTIFICATE = forms.Field(
    path="ca_certificate.content",
    label="CA certificate of the device",
    group="more",
    kind="block",
    help="PEM, SM2 with SM3; only for connections of GM gateways.",
)


async def _draft(_: PageContext, form: Mapping[str, str]) -> changes.Draft:
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


async def _present(context: PageContext) -> changes.Present:
    customer_gateway = await _find(context)
    fields = [forms.stored(forms.Field(path="name", label="Name"), customer_gateway.name)]
    if customer_gateway.ca_certificate is not None:
        fields.append(forms.stored(_CERTIFICATE, customer_gateway.ca_certificate.content))

    def draft(form: Mapping[str, str]) -> changes.Draft:
        content = {"customer_gateway": forms.content(fields, form)}
        parsed = body.parse_value(wire.UpdateCustomerGateway, "customer_gateway", content)
        change = model.CustomerGatewayUpdateRequest(
            customer_gateway_id=customer_gateway.id, change=parsed.value.request()
        )
        return changes.Draft(request=change, violations=parsed.violations)

    return changes.Present(
        noun="customer gateway",
        name=customer_gateway.name,
        show=f"/customer-gateways/{customer_gateway.id}",
        version=operations.etag(customer_gateway),
        fields=fields,
        intro="Its address, its identity and its ASN cannot be changed: another one needs another customer gateway. No tunnel changes.",
        draft=draft,
        check=operations.check_update,
        update=operations.update,
    )


ask_edit, edit = changes.edit_pages(_present)


async def ask_delete(context: PageContext) -> Answered:
    """Shows what a delete will touch. With connections it would be refused."""
    customer_gateway: Any = await _find(context)
    used = await context.perform(operations.used_by, _ref(context))
    return context.render(
        "delete_customer_gateway.html", peer=customer_gateway, version=operations.etag(customer_gateway), used=used
    )


async def delete(context: PageContext) -> Answered:
    notice = "The customer gateway is deleted."
    return await changes.delete(context, operations.remove, _ref(context), "/customer-gateways", notice)


# -- bulk actions of the list ----------------------------------------------------------------------------------------------


async def _find_one(context: PageContext, customer_gateway_id: str) -> bulk.SelectedResource:
    ref = model.CustomerGatewayRef(customer_gateway_id=customer_gateway_id)
    customer_gateway: model.CustomerGateway = await context.perform(operations.show, ref)
    return bulk.SelectedResource(
        id=customer_gateway.id, name=customer_gateway.name, version=operations.etag(customer_gateway)
    )


async def _delete_one(context: PageContext, customer_gateway_id: str, version: str | None) -> None:
    ref = model.CustomerGatewayRef(customer_gateway_id=customer_gateway_id)
    await context.perform(operations.remove, ref, if_match=version)


async def _delete_notes(context: PageContext, ids: Collection[str]) -> dict[str, list[str]]:
    notes = {}
    for id_ in ids:
        used = await context.perform(operations.used_by, model.CustomerGatewayRef(customer_gateway_id=id_))
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
