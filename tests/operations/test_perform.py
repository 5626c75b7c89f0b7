"""`operations.perform`: what every edge calls, here without HTTP."""

import asyncio
import dataclasses
import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from landbridge import config, data_folder, errors, model, operations, site_file
from landbridge.operations import access, call, clock, connection_lists, customer_gateways
from landbridge.operations.operation import Operation

PEER = model.CustomerGatewayRequest(name="device", id_type="ip", id_value="198.51.100.7", bgp_asn=65010)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edge:
    """An edge of the service that speaks no HTTP, such as a console."""

    runner: asyncio.Runner
    service: call.Service
    caller: call.Caller
    project_id: str

    def perform(self, operation: Operation[Any, Any], request: Any, **conditions: Any) -> Any:
        return self.submit(operation, lambda: operations.Submission(request=request, **conditions))

    def submit(self, operation: Operation[Any, Any], submit: Any) -> Any:
        names = {"project_id": self.project_id, "request_id": "r1"}
        work = operations.perform(self.service, self.caller, operation, submit, lambda result: result, **names)
        return self.runner.run(work)


@pytest.fixture
def data(tmp_path: Path) -> Any:
    with data_folder.open_data(config.load({"data": str(tmp_path), "engine": "simulated"}, {})) as opened:
        yield opened


@pytest.fixture
def edge(data: Any) -> Any:
    """Makes an edge for a caller of this role in a project of its own; an operator belongs to none."""
    service = call.Service(
        database=data.database,
        engine="simulated",
        site=site_file.default(),
        vault=data.vault,
        unseen_after=timedelta(minutes=2),
    )
    names = (f"project-{number}" for number in itertools.count())
    with asyncio.Runner() as runner:

        def make(role: call.Role = "admin") -> Edge:
            now = clock.now()
            project_id = data.database.write(lambda tx: access.create_project(tx, next(names), now))
            owner = None if role == "operator" else project_id
            key = data.database.write(lambda tx: access.create_key(tx, data.vault, owner, role, now))
            caller = call.Caller(access_key=key.access_key, project_id=owner, role=role)
            return Edge(runner=runner, service=service, caller=caller, project_id=project_id)

        yield make


def test_an_edge_without_http_creates_and_reads(edge: Any):
    admin = edge()
    made = admin.perform(customer_gateways.create, PEER)
    found = admin.perform(customer_gateways.show, model.CustomerGatewayRef(customer_gateway_id=made.id))
    assert found == made
    page = admin.perform(connection_lists.list_page, model.ConnectionListRequest(limit=10))
    assert (page.connections, page.total) == ([], 0)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["another-role", "another-project"])
def test_the_request_of_a_caller_who_may_not_is_never_made(edge: Any, elsewhere: bool):
    caller = dataclasses.replace(edge(), project_id=edge().project_id) if elsewhere else edge("reader")
    made = []
    with pytest.raises(errors.Forbidden):
        caller.submit(customer_gateways.create, lambda: made.append("a request"))
    assert made == []


def test_an_operator_may_act_in_every_project_that_there_is(edge: Any):
    operator = edge("operator")
    assert operator.perform(customer_gateways.create, PEER).project_id == operator.project_id
    nowhere = dataclasses.replace(operator, project_id="0" * 32)
    for operation, request in (
        (customer_gateways.create, PEER),
        (customer_gateways.list_page, model.CustomerGatewayListRequest(limit=1)),
    ):
        with pytest.raises(errors.NotFound, match="project 0000"):
            nowhere.perform(operation, request)


def test_a_key_that_was_revoked_meanwhile_changes_nothing(edge: Any, data: Any):
    admin = edge()
    data.database.write(lambda tx: access.revoke_key(tx, admin.caller.access_key, clock.now()))
    with pytest.raises(errors.Unauthenticated, match="was revoked"):
        admin.perform(customer_gateways.create, PEER)


def test_the_conditions_of_a_submission_reach_the_operation(edge: Any):
    admin = edge()
    wrong = model.Violation("name", "is a number", "a string")
    with pytest.raises(errors.Invalid, match="name: is a number"):
        admin.perform(customer_gateways.create, PEER, violations=(wrong,))
    first, again = (admin.perform(customer_gateways.create, PEER, token="t", body=b"{}") for _ in range(2))
    assert first == again
    change = model.CustomerGatewayUpdateRequest(customer_gateway_id=first.id, change=model.CustomerGatewayRequest())
    with pytest.raises(errors.Changed):
        admin.perform(customer_gateways.update, change, if_match='"another"')
