"""A mark of what pages about a project show. A page with the same mark has not changed."""

from landbridge.store import change_marks
from landbridge.store.database import Transaction


def find(tx: Transaction, project_id: str) -> tuple[int, ...]:
    return change_marks.find(tx, project_id)
