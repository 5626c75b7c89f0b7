"""The values that the OpenAPI document lists are those of the rules' tables: wire has lists of its own, for the document."""

import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pydantic
import pytest

from landbridge.rules import choices, connection, customer_gateway, gateway, policies
from landbridge.wire import connections, customer_gateways, gateways

GATEWAY_WORDS = {"PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "ACTIVE", "FAULT"}
CONNECTION_WORDS = {"PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "ACTIVE", "DOWN", "ERROR"}


def _values(*tables: choices.Table) -> dict[str, set[Any]]:
    """What any of the tables allows, for each field that has a list."""
    rows = [(name, row.values) for table in tables for name, row in table.items() if isinstance(row, choices.Choice)]
    return {name: {value for other, values in rows if other == name for value in values} for name, _ in rows}


IKE = _values(policies.IKE, policies.IKE_GM)
IPSEC = _values(policies.IPSEC, policies.IPSEC_GM)
LISTS: dict[type[pydantic.BaseModel], dict[str, set[Any]]] = {
    connections.IkePolicyShape: IKE,
    connections.IpsecPolicyShape: IPSEC,
    connections.DpdShape: _values(policies.DPD),
    connections.CreateConnection: {
        **_values({"ha_role": connection.HA_ROLES}),
        "style": {spelled for style in connection.STYLES.values for spelled in (style, style.upper())},
    },
    gateways.CreateGateway: _values(gateway.WORDS),
    gateways.UpdateGateway: _values(gateway.WORDS),
    gateways.ChangeFlavor: {"flavor": _values(gateway.WORDS)["flavor"]},
    gateways.EipShape: _values({"charge_mode": gateway.CHARGE_MODES}),
    customer_gateways.CreateCustomerGateway: _values(
        {"id_type": customer_gateway.ID_TYPES, "route_mode": customer_gateway.ROUTE_MODES}
    ),
    connections.IkePolicyAnswer: {name: IKE[name] for name in ("dh_group", "local_id_type")},
    connections.IpsecPolicyAnswer: {"pfs": IPSEC["pfs"]},
    connections.ConnectionAnswer: {
        "status": CONNECTION_WORDS,
        "style": {style.upper() for style in connection.STYLES.values},
    },
    gateways.GatewayAnswer: {"status": GATEWAY_WORDS},
}


def _shapes(*modules: ModuleType) -> Iterator[Any]:
    for module in modules:
        for name, shape in inspect.getmembers(module, inspect.isclass):
            if issubclass(shape, pydantic.BaseModel) and shape.__module__ == module.__name__:
                yield pytest.param(shape, id=name)


@pytest.mark.parametrize("shape", [*_shapes(connections, gateways, customer_gateways)])
def test_the_lists_of_a_shape_are_the_rules_tables(shape: type[pydantic.BaseModel]):
    properties = shape.model_json_schema()["properties"]
    listed = {name: {*schema["enum"]} - {None} for name, schema in properties.items() if "enum" in schema}
    assert listed == LISTS.get(shape, {})


def test_every_flavor_is_listed():
    assert LISTS[gateways.CreateGateway]["flavor"] == set(gateway.FLAVORS)


@pytest.mark.parametrize("table", [policies.IKE_ANY, policies.IPSEC_ANY, policies.IKE, policies.IPSEC, policies.DPD])
def test_no_value_is_listed_twice(table: choices.Table):
    lists = {name: row.values for name, row in table.items() if isinstance(row, choices.Choice)}
    assert {name: values for name, values in lists.items() if len(set(values)) != len(values)} == {}
