"""The table of pages below /console/{project_id}."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from landbridge.console import estate
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


TABLE: tuple[Page, ...] = (Page(name="estate", path="", answer=estate.show, title="Estate"),)


def menu(visit: Visit) -> list[tuple[str, str, bool]]:
    """(title, address, whether it is the present page) of the pages that the caller may open."""
    here = visit.request.url.path
    return [
        (page.title, visit.link(page.path), here == visit.link(page.path))
        for page in TABLE
        if page.title and visit.may(page.role)
    ]
