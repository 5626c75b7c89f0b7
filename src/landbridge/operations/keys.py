"""The keys of a project: list, create, revoke. `landbridge keys` on the service's machine makes keys without a project."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from landbridge import errors, model
from landbridge.model import allowed_values
from landbridge.operations import access
from landbridge.operations.call import Call, Role
from landbridge.operations.operation import operation
from landbridge.store import keys
from landbridge.store.database import Transaction

#: Roles of the keys of a project.
ROLES = allowed_values.Choice(("reader", "admin"), "reader")
#: How long a form gets the secrets of its key again: the second click of a double click, or a browser that sends a form again.
REPEAT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKey:
    """A key without its secret."""

    access_key: str
    role: str
    created_at: datetime
    revoked: bool


@operation("list_access_keys", "admin", "read")
def list_all(tx: Transaction, call: Call, _: model.EmptyRequest) -> list[ShownKey]:
    """The keys of the project, oldest first, revoked keys too."""
    return [
        ShownKey(access_key=key.access_key, role=key.role, created_at=key.created_at, revoked=key.revoked)
        for key in keys.list_all(tx)
        if key.project_id == call.project_id
    ]


@operation(access.EVENTS["access_key"], "admin", "write")
def create(tx: Transaction, call: Call, request: model.KeyRequest) -> access.NewKey:
    """A new key of the project, with its secrets. Only a second submit of the same form (with the same token) within REPEAT gets them again.
    Raises Repeated when the form made its key longer ago or with another role, and when that key is revoked.
    """
    if request.role not in ROLES:
        wrong = "is mandatory" if request.role is None else f"{request.role!r} is not a role of a project"
        call.refuse([model.Violation("role", wrong, str(ROLES))])
    role: Role = "admin" if request.role == "admin" else "reader"
    seed = call.token and f"{call.project_id} {call.caller.access_key} {call.token}"
    made = access.new_key(call.service.vault, call.project_id, role, seed)
    earlier = keys.find(tx, made.access_key)
    if earlier is None:
        access.add_key(tx, call.service.vault, made, call.now)
        call.audit(tx, create.name, made.access_key)
    elif earlier.role != role or earlier.revoked or call.now > earlier.created_at + REPEAT:
        raise errors.Repeated(f"this form has created access key {made.access_key}")
    return made


@operation(access.REVOKED, "admin", "write")
def revoke(tx: Transaction, call: Call, request: model.KeyRef) -> None:
    """Revokes a key and ends its console sessions. Raises Invalid for the caller's own key, so that the project keeps a key of an admin."""
    if request.access_key == call.caller.access_key:
        wrong = "is the key of this request"
        call.refuse([model.Violation("access_key", wrong, "another key; another admin may revoke this one")])
    key = keys.find(tx, request.access_key)
    if key is None or key.project_id != call.project_id or not keys.revoke(tx, request.access_key, call.now):
        raise errors.NotFound(f"access key {request.access_key[:64]} (or it is revoked already)")
    call.audit(tx, revoke.name, request.access_key)
