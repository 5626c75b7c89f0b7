"""Bounds of docs/reference/limits.md that have no place among the tests of another subject."""

from typing import Any

import pytest

from landbridge.api import routes


@pytest.mark.parametrize("header", ["X-Client-Token", "Idempotency-Key"])
def test_a_retry_token_has_a_length(api: Any, header: str):
    body = {"customer_gateway": {"id_value": "198.51.100.78"}}
    longest = api.send("POST", "customer-gateways", body, **{header: "t" * routes.TOKEN_LIMIT})
    assert longest.status_code == 201
    answer = api.send("POST", "customer-gateways", body, **{header: "t" * (routes.TOKEN_LIMIT + 1)})
    assert answer.status_code == 400
    assert f"at most {routes.TOKEN_LIMIT} characters" in answer.json()["error_msg"]
