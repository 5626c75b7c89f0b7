"""An operation as a value, and the one way to perform it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from landbridge import model
from landbridge.operations import access, clock
from landbridge.operations.call import Call, Caller, Role, Service
from landbridge.store.database import Transaction

Request = TypeVar("Request")
Result = TypeVar("Result")
Answer = TypeVar("Answer")
Transacts = Literal["write", "read", "long read"]
Run = Callable[[Transaction, Call, Request], Result]


def _never(_: object) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Request, Result]):
    """What a client can ask of the service, by the API or in any other way."""

    #: As the SDK spells it. The audit trail and idempotency tokens store the name, so a released name never changes.
    name: str
    #: The lowest role that may perform the operation.
    role: Role
    #: What the operation does to the store, and for how long.
    transacts: Transacts
    #: The function, which runs inside a transaction.
    run: Run[Request, Result]
    #: For a long read: whether this request is short enough for the event loop's thread.
    on_loop: Callable[[Request], bool] = _never

    @property
    def writes(self) -> bool:
        return self.transacts == "write"


def operation(
    name: str, role: Role, transacts: Transacts
) -> Callable[[Run[Request, Result]], Operation[Request, Result]]:
    """Makes an operation of the function that runs it."""
    return lambda run: Operation(name=name, role=role, transacts=transacts, run=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(Generic[Request]):
    """A request as a client submits it."""

    request: Request
    #: The wrong shapes that the parser found in the request.
    violations: tuple[model.Violation, ...] = ()
    #: Makes a retry safe.
    token: str | None = None
    #: The versions of the resource that the client is willing to change.
    if_match: str | None = None
    #: Retries are compared by the body.
    body: bytes = field(default=b"", repr=False)


async def perform(
    service: Service,
    caller: Caller,
    operation: Operation[Request, Result],
    submit: Callable[[], Submission[Request]],
    finish: Callable[[Result], Answer],
    *,
    project_id: str,
    request_id: str,
) -> Answer:
    """Allows the caller, checks the project and runs the operation in the transaction that it needs.

    `submit` makes the request. It is called for a caller who may perform the operation, and for nobody else. `finish` makes the answer
    of the result; for a long read it runs in the thread that read, so that other requests do not wait. Raises Forbidden, NotFound
    for an unknown project, and what `submit` and the operation raise.
    """
    access.allow(caller, project_id, operation.role)
    submission = submit()
    request = submission.request
    call = Call(
        service=service,
        caller=caller,
        project_id=project_id,
        request_id=request_id,
        now=clock.now(),
        violations=submission.violations,
        token=submission.token,
        if_match=submission.if_match,
        body=submission.body,
    )

    def work(tx: Transaction) -> Result:
        access.check_key(tx, caller)
        if caller.project_id is None:
            access.check_project(tx, project_id)
        return operation.run(tx, call, request)

    database = service.database
    if operation.transacts == "write":
        return finish(await database.write_soon(work))
    if operation.transacts == "long read" and not operation.on_loop(request):
        return await database.read_soon(lambda tx: finish(work(tx)))
    return finish(database.read(work))
