"""Guards: what must not be printed is not, and every error of ours has its answer."""

from typing import Any

import pytest

from landbridge import errors, model, operations, signatures
from landbridge.wire import connection_requests
from landbridge.wire import errors as wire_errors


def _kinds(kind: type) -> list[type]:
    return [kind, *(inner for child in kind.__subclasses__() for inner in _kinds(child))]


@pytest.mark.parametrize("kind", _kinds(errors.LandbridgeError)[1:], ids=lambda kind: kind.__name__)
def test_every_error_of_ours_is_rendered(kind: type):
    error = kind([model.Violation("a", "b", "c")]) if kind is errors.Invalid else kind("why")
    status, body = wire_errors.render(error, "id")
    assert status in {400, 401, 403, 404, 412, 425, 500, 503}
    assert {"error_code", "error_msg", "request_id"} <= body.keys()
    assert status != 500 or "why" not in body["error_msg"]


def test_no_repr_shows_a_secret():
    shape = connection_requests.CreateConnection(psk="Secret-Key-1")
    head = signatures.RequestHead(method="POST", path="/", query="", headers={"x-auth-token": b"Secret-Key-1"})
    submission = operations.Submission(request=shape.request(), body=b'{"psk": "Secret-Key-1"}')
    for value in (shape, shape.request(), head, submission, model.Secret("Secret-Key-1")):
        assert "Secret-Key-1" not in repr(value)


def test_a_gateway_says_why_it_is_in_its_state(api: Any):
    gateway = api.gateway()
    found = api.get(f"/landbridge/v1/{api.project_id}/vpn-gateways/{gateway['id']}/diagnosis")["diagnosis"]
    assert (found["id"], found["status"]) == (gateway["id"], "ACTIVE")
    assert "reason" not in found


def test_a_misshapen_style_says_nothing_of_what_it_decides(api: Any):
    gateway, peer = api.gateway(), api.customer_gateway()
    rule = {"source": "10.0.0.0/24", "destination": ["192.168.44.0/24"]}
    wish = api.connection_body(gateway, peer, style=5, policy_rules=[rule], enable_nqa=True)
    assert list(api.refused("vpn-connection", "vpn_connection", wish)) == ["style"]
