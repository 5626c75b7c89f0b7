"""A form that two processes of the service get at once: what it says once is done once, and each answer says what was done."""

import html
import itertools
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from lab import processes
from landbridge import model
from landbridge.console import connection_form
from landbridge.operations import access
from tests.cli.test_processes import Line
from tests.conftest import PSK, VPC, Api
from tests.console.conftest import Person
from tests.console.reading import values, words

pytestmark = pytest.mark.process

#: Each form is sent so often: two processes do not always write in the same moment.
ROUNDS = 4
numbers = itertools.count(1)


@dataclass
class Both:
    """A person in one session, with a connection to each of two processes."""

    ways: tuple[Person, Person]

    @property
    def api(self) -> Any:
        return self.ways[0].api

    def page(self, rest: str) -> str:
        return self.ways[0].page(rest)

    def send(self, rest: str, form: dict[str, str]) -> list[str]:
        """Both processes get the form at once. What each answers: the sentence that the next page shows, or the text of the page."""
        ready, answers = threading.Barrier(2), list[httpx.Response]()

        def one(way: Person) -> None:
            ready.wait()
            answers.append(way.post(f"/console/{self.api.project_id}{rest}", form))

        threads = [threading.Thread(target=one, args=(replace(way, cookies=dict(way.cookies)),)) for way in self.ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in answers if answer.status_code >= 500] == []
        return sorted(map(_said, answers))

    def done(self) -> list[str]:
        """The last actions, newest first."""
        found = self.api.get(f"/landbridge/v1/{self.api.project_id}/audit?limit=100")
        return [event["action"] for event in found["audit_events"]]


def _said(answer: httpx.Response) -> str:
    if answer.status_code != 303:
        return f"{answer.status_code} {words(answer.text).strip()}"
    found = re.search(r"landbridge_notice=([^;]*)", answer.headers.get("set-cookie", ""))
    return unquote(found[1]) if found else ""


@pytest.fixture(scope="module")
def both(server: Any) -> Iterator[Both]:
    (other,) = processes.workers(server.pid)
    known = server.credentials
    secrets = {name: model.Secret(known[name]) for name in ("secret_key", "token")}
    key = access.NewKey(access_key=known["access_key"], project_id=known["project_id"], role="admin", **secrets)
    lines = [Line(server, pid).client for pid in (other, server.pid)]
    ways = tuple(Person(http=line, api=Api(http=line, project_id=known["project_id"], key=key)) for line in lines)
    assert ways[0].sign_in().status_code == 303
    ways[1].cookies = ways[0].cookies
    yield Both((ways[0], ways[1]))
    for line in lines:
        line.close()


@dataclass(frozen=True)
class Form:
    """`path` and `fields`: of the form; `action`: what the audit trail has of it once; `says`: what an answer may begin with."""

    path: str
    fields: dict[str, str]
    action: str
    says: tuple[str, str]


def _twice(text: str) -> tuple[str, str]:
    return text, text


def _made(both: Both) -> tuple[Any, Any, Any]:
    """A VPN gateway, a customer gateway and a connection between them."""
    gateway, peer = both.api.gateway(), both.api.customer_gateway(id_value=f"198.51.100.{next(numbers)}")
    return gateway, peer, both.api.connection(gateway, peer)


def _new_gateway(both: Both) -> Form:
    fields = values(both.page("/new-gateway")) | {"vpc_id": VPC, "local_subnets": "10.0.0.0/24", "name": "hq"}
    return Form("/new-gateway", fields | {"do": "create"}, "create_vgw", _twice("VPN gateway hq is created."))


def _new_customer_gateway(both: Both) -> Form:
    fields = values(both.page("/new-customer-gateway")) | {"id_value": f"198.51.101.{next(numbers)}", "name": "branch"}
    says = _twice("Customer gateway branch is created.")
    return Form("/new-customer-gateway", fields | {"do": "create"}, "create_cgw", says)


def _new_connection(both: Both) -> Form:
    """With a new customer gateway."""
    gateway, number = both.api.gateway(), next(numbers)
    found = re.search(r'name="token" value="([^"]*)"', both.page("/new-connection"))
    assert found
    device = f"{connection_form.DEVICE}."
    fields = {
        "token": found[1],
        "do": "create",
        "style": "static",
        "psk": PSK,
        "name": f"c-{number}",
        "endpoint": f"{gateway['id']}/{gateway['eip1']['id']}",
        "peer_subnets": "192.168.44.0/24",
        "cgw_id": connection_form.NEW,
        f"{device}name": "b",
        f"{device}id_value": f"198.51.102.{number}",
    }
    says = _twice(f"Connection c-{number} is created.")
    return Form("/new-connection", fields, "create_vpn_connection", says)


def _key(both: Both) -> Form:
    return Form("/keys", values(both.page("/keys")), "create_key", _twice(""))


