"""Quotas: how many resources of a kind a project may have, and has."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """`limit`: None where no quota is set."""

    kind: str
    limit: int | None
    used: int
