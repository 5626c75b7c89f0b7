"""ha_role against ha_mode and endpoint: the whole truth table."""

from typing import Any

import pytest

EIP1 = "e1e1e1e1-0000-4000-8000-000000000001"
EIP2 = "e2e2e2e2-0000-4000-8000-000000000002"

#: ha_mode, endpoint's EIP, asked -> stored role, or None and what the refusal says to send
TABLE = [
    pytest.param("active-standby", EIP1, None, "master", "", id="standby-1-absent"),
    pytest.param("active-standby", EIP1, "master", "master", "", id="standby-1-master"),
    pytest.param("active-standby", EIP1, "slave", None, "(wanted: master with this vgw_ip)", id="standby-1-slave"),
    pytest.param("active-standby", EIP2, None, None, "(wanted: slave with this vgw_ip)", id="standby-2-absent"),
    pytest.param("active-standby", EIP2, "master", None, "(wanted: slave with this vgw_ip)", id="standby-2-master"),
    pytest.param("active-standby", EIP2, "slave", "slave", "", id="standby-2-slave"),
    pytest.param("active-active", EIP1, None, "master", "", id="active-1-absent"),
    pytest.param("active-active", EIP1, "master", "master", "", id="active-1-master"),
    pytest.param("active-active", EIP1, "slave", None, "(wanted: master)", id="active-1-slave"),
    pytest.param("active-active", EIP2, None, "master", "", id="active-2-absent"),
    pytest.param("active-active", EIP2, "master", "master", "", id="active-2-master"),
    pytest.param("active-active", EIP2, "slave", "slave", "", id="active-2-slave"),
]


@pytest.mark.parametrize(("ha_mode", "vgw_ip", "asked", "role", "text"), TABLE)
@pytest.mark.parametrize("style", ["static", "bgp"])
def test_ha_role_fits_mode_and_endpoint(
    given: Any, style: str, ha_mode: str, vgw_ip: str, asked: str | None, role: str | None, text: str
):
    changes = {"style": style, "vgw_ip": vgw_ip, "ha_role": asked}
    if role is None:
        given.only(given.refusals(changes, ha_mode=ha_mode), "ha_role", text)
    else:
        assert role == given.made(changes, ha_mode=ha_mode).ha_role


@pytest.mark.parametrize("ha_mode", ["active-active", "active-standby"])
@pytest.mark.parametrize("role", ["", "Master", "standby"])
def test_an_unknown_ha_role_is_refused(given: Any, ha_mode: str, role: str):
    given.only(given.refusals({"ha_role": role}, ha_mode=ha_mode), "ha_role", "one of master, slave")


def test_a_missing_role_is_called_missing(given: Any):
    found = given.refusals({"vgw_ip": EIP2}, ha_mode="active-standby")
    given.only(found, "ha_role", "is mandatory")
