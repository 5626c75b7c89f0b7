"""The errors that cross rooms.

    LandbridgeError
    ├── Invalid        400 VPN.0001  the request breaks rules: carries every violation (all of one other code: that code)
    ├── InUse          400 VPN.0001  something depends on the resource: names the dependant
    ├── Repeated       400 VPN.0031  an idempotency token came back with another body, or too late for the same answer
    ├── Changed        412 VPN.0001  `If-Match` names another version of the resource than the present one
    ├── Deleting       425 VPN.0009  the resource is being deleted and cannot be changed
    ├── NotFound       404 VPN.0004  the resource in the path is not there (for this project)
    ├── Unauthenticated 401 APIGW.0301
    ├── Forbidden      403 VPN.0003
    ├── Busy           503 VPN.0030  nothing was stored; try again
    ├── ConfigError    (start-up)    a setting or the site file is wrong: names the place
    └── everything else is a fault of ours: 500 VPN.0002

The kinds are mapped to HTTP in one table, `wire.errors`.
"""

from landbridge.model import Violation

#: Violations that one answer lists, at most.
MAX_REPORTED = 100


class LandbridgeError(Exception):
    """Base of what we raise on purpose."""


class Invalid(LandbridgeError):
    """The request breaks at least one rule. The error lists the first 100 violations and counts the others."""

    def __init__(self, violations: list[Violation]) -> None:
        self.violations = violations[:MAX_REPORTED]
        more = [f"and {len(violations) - MAX_REPORTED} more"] if len(violations) > MAX_REPORTED else []
        super().__init__("; ".join([*map(str, self.violations), *more]))


class InUse(LandbridgeError):
    """The resource cannot go while another one depends on it."""


def in_use(resource: str, connection: tuple[str, str], number: int) -> InUse:
    """The error for a resource that `number` connections depend on. `connection`: the id and the name of one of them."""
    connection_id, name = connection
    more, first = (f" and {number - 1} more", "these connections") if number > 1 else ("", "this connection")
    return InUse(f"{resource} has connection {name} ({connection_id}){more} (delete {first} first)")


class Repeated(LandbridgeError):
    """The token was used before: with another body, or too long ago for the same answer."""


class Changed(LandbridgeError):
    """`If-Match` names another version than the present one: somebody else changed the resource."""


class Deleting(LandbridgeError):
    """A resource that is being deleted cannot be changed."""

    def __init__(self, resource: str) -> None:
        super().__init__(f"{resource} is being deleted")


class NotFound(LandbridgeError):
    """No such resource for this caller."""


class Unauthenticated(LandbridgeError):
    """The caller is not known, or the signature does not fit."""


class Forbidden(LandbridgeError):
    """The caller is known and may not do this."""


class Busy(LandbridgeError):
    """The store cannot take this write now, or too many requests of the same access key wait."""


class ConfigError(LandbridgeError):
    """A setting, a flag or the site file is wrong; the message names the place and what is allowed."""
