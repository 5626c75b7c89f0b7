"""The table of pages below /console/{project_id}."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from landbridge.console import connection, estate, lists, new_connection
from landbridge.console.visit import Answered, Visit
from landbridge.operations.call import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`role`: the least role that may open it. `is_live`: the script refreshes it. `title`: its place in the menu; empty: it has none."""

    name: str
    path: str
    answer: Callable[[Visit], Awaitable[Answered]]
    method: Literal["GET", "POST"] = "GET"
    role: Role = "reader"
    is_live: bool = True
    title: str = ""


_CONNECTION, _NEW = "/connections/{id}", "/new-connection"
TABLE: tuple[Page, ...] = (
    Page(name="estate", path="", answer=estate.show, title="Estate"),
    Page(name="connections", path="/connections", answer=lists.show_connections, title="Connections"),
    Page(name="gateways", path="/gateways", answer=lists.show_gateways, title="Gateways"),
    Page(
        name="customer_gateways",
        path="/customer-gateways",
        answer=lists.show_customer_gateways,
        title="Customer gateways",
    ),
    Page(name="tags", path="/tags", answer=lists.show_tags, title="Tags"),
    Page(name="quotas", path="/quotas", answer=lists.show_quotas, title="Quotas"),
    Page(name="keys", path="/keys", answer=lists.show_keys, title="Keys", role="admin"),
    Page(name="audit", path="/audit", answer=lists.show_audit, title="Audit", role="admin"),
    Page(name="node", path="/node", answer=lists.show_node, title="Node"),
    Page(name="gateway", path="/gateways/{id}", answer=lists.show_gateway),
    Page(name="connection", path=_CONNECTION, answer=connection.show),
    Page(
        name="device_with_psk", path=f"{_CONNECTION}/psk", answer=connection.show_with_psk, method="POST", role="admin"
    ),
    Page(name="reset_connection", path=f"{_CONNECTION}/reset", answer=connection.reset, method="POST", role="admin"),
    Page(name="probe_connection", path=f"{_CONNECTION}/probe", answer=connection.probe, method="POST", role="admin"),
    Page(name="edit_connection", path=f"{_CONNECTION}/edit", answer=connection.ask_edit, role="admin", is_live=False),
    Page(name="change_connection", path=f"{_CONNECTION}/edit", answer=connection.edit, method="POST", role="admin"),
    Page(name="ask_delete_connection", path=f"{_CONNECTION}/delete", answer=connection.ask_delete, role="admin"),
    Page(name="delete_connection", path=f"{_CONNECTION}/delete", answer=connection.delete, method="POST", role="admin"),
    Page(name="new_connection", path=_NEW, answer=new_connection.ask, role="admin", is_live=False),
    Page(name="create_connection", path=_NEW, answer=new_connection.answer, method="POST", role="admin"),
    Page(name="wait_for_device", path=f"{_NEW}/{{id}}", answer=new_connection.wait),
    Page(name="wait_with_psk", path=f"{_NEW}/{{id}}", answer=new_connection.wait_with_psk, method="POST", role="admin"),
)


def menu(visit: Visit) -> list[tuple[str, str, bool]]:
    """(title, address, whether it is the present page) of the pages that the caller may open."""
    here = visit.request.url.path
    return [
        (page.title, visit.link(page.path), here == visit.link(page.path))
        for page in TABLE
        if page.title and visit.may(page.role)
    ]
