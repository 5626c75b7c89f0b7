"""The requests about the access keys of a project."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """A new key of the project. `role`: reader or admin."""

    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRef:
    """Names a key of the project."""

    access_key: str
