"""The findings of rules in a request: a violation refuses it, a warning goes with its success."""

from dataclasses import dataclass
from typing import Any, Literal

#: What a change does to a tunnel. `none`: nothing; `applied`: only what is beside its SAs changes; `child`: its CHILD_SAs are negotiated anew; `ike`: its IKE_SA
#: and all its CHILD_SAs are.
TunnelEffect = Literal["none", "applied", "child", "ike"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request: where, what, and what is allowed instead.

    `field` is the path as the client wrote it (`ikepolicy.dpd.timeout`, `peer_subnets[2]`). `code` is the error code of
    the published table, where the table has a code for this violation.
    """

    field: str
    wrong: str
    allowed: str
    code: str = "VPN.0001"

    @property
    def message(self) -> str:
        """Returns what is wrong and what is allowed. A long value is shortened."""
        wrong = self.wrong if len(self.wrong) <= 160 else f"{self.wrong[:80]} … {self.wrong[-40:]}"
        return f"{wrong} (wanted: {self.allowed})"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 -- `model.Warning`, as an API calls what goes with a success
    """A warning about a request that is carried out: a weak choice, or a choice without the effect that it seems to have."""

    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a create or a change would do."""

    #: Why the request would be refused. With violations, the other fields are empty.
    violations: tuple[Violation, ...] = ()
    warnings: tuple[Warning, ...] = ()
    #: (id, name) of each connection whose tunnel would be negotiated anew.
    disturbed: tuple[tuple[str, str], ...] = ()
    #: What the change does to the tunnel of a connection, in sentences; empty for other resources.
    effect: str = ""
    #: The same, as a word.
    tunnel_effect: TunnelEffect | None = None
    #: The resource now.
    before: Any = None
    #: The resource after the change.
    after: Any = None
    #: Whether the change brings another pre-shared key.
    rekeys: bool = False


def is_at(field: str, path: str) -> bool:
    """Whether the field of a finding has this path, or is inside the field with this path."""
    return field == path or field.startswith((f"{path}[", f"{path}."))
