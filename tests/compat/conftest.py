"""Providers of both Terraform families, each configured for a project of its own on the server process."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from landbridge import config, data_folder
from landbridge.operations import access, call, clock, pausing
from tests.compat import terraform


@pytest.fixture
def provider(server: Any) -> Callable[..., terraform.Client]:
    """`provider(family)`, or with the role of its key, or with another one's project."""

    def configured(
        family: terraform.Family, role: call.Role = "admin", project_id: str | None = None
    ) -> terraform.Client:
        now = clock.now()
        with data_folder.open_data(config.load({"data": str(server.folder)}, {})) as data:
            project = project_id or data.database.write(
                lambda tx: access.create_project(tx, f"p{time.monotonic_ns()}", now)
            )
            key = data.database.write(lambda tx: access.create_key(tx, data.vault, project, role, now))
        return terraform.Client(
            family=family,
            endpoint=server.credentials["endpoint"],
            project_id=project,
            access_key=key.access_key,
            secret_key=key.secret_key.reveal(),
            token=key.token.reveal(),
        )

    return configured


@pytest.fixture
def client(provider: Callable[..., terraform.Client], request: pytest.FixtureRequest) -> terraform.Client:
    """A provider of the family that the test asks for."""
    return provider(request.param)


@pytest.fixture
def paused(server: Any) -> Callable[..., Any]:
    """`with paused(gateway_id):` nothing moves on the gateway, as on a machine that is slow: what is pending stays so."""

    @contextlib.contextmanager
    def holding(gateway_id: str) -> Iterator[None]:
        with data_folder.open_data(config.load({"data": str(server.folder)}, {})) as data:
            data.database.write(lambda tx: pausing.pause(tx, gateway_id, clock.now()))
            try:
                yield
            finally:
                data.database.write(lambda tx: pausing.resume(tx, gateway_id, clock.now()))

    return holding
