"""What charon holds for a gateway, read from its answers.

Pure. It holds what was read and judges nothing. An SA that charon calls `(unnamed)` has not been given to a connection yet.
"""

import functools
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from landbridge.engine.strongswan.ike import fingerprints
from landbridge.model import negotiation

UNNAMED = "(unnamed)"
#: The address of a peer that may come from anywhere.
ANY = "%any"

#: States of an SA that no longer counts: it only waits for the peer to confirm, or for its last packets.
DELETING = frozenset({"DELETING", "DELETED", "DESTROYING"})
INSTALLED = frozenset({"INSTALLED", "UPDATING", "REKEYING", "REKEYED"})
NEGOTIATING = frozenset({"CREATED", "CONNECTING"})
#: charon counts the ages of SAs in whole seconds, so that two of the same moment may differ by this.
ROUNDING = 1


@dataclass(frozen=True, slots=True)
class Child:
    """`silent_seconds`: since the last packet came out of it, `unused_seconds`: since the last one went into it; None: never."""

    name: str
    unique_id: str
    state: str
    local_ts: tuple[str, ...] = ()
    remote_ts: tuple[str, ...] = ()
    spi_in: str = ""
    spi_out: str = ""
    proposal: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    packets_out: int = 0
    installed_seconds: int = 0
    silent_seconds: int | None = None
    unused_seconds: int | None = None
    encapsulated: bool = False

    @property
    def live(self) -> bool:
        return self.state not in DELETING

    @property
    def installed(self) -> bool:
        return self.state in INSTALLED


@dataclass(frozen=True, slots=True)
class IkeSa:
    """`is_probed`: its device is being asked whether it lives, because nothing came from it for the DPD interval (IKEv2).
    `is_initiator`: we began it. `spis`: the initiator's and the responder's.
    """

    name: str
    unique_id: str
    state: str
    proposal: str | None = None
    local_id: str | None = None
    peer_id: str | None = None
    peer_address: str | None = None
    established_seconds: int = 0
    is_probed: bool = False
    is_initiator: bool = False
    spis: tuple[str, str] = ("", "")
    children: tuple[Child, ...] = ()

    @property
    def negotiating(self) -> bool:
        return self.state in NEGOTIATING

    @property
    def live(self) -> bool:
        return self.state not in DELETING

    @property
    def reauthenticated(self) -> bool:
        """Whether a CHILD_SA is older than the IKE_SA: a reauthentication of IKEv1 has moved it here."""
        return any(
            child.live and child.installed_seconds > self.established_seconds + ROUNDING for child in self.children
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeState:
    """What charon holds for a gateway, as it was read."""

    alive: bool = False
    #: False for a charon that runs and has not answered for a long time.
    answers: bool = True
    #: The number of restarts that had been requested when charon was last started, at `started_at`.
    restarts: int = 0
    started_at: datetime | None = None
    #: Whether charon was started because the charon before had ended or did not answer.
    died: bool = False
    #: Connection -> names of its children.
    conns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    sas: tuple[IkeSa, ...] = ()
    #: Children that were initiated moments ago.
    recently_initiated: frozenset[str] = frozenset()
    #: Unique id of an IKE_SA -> seconds since we sent the request that is not answered yet.
    unanswered: Mapping[str, float] = field(default_factory=dict)
    #: Connection -> its attempts.
    attempts: Mapping[str, tuple[negotiation.Attempt, ...]] = field(default_factory=dict)
    #: Attempts from addresses that no connection has.
    strangers: tuple[negotiation.Attempt, ...] = ()
    #: The number of log lines that no rule knows.
    unknown_lines: int = 0


def parse_conns(messages: list[dict[str, Any]]) -> dict[str, frozenset[str]]:
    """Reads `list-conns`: connection -> names of its children."""
    return {name: frozenset(conn.get("children", {})) for message in messages for name, conn in message.items()}


class Ends(NamedTuple):
    """Our addresses and the peer's, of a loaded connection."""

    local: frozenset[str]
    peer: frozenset[str]


def parse_ends(messages: list[dict[str, Any]]) -> dict[str, Ends]:
    """Reads `list-conns`: connection -> its ends."""
    return {
        name: Ends(*(frozenset(_texts(conn, key)) for key in ("local_addrs", "remote_addrs")))
        for message in messages
        for name, conn in message.items()
    }


def configuration(children: Iterable[str], secrets: Iterable[str]) -> str:
    """Identifies the loaded configuration of a connection: 12 hex digits of a hash over the names of its children and secrets. Empty when
    nothing is loaded.
    """
    names = sorted((*children, *map(fingerprints.secret_of, secrets)))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12] if names else ""


