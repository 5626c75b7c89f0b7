"""Versions of resources: `ETag` on every look at one and on every update, and `If-Match` on every PUT."""

from typing import Any

import pytest

from landbridge.api import row as api_row
from landbridge.api import table

NO_VERSION = api_row.Operation.__dataclass_fields__["etag"].default
PUTS = [row for row in table.TABLE if row.method == "PUT"]


@pytest.mark.parametrize("put", [pytest.param(row, id=row.name) for row in PUTS])
def test_what_can_be_updated_tells_its_version(put: api_row.Operation):
    looks = [row for row in table.TABLE if row.method == "GET" and row.path == put.path]
    assert [row.name for row in (put, *looks) if row.etag is NO_VERSION] == []


def _connection(api: Any) -> tuple[str, str]:
    return f"vpn-connection/{api.connection(api.gateway())['id']}", "vpn_connection"


def _gateway(api: Any) -> tuple[str, str]:
    return f"vpn-gateways/{api.gateway()['id']}", "vpn_gateway"


def _customer_gateway(api: Any) -> tuple[str, str]:
    return f"customer-gateways/{api.customer_gateway()['id']}", "customer_gateway"


@pytest.mark.parametrize("make", [_connection, _gateway, _customer_gateway])
def test_of_two_that_read_the_same_version_only_the_first_may_write(api: Any, make: Any):
    path, envelope = make(api)
    version = api.send("GET", path).headers["ETag"]
    answers = [api.send("PUT", path, {envelope: {"name": name}}, If_Match=version) for name in ("one", "two")]
    assert [answer.status_code for answer in answers] == [200, 412]
    assert answers[1].json()["error_msg"].startswith("precondition failed: If-Match is ")
    shown = api.send("GET", path)
    assert shown.json()[envelope]["name"] == "one"
    assert shown.headers["ETag"] == answers[0].headers["ETag"] != version


@pytest.mark.parametrize("make", [_connection, _gateway, _customer_gateway])
@pytest.mark.parametrize("sent", ['"0-0"', "x", "", 'W/"0-0"', "\"0-0\", 'a'"])
def test_anything_else_is_another_version(api: Any, make: Any, sent: str):
    path, envelope = make(api)
    assert api.send("PUT", path, {envelope: {"name": "one"}}, If_Match=sent).status_code == 412
