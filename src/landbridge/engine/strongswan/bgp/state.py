"""What a gateway's BIRD runs and knows. Pure: it holds what was read and judges nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from landbridge import model


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpState:
    """`started`: BIRD was started and not stopped since: if it is not alive, it has died. `answers` is False for one that is alive and does not
    answer. `fingerprint`: of the configuration that it runs. `sessions` and `routes`: by the names of their protocols; `routes` has all routes
    that the filter of the session accepted.
    """

    alive: bool = False
    started: bool = False
    answers: bool = True
    fingerprint: str = ""
    sessions: Mapping[str, model.BgpSession] = field(default_factory=dict)
    routes: Mapping[str, tuple[model.BgpRoute, ...]] = field(default_factory=dict)

    def prefixes(self, name: str) -> frozenset[str]:
        """The accepted prefixes of the session with this name (CIDR)."""
        return frozenset(route.prefix for route in self.routes.get(name, ()))
