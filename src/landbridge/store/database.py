"""The interface of a database: what the rest of the service may ask of it. `store.sqlite` implements it.

Query modules take a Transaction and run Statements in it. They name no database: for what databases
write differently they use `expressions`.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from landbridge.store.statement import Statement

R = TypeVar("R")


class Transaction(Protocol):
    """Runs statements, and collects the gateways that the agent is to look at after the commit."""

    def run(self, statement: Statement, **given: Any) -> int:
        """Runs the statement. Returns how many rows it changed."""

    def run_many(self, statement: Statement, rows: list[dict[str, Any]]) -> None:
        """Runs the statement once for each of the rows."""

    def one(self, statement: Statement, **given: Any) -> Any | None:
        """Returns the first row; None without any."""

    def all(self, statement: Statement, **given: Any) -> list[Any]: ...

    def each(self, statement: Statement, **given: Any) -> Iterator[Any]:
        """Yields row by row: a table may be larger than the memory. Other statements may run meanwhile."""

    def nudge(self, gateway_id: str) -> None:
        """Sends this id, and nothing else, to the agent after the commit."""


class Database(Protocol):
    """Transactions that read one snapshot, and transactions that write. A write returns when it is durable, unless its caller waives that.

    A write raises Busy when nothing was stored. `on_nudge` is called after a commit with the gateways to look at.
    """

    on_nudge: Callable[[set[str]], None]

    def read(self, work: Callable[[Transaction], R]) -> R:
        """Runs `work` on one snapshot, in the calling thread."""

    def write(self, work: Callable[[Transaction], R], *, durable: bool = True) -> R:
        """Runs `work` in a transaction of its own. Not for the event loop's thread. With `durable` False it does not wait for the disk: a
        power cut may undo this write, and no earlier one.
        """

    async def read_soon(self, work: Callable[[Transaction], R]) -> R:
        """Runs `work` in another thread: for reads of many rows."""

    async def write_soon(self, work: Callable[[Transaction], R]) -> R:
        """Runs `work` and returns after its commit; several of them may share a commit."""

    def close(self) -> None: ...
