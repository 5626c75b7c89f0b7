"""Search and filters of the overview and the connections, and the file of what a list shows."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest


@pytest.fixture
def one(person: Callable[..., Any]) -> Any:
    """Somebody with three connections on two gateways: `one.ids` has them by name."""
    someone = person()
    hq, branch = someone.api.gateway(name="hq"), someone.api.gateway(name="branch")
    made = [
        someone.api.connection(gateway, someone.api.customer_gateway(name=peer), name=name)
        for name, gateway, peer in (("berlin-a", hq, "site-1"), ("berlin-b", hq, "site-2"), ("bonn", branch, "site-1"))
    ]
    for each in made:
        someone.api.connection_as(each["id"], "ACTIVE")
    someone.api.simulate(made[1]["id"], "down")
    someone.api.connection_as(made[1]["id"], "DOWN")
    someone.ids = {each["id"]: each["name"] for each in made}
    return someone


SEARCHES = [
    ("berlin", {"berlin-a", "berlin-b"}),
    ("BERLIN site-1", {"berlin-a"}),
    ("-berlin", {"bonn"}),
    ("site -site-2", {"berlin-a", "bonn"}),
    ("-hq", {"bonn"}),
    ("hq -berlin-a", {"berlin-b"}),
    ("berlin -berlin", set()),
    ("-", {"berlin-a", "berlin-b", "bonn"}),
]


@pytest.mark.parametrize(("text", "names"), SEARCHES)
def test_a_search_has_all_its_words_and_none_with_a_minus(one: Any, text: str, names: set[str]):
    rows = re.findall(r'<tr id="r-([^"]+)"', one.page(f"/connections?{urlencode({'q': text})}"))
    assert {one.ids[row] for row in rows} == names
    drawn = re.findall(r'<li id="t-([^"]+)"', one.page(f"?{urlencode({'q': text})}"))
    assert {one.ids[row] for row in drawn} == names


@pytest.mark.parametrize("place", ["", "/connections"])
def test_a_health_can_be_left_out(one: Any, place: str):
    text = one.page(f"{place}?health=down")
    (other,) = re.findall(r'<a href="(\?health=[^"]+)">not down <b>2</b>', text)
    rows = re.findall(r'<tr id="r-([^"]+)"', one.page(place + other))
    assert {one.ids[row] for row in rows} == {"berlin-a", "bonn"}


def _rows(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_column_of_health_is_called_so_as_in_the_file_and_one_with_words_of_the_api_is_called_status(one: Any):
    device = one.api.get("customer-gateways")["customer_gateways"][0]["id"]
    for page, head, shown in (
        ("", "Health", "down"),
        ("/connections", "Health", "down"),
        ("/gateways", "Status", "ACTIVE"),
        (f"/customer-gateways/{device}", "Status", "ACTIVE"),
    ):
        text = one.page(page)
        heads = re.findall(r'<th scope="col">(\w+)</th>', text)
        assert (head in heads, "State" in heads, f"</svg>{shown}<" in text) == (True, False, True), page


def test_the_file_has_what_the_list_shows_on_all_its_pages(one: Any, until: Any):
    path = f"/console/{one.api.project_id}/connections.csv"
    until(lambda: _rows(one.get(f"{path}?q=berlin"))[0]["cause"], "the cause, which is stored after its look")
    answer = one.get(f"{path}?q=berlin")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="connections.csv"'
    found = _rows(answer)
    assert [(row["name"], row["health"], row["gateway"], row["device"]) for row in found] == [
        ("berlin-b", "down", "hq", "site-2"),
        ("berlin-a", "up", "hq", "site-1"),
    ]
    assert [bool(row["cause"]) for row in found] == [True, False]
    gateway = one.api.gateway()
    for number in range(52):
        one.api.connection(gateway, peer_subnets=[f"172.23.{number}.0/24"])
    assert len(_rows(one.get(path))) == 55


@pytest.mark.parametrize("identity", ["=1+1", "+1", "-2", "@sum"])
def test_no_cell_of_the_file_is_a_formula(person: Callable[..., Any], identity: str):
    someone = person()
    peer = someone.api.customer_gateway(id_type="fqdn", id_value=identity)
    someone.api.connection(someone.api.gateway(), peer)
    answer = someone.get(f"/console/{someone.api.project_id}/connections.csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["address"] == f"'{identity}"
