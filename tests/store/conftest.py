"""An open database, and rows to put into it."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from landbridge import model
from landbridge.operations import access, ids
from landbridge.rules import customer_gateway as peer_rules
from landbridge.rules import gateway as gateway_rules
from landbridge.store import counters, customer_gateways, gateways, vault
from landbridge.store.sqlite import Database
from tests import conftest

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
VPC = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "landbridge.db"
    path.write_bytes(conftest.migrated())
    opened = Database(path)
    yield opened
    opened.close()


@pytest.fixture
def project(database: Database) -> str:
    return database.write(lambda tx: access.create_project(tx, "ours", NOW))


@pytest.fixture
def made(database: Database, project: str) -> SimpleNamespace:
    """Functions that put sound rows into the project: `gateway()`, `customer_gateway()`."""
    numbers = itertools.count(1)
    eips = tuple(model.Eip(id=f"00000000-0000-4000-8000-{n:012}", address=f"203.0.113.{n}") for n in range(1, 200))
    site = model.Site(eips=eips, networks=(), zones=("zone-1", "zone-2"), any_network=True)

    def gateway() -> model.VpnGateway:
        ask = model.GatewayRequest(vpc_id=VPC, local_subnets=("10.0.0.0/24",))

        def work(tx: Any) -> model.VpnGateway:
            facts = gateway_rules.SiteFacts(site=site, taken=gateways.taken(tx, "", None), connection_limit=None)
            new = gateway_rules.complete(ask, facts, ids.generate(NOW), project)
            gateways.add(tx, new, [each.eip_id or each.address for each in new.endpoints])
            counters.add(tx, project, "vpn_gateway", 1)
            return new

        return database.write(work)

    def customer_gateway() -> model.CustomerGateway:
        number = next(numbers)
        ask = model.CustomerGatewayRequest(id_value=f"198.18.{number // 250}.{number % 250 + 1}")

        def work(tx: Any) -> model.CustomerGateway:
            new = peer_rules.complete(
                ask, peer_rules.CustomerGatewayFacts(now=NOW, site=site), ids.generate(NOW), project
            )
            customer_gateways.add(tx, new)
            counters.add(tx, project, "customer_gateway", 1)
            return new

        return database.write(work)

    return SimpleNamespace(gateway=gateway, customer_gateway=customer_gateway, site=site)


@pytest.fixture
def safe() -> vault.Vault:
    return vault.Vault(b"k" * vault.KEY_BYTES)


@pytest.fixture
def rows(database: Database) -> Callable[[str], list[Any]]:
    """Runs a query of a test's own on what is committed."""
    return lambda text: database.read(lambda tx: tx.cursor.execute(text).fetchall())
