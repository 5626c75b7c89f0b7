"""Names of children and secrets, with fingerprints that say from which configuration each was made.

Pure. Invariant: a name reveals nothing of a secret, and two names are equal only when what they name is equal.
"""

import hmac
import json
from dataclasses import dataclass

from landbridge import model

#: A child's name has these four parts. A secret's name has the first and its fingerprint, and a third one, a number, after a change.
_CHILD_PARTS = 4
_SECRET_PARTS = 2
_PROOF, _PROBE = ".proof", "probe"
_TEMPLATE = "template-"
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def fingerprint(key: bytes, value: object) -> str:
    """12 hex digits of an HMAC over `value` (what JSON can hold), the same for every order of keys."""
    return hmac.digest(key, _JSON.encode(value).encode(), "sha256").hex()[:12]


@dataclass(frozen=True, slots=True)
class Child:
    """`<connection>.<rule>.<ike-fp>.<child-fp>`"""

    connection_id: str
    rule: str
    ike: str
    child: str

    def __str__(self) -> str:
        return f"{self.connection_id}.{self.rule}.{self.ike}.{self.child}"


def parse_child(name: str) -> Child | None:
    """None for a name that is not one of ours."""
    parts = name.split(".")
    return Child(*parts) if len(parts) == _CHILD_PARTS else None


def template_rule(parameters: str) -> str:
    """Stands for the rule in the child's name of a policy-template. `parameters`: the fingerprint of the child without its selectors."""
    return f"{_TEMPLATE}{parameters}"


def rule(name: str) -> str:
    """The index of the policy rule, from the name of a child; 0 for one without rules."""
    fingerprint = name.split(".")[1]
    return "0" if fingerprint.startswith(_TEMPLATE) else fingerprint


def secret(connection_id: str, key: bytes, owners: list[str], psk: model.Secret) -> str:
    return f"{connection_id}.{fingerprint(key, [owners, psk.reveal()])}"


def loaded_after(secret_id: str, unique_id: int) -> str:
    """The name of a secret that replaced another one when the IKE_SAs up to this unique id were there: they were made with another key.
    charon does not say when a secret was loaded.
    """
    return f"{secret_of(secret_id)}.{unique_id}"


def secret_of(name: str) -> str:
    """The name of a secret without the number."""
    return ".".join(name.split(".")[:_SECRET_PARTS])


def last_before(name: str) -> int:
    """The unique id of the last IKE_SA that was made before the secret was loaded; 0 when nothing is known of one."""
    parts = name.split(".")[_SECRET_PARTS:]
    return int(parts[0]) if parts else 0


def proof(connection_id: str) -> str:
    """The name of the IKE_SA that proves a key."""
    return f"{connection_id}{_PROOF}"


def child_probe(connection_id: str, ike: str) -> str:
    """The name of a CHILD_SA that asks a device what it takes. It carries nothing."""
    return str(Child(connection_id, _PROBE, ike, "0" * 12))


def is_probe(name: str) -> bool:
    parts = name.split(".")
    return len(parts) == _CHILD_PARTS and parts[1] == _PROBE


def identity_probe(connection_id: str) -> str:
    """The name of the charon connection that asks a device for its id or about phase 2, and of its IKE_SA. It differs from the name of the
    probed connection, so that log lines about a probe are not taken for its own.
    """
    return f"probe-{connection_id}"


def reauthentication(connection_id: str) -> str:
    """The name under which a reauthentication is remembered as tried."""
    return f"{connection_id}.reauthentication"


def rekey(unique_id: str) -> str:
    """The name under which the rekey of the CHILD_SA with this unique id is remembered as tried."""
    return f"{unique_id}.rekey"


def owner(name: str) -> str:
    """The id of the connection, from the name of a connection, a child or a secret."""
    return name.split(".", 1)[0]