def by_connection(sas: Iterable[IkeSa]) -> defaultdict[str, list[IkeSa]]:
    by_name: defaultdict[str, list[IkeSa]] = defaultdict(list)
    for sa in sas:
        if sa.name != UNNAMED:
            by_name[sa.name].append(sa)
    return by_name


def parse_sas(messages: list[dict[str, Any]]) -> tuple[IkeSa, ...]:
    """Reads `list-sas`: the IKE SAs, oldest first."""
    parsed = [_ike_sa(name, sa) for message in messages for name, sa in message.items()]
    return tuple(sorted(parsed, key=lambda sa: int(sa.unique_id)))


def _ike_sa(name: str, sa: dict[str, Any]) -> IkeSa:
    return IkeSa(
        name=name,
        unique_id=_text(sa, "uniqueid") or "0",
        state=_text(sa, "state") or "",
        proposal=_proposal(sa) or None,
        local_id=_text(sa, "local-id"),
        peer_id=_text(sa, "remote-id"),
        peer_address=_text(sa, "remote-host"),
        established_seconds=_number(sa, "established"),
        is_probed=b"IKE_DPD" in sa.get("tasks-active", ()),
        is_initiator=_text(sa, "initiator") == "yes",
        spis=(_text(sa, "initiator-spi") or "", _text(sa, "responder-spi") or ""),
        children=tuple(_child(child) for child in sa.get("child-sas", {}).values()),
    )


def _child(sa: dict[str, Any]) -> Child:
    return Child(
        name=_text(sa, "name") or "",
        unique_id=_text(sa, "uniqueid") or "0",
        state=_text(sa, "state") or "",
        local_ts=tuple(ts.decode() for ts in sa.get("local-ts", ())),
        remote_ts=tuple(ts.decode() for ts in sa.get("remote-ts", ())),
        spi_in=_text(sa, "spi-in") or "",
        spi_out=_text(sa, "spi-out") or "",
        proposal=_proposal(sa),
        bytes_in=_number(sa, "bytes-in"),
        bytes_out=_number(sa, "bytes-out"),
        packets_in=_number(sa, "packets-in"),
        packets_out=_number(sa, "packets-out"),
        installed_seconds=_number(sa, "install-time"),
        silent_seconds=_seconds_ago(sa, "use-in"),
        unused_seconds=_seconds_ago(sa, "use-out"),
        encapsulated=_text(sa, "encap") == "yes",
    )


def _proposal(sa: dict[str, Any]) -> str:
    return _joined(*map(sa.get, ("encr-alg", "encr-keysize", "integ-alg", "prf-alg", "dh-group")))


@functools.lru_cache(maxsize=1 << 8)
def _joined(encryption: bytes | None, size: bytes | None, *rest: bytes | None) -> str:
    """As charon writes proposals in its log: `AES_CBC_128/HMAC_SHA2_256_128/MODP_3072`. Thousands of SAs have a few proposals."""
    parts = (b"_".join(filter(None, (encryption, size))), *rest)
    return b"/".join(filter(None, parts)).decode(errors="replace")


def _text(sa: dict[str, Any], key: str) -> str | None:
    value = sa.get(key)
    return value.decode(errors="replace") if value is not None else None


def _texts(conn: dict[str, Any], key: str) -> list[str]:
    return [value.decode(errors="replace") for value in conn.get(key, ())]


def _seconds_ago(sa: dict[str, Any], key: str) -> int | None:
    """Seconds since the last packet; None without one. charon subtracts the kernel's time of the packet from its own clock, as an unsigned
    number of 64 bits: 2^64 - 1 is a packet of this second.
    """
    return None if key not in sa else 0 if _number(sa, key) >= 1 << 63 else _number(sa, key)


def _number(sa: dict[str, Any], key: str) -> int:
    return int(sa.get(key, 0))
