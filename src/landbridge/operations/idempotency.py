"""Safe retries: a request with the token, path and body of an earlier one gets the same answer, for 24 hours."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import TypeAdapter

from landbridge import errors
from landbridge.operations.call import Call
from landbridge.store import codec, idempotency_tokens
from landbridge.store.database import Transaction

T = TypeVar("T")


def once(
    tx: Transaction, call: Call, operation: str, kind: TypeAdapter[T], create: Callable[[], T], path_id: str = ""
) -> T:
    """Returns what `create` makes, or what it made for the first request with this token. Raises Repeated when the first request was of another
    operation, had another body, or named another resource in its path (`path_id`).
    """
    if call.token is None:
        return create()
    digest = call.service.vault.digest(call.body) + path_id
    earlier = idempotency_tokens.find(tx, call.project_id, call.token, call.now)
    if earlier is not None:
        made_by, body_hash, spec = earlier
        if (made_by, body_hash) != (operation, digest):
            raise errors.Repeated("this token was used for another request")
        return kind.validate_json(spec)
    made = create()
    idempotency_tokens.add(
        tx,
        project_id=call.project_id,
        token=call.token,
        operation=operation,
        body_hash=digest,
        spec=codec.dump(kind, made),
        now=call.now,
    )
    return made