def _set_tag(both: Both) -> Form:
    fields = {"key": "a", "value": "b", "do": "set"}
    path = f"/tags/vpn-connection/{_made(both)[2]['id']}"
    return Form(path, fields, "batch_create_resource_tags", _twice("The tag a is set."))


def _reset(both: Both) -> Form:
    path = f"/connections/{_made(both)[2]['id']}"
    found = re.search(r'/reset"><input type="hidden" name="version" value="([^"]+)"', both.page(path))
    assert found
    says = ("It was changed or reset meanwhile", "The tunnel is negotiated anew.")
    return Form(f"{path}/reset", {"version": html.unescape(found[1])}, "reset_vpn_connection", says)


def _down(both: Both) -> Any:
    made = _made(both)[2]
    both.api.connection_as(made["id"], "ACTIVE")
    both.api.simulate(made["id"], "down:psk")
    return both.api.connection_as(made["id"], "DOWN")


def _probe(both: Both) -> Form:
    path = f"/connections/{_down(both)['id']}"
    found = re.search(r'/probe"><input type="hidden" name="token" value="([^"]*)"', both.page(path))
    fields = {"token": found[1]} if found else {}
    return Form(f"{path}/probe", fields, "probe", _twice("The probe is ordered."))


def _selected_probe(both: Both) -> Form:
    fields = values(both.page(f"/connections/selected?do=probe&row={_down(both)['id']}"))
    return Form("/connections/selected", fields, "probe", _twice("1 connection is being probed."))


def _edit_connection(both: Both) -> Form:
    path = f"/connections/{_made(both)[2]['id']}/edit"
    says = ("The connection has the values of your form.", "The connection is changed.")
    return Form(path, values(both.page(path)) | {"name": "other"}, "update_vpn_connection", says)


def _edit_gateway(both: Both) -> Form:
    path = f"/gateways/{_made(both)[0]['id']}/edit"
    says = ("The VPN gateway has the values of your form.", "The VPN gateway is changed.")
    return Form(path, values(both.page(path)) | {"name": "other"}, "update_vgw", says)


def _flavor(both: Both) -> Form:
    path = f"/gateways/{_made(both)[0]['id']}/flavor"
    says = ("The VPN gateway has the values of your form.", "The VPN gateway is changed.")
    fields = values(both.page(path)) | {"flavor": "Professional2"}
    return Form(path, fields, "update_postpaid_vgw_specification", says)


def _delete_connection(both: Both) -> Form:
    path = f"/connections/{_made(both)[2]['id']}/delete"
    says = ("The connection is being deleted.", "It no longer exists.")
    return Form(path, values(both.page(path)), "delete_vpn_connection", says)


def _delete_gateway(both: Both) -> Form:
    """The agent may have taken it down before the second answer."""
    path = f"/gateways/{both.api.gateway()['id']}/delete"
    return Form(
        path, values(both.page(path)), "delete_vgw", ("The VPN gateway is being deleted.", "It no longer exists.")
    )


def _delete_customer_gateway(both: Both) -> Form:
    path = f"/customer-gateways/{both.api.customer_gateway(id_value=f'198.51.104.{next(numbers)}')['id']}/delete"
    says = ("It no longer exists.", "The customer gateway is deleted.")
    return Form(path, values(both.page(path)), "delete_cgw", says)


def _revoke(both: Both) -> Form:
    before = set(_keys(both))
    both.ways[0].post(f"/console/{both.api.project_id}/keys", values(both.page("/keys")))
    (made,) = set(_keys(both)) - before
    says = ("404 Not found", f"Access key {made} is revoked.")
    return Form(f"/keys/{made}", {}, "revoke_key", says)


def _keys(both: Both) -> list[str]:
    """Those that can be revoked."""
    return re.findall(r'/keys/([0-9A-Z]+)"', both.page("/keys"))


def _delete_selected(both: Both) -> Form:
    peer = both.api.customer_gateway(id_value=f"198.51.103.{next(numbers)}")
    fields = values(both.page(f"/customer-gateways/selected?do=delete&row={peer['id']}"))
    says = ("0 customer gateways are deleted. 1 selected resource no longer exists.", "1 customer gateway is deleted.")
    return Form("/customer-gateways/selected", fields, "delete_cgw", says)


@pytest.mark.parametrize(
    "make",
    [
        *(_new_gateway, _new_customer_gateway, _new_connection, _key, _set_tag, _reset, _probe, _selected_probe),
        *(_edit_connection, _edit_gateway, _flavor, _delete_connection, _delete_gateway, _delete_customer_gateway),
        *(_delete_selected, _revoke),
    ],
    ids=lambda make: make.__name__.strip("_"),
)
def test_a_form_that_two_processes_get_at_once_is_done_once(both: Both, make: Callable[[Both], Form]):
    for _ in range(ROUNDS):
        form = make(both)
        before = both.done().count(form.action)
        answers = both.send(form.path, form.fields)
        assert all(one.startswith(form.says) for one in answers), answers
        assert both.done().count(form.action) == before + 1
