"""The request of an operation that needs to know only the project."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmptyRequest:
    pass
