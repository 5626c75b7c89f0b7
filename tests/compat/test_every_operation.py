"""The operations' table has every site-to-site operation of the installed SDK, by name, method and path."""

import inspect
import re

import pytest
from huaweicloudsdkvpn.v5 import vpn_client

from landbridge.api import table

#: Point-to-client: another product.
OUT_OF_SCOPE = re.compile(r"/(p2c-vpn-gateways|vpn-servers|p2c-vpn-users?)\b|/vpn-access-policies|/vpn-users")
#: Operations of the site-to-site part in `reference/operations.md`, read off the SDK.
THERE_ARE = 43
#: Being built; whoever serves one takes its name off.
NOT_YET: frozenset[str] = frozenset()


def _operations() -> dict[str, tuple[str, str]]:
    """name -> (method, path) of every site-to-site operation of the SDK."""
    found = {}
    for name, function in inspect.getmembers(vpn_client.VpnClient):
        match = re.fullmatch(r"_(\w+)_http_info", name)
        if match is None:
            continue
        source = inspect.getsource(function)
        method, path = (re.search(rf'"{key}": "(.+?)"', source) for key in ("method", "resource_path"))
        assert method is not None
        assert path is not None
        if not OUT_OF_SCOPE.search(path[1]):
            found[match[1]] = (method[1], path[1])
    return found


SDK = _operations()
SERVED = {route.name: (route.method, route.path) for route in table.TABLE}


def test_the_sdk_has_the_operations_that_we_know_of():
    assert len(SDK) == THERE_ARE


@pytest.mark.parametrize("name", sorted(SDK.keys() - NOT_YET))
def test_every_operation_of_the_sdk_is_served_as_it_calls_it(name: str):
    assert SERVED.get(name) == SDK[name]


def test_what_is_served_is_not_said_to_be_missing():
    assert NOT_YET - SDK.keys() == set()
    assert NOT_YET & SERVED.keys() == set()
