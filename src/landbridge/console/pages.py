"""The table of pages below /console/{project_id}."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from landbridge.console import connection, customer_gateways, gateways, keys, lists, new_connection, overview, tags
from landbridge.console.page_context import Answered, PageContext
from landbridge.operations.call import Role

Answer = Callable[[PageContext], Awaitable[Answered]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page below /console/{project_id}."""

    name: str
    path: str
    answer: Answer
    method: Literal["GET", "POST"] = "GET"
    #: The lowest role that may open the page.
    role: Role = "reader"
    #: Whether the script refreshes the page.
    is_live: bool = True
    #: Its text in the menu; empty: it is not in the menu.
    title: str = ""


_CONNECTION, _NEW = "/connections/{id}", "/new-connection"
_GATEWAY, _DEVICE, _TAGS, _KEY = "/gateways/{id}", "/customer-gateways/{id}", "/tags/{type}/{id}", "/keys/{key}"


def _form(name: str, path: str, ask: Answer, answer: Answer) -> tuple[Page, Page]:
    """A form and its answer, for an admin."""
    return (
        Page(name=name, path=path, answer=ask, role="admin", is_live=False),
        Page(name=f"{name}_sent", path=path, answer=answer, method="POST", role="admin"),
    )


TABLE: tuple[Page, ...] = (
    Page(name="overview", path="", answer=overview.show, title="Overview"),
    Page(name="connections", path="/connections", answer=lists.show_connections, title="Connections"),
    Page(name="download_connections", path="/connections.csv", answer=lists.download_connections),
    Page(name="gateways", path="/gateways", answer=gateways.show_list, title="Gateways"),
    Page(
        name="customer_gateways",
        path="/customer-gateways",
        answer=customer_gateways.show_list,
        title="Customer gateways",
    ),
    Page(name="tags", path="/tags", answer=tags.show_all, title="Tags"),
    Page(name="quotas", path="/quotas", answer=lists.show_quotas, title="Quotas"),
    Page(name="keys", path="/keys", answer=keys.show, title="Keys", role="admin"),
    Page(name="audit", path="/audit", answer=lists.show_audit, title="Audit", role="admin"),
    Page(name="node", path="/node", answer=lists.show_node, title="Node"),
    *_form("bulk_connections", "/connections/selected", connection.ask_bulk, connection.answer_bulk),
    *_form("bulk_gateways", "/gateways/selected", gateways.ask_bulk, gateways.answer_bulk),
    *_form(
        "bulk_customer_gateways",
        "/customer-gateways/selected",
        customer_gateways.ask_bulk,
        customer_gateways.answer_bulk,
    ),
    Page(name="gateway", path=_GATEWAY, answer=gateways.show),
    Page(name="connection", path=_CONNECTION, answer=connection.show),
    Page(
        name="device_with_psk", path=f"{_CONNECTION}/psk", answer=connection.show_with_psk, method="POST", role="admin"
    ),
    Page(name="reset_connection", path=f"{_CONNECTION}/reset", answer=connection.reset, method="POST", role="admin"),
    Page(name="probe_connection", path=f"{_CONNECTION}/probe", answer=connection.probe, method="POST", role="admin"),
    *_form("edit_connection", f"{_CONNECTION}/edit", connection.ask_edit, connection.edit),
    Page(name="ask_delete_connection", path=f"{_CONNECTION}/delete", answer=connection.ask_delete, role="admin"),
    Page(name="delete_connection", path=f"{_CONNECTION}/delete", answer=connection.delete, method="POST", role="admin"),
    *_form("new_connection", _NEW, new_connection.ask, new_connection.answer),
    Page(name="wait_for_device", path=f"{_NEW}/{{id}}", answer=new_connection.wait),
    Page(name="wait_with_psk", path=f"{_NEW}/{{id}}", answer=new_connection.wait_with_psk, method="POST", role="admin"),
    *_form("new_gateway", "/new-gateway", gateways.ask_new, gateways.answer_new),
    *_form("edit_gateway", f"{_GATEWAY}/edit", gateways.ask_edit, gateways.edit),
    *_form("gateway_flavor", f"{_GATEWAY}/flavor", gateways.ask_flavor, gateways.change_flavor),
    *_form("delete_gateway", f"{_GATEWAY}/delete", gateways.ask_delete, gateways.delete),
    Page(name="customer_gateway", path=_DEVICE, answer=customer_gateways.show),
    *_form("new_customer_gateway", "/new-customer-gateway", customer_gateways.ask_new, customer_gateways.answer_new),
    *_form("edit_customer_gateway", f"{_DEVICE}/edit", customer_gateways.ask_edit, customer_gateways.edit),
    *_form("delete_customer_gateway", f"{_DEVICE}/delete", customer_gateways.ask_delete, customer_gateways.delete),
    *_form("resource_tags", _TAGS, tags.ask, tags.change),
    Page(name="create_key", path="/keys", answer=keys.create, method="POST", role="admin"),
    *_form("revoke_key", _KEY, keys.ask_revoke, keys.revoke),
)


def menu(context: PageContext) -> list[tuple[str, str, bool]]:
    """(title, address, whether it is the present page) of the pages that the caller may open."""
    here = context.request.url.path
    return [
        (page.title, context.link(page.path), here == context.link(page.path))
        for page in TABLE
        if page.title and context.may(page.role)
    ]
