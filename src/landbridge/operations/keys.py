"""The keys of a project."""

from dataclasses import dataclass
from datetime import datetime

from landbridge import model
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.store import keys
from landbridge.store.database import Transaction


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
        ShownKey(access_key=one.access_key, role=one.role, created_at=one.created_at, revoked=one.revoked)
        for one in keys.list_all(tx)
        if one.project_id == call.project_id
    ]
