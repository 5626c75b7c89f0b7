"""The observed state: what an engine reports of one gateway. It is the same for every engine. It holds facts, never a status."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from landbridge.model.bgp import BgpSession
from landbridge.model.negotiation import Attempt
from landbridge.model.probe import ProbeResult
from landbridge.model.reachability import Reachability


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSa:
    """An installed CHILD_SA. Times are exact to about a second, and the same at every observation of the same CHILD_SA."""

    rule: str
    local_ts: tuple[str, ...]
    remote_ts: tuple[str, ...]
    #: SPIs are 8 hex digits.
    spi_in: str
    spi_out: str
    proposal: str
    #: Bytes and packets are counted since the installation.
    bytes_in: int
    bytes_out: int
    packets_in: int
    packets_out: int
    installed_at: datetime
    #: The time of the last packet from the device; None when there was none, or when the engine does not know.
    last_in_at: datetime | None = None
    #: The time of the last packet to the device; None as for `last_in_at`.
    last_out_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The traffic of a connection over all its CHILD_SAs, since the agent began to look at the gateway. A rekey does not reset it, but what an
    SA carried between the last observation and its rekey is missing. `rekeys`: CHILD_SAs that replaced one with the same selectors. `received_at`:
    the last observation that found more packets from the device than the observation before.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    packets_out: int = 0
    rekeys: int = 0
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWay:
    """Packets in one direction of a pair of traffic selectors, and none in the other, from the observation at `since` to the one at `until`."""

    direction: Literal["in", "out"]
    local_ts: tuple[str, ...]
    remote_ts: tuple[str, ...]
    packets: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPackets:
    """Packets that went into the tunnel to `destination`, and that `reporter` (the device, or a router behind it) answered with ICMP destination
    unreachable of this code (RFC 792, RFC 1812). The last one was at most two minutes ago.
    """

    reporter: str
    destination: str
    code: int
    packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionObservation:
    """What an engine observed of one connection."""

    connection_id: str
    #: The generation whose whole configuration is loaded; None while a part is missing.
    applied_generation: int | None = None
    #: Why the engine does not carry this connection, in the operator's words.
    refused: str | None = None
    #: The step that failed in the last cycle.
    failure: str | None = None
    #: True without `children`: phase 1 is up and phase 2 is not.
    ike_established: bool = False
    ike_proposal: str | None = None
    local_id: str | None = None
    peer_id: str | None = None
    peer_address: str | None = None
    waits_for_peer: bool = False
    #: The tunnel was made with another PSK than the one that is loaded, and no IKE_SA with the loaded PSK is up yet.
    is_key_unproved: bool = False
    #: The number of CHILD_SAs of a tunnel that is completely up. During a rekey there may be more.
    expected_children: int = 0
    children: tuple[ChildSa, ...] = ()
    #: Pairs of subnets (`ours - theirs`) that no CHILD_SA carries as a whole while the tunnel is up.
    missing_pairs: tuple[str, ...] = ()
    #: Blocks that lead into the tunnel now.
    routes: tuple[str, ...] = ()
    #: The identifier of the configuration that is loaded now.
    configuration: str = ""
    #: The last attempts, oldest first.
    attempts: tuple[Attempt, ...] = ()
    #: The source that the agent reports to counts this and `one_way_pairs`.
    traffic: Traffic = Traffic()
    one_way_pairs: tuple[OneWay, ...] = ()
    #: Most packets first.
    refused_packets: tuple[RefusedPackets, ...] = ()
    #: The session of a connection of style bgp.
    bgp: BgpSession | None = None
    #: The results of echoes through the tunnel; None when none are sent.
    nqa: Reachability | None = None
    #: The results of echoes outside of the tunnel; None when none are sent.
    monitor: Reachability | None = None
    #: When the IKE daemon was started because the daemon before had ended by itself or did not answer; None after any
    #: other start.
    daemon_died_at: datetime | None = None

    @property
    def state(self) -> str:
        """The part of the observation that decides the status. When it differs from the stored one, the status changes."""
        if self.refused is not None:
            return "refused"
        carries = self.children and not self.is_path_dead and (self.bgp is None or self.bgp.carries)
        return "up" if carries else "down"

    @property
    def is_path_dead(self) -> bool:
        """Whether NQA says that the tunnel leads nowhere, although it is established."""
        return bool(self.children) and self.nqa is not None and self.nqa.state == "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayReport:
    """What an engine reports of a gateway as a whole."""

    #: The number of requested restarts that are done.
    restarts: int = 0
    #: The time of the last restart.
    restarted_at: datetime | None = None
    #: The addresses that the gateway has in the networks behind it, with their prefix length.
    inner_addresses: tuple[str, ...] = ()
    #: The last attempts from addresses that no connection of their endpoint has, oldest first.
    strangers: tuple[Attempt, ...] = ()
    #: The number of log lines that no rule knows, since the start of Landbridge.
    unknown_lines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One observation of one gateway."""

    gateway_id: str
    seen_at: datetime
    exists: bool
    applied_generation: int | None
    failure: str | None
    #: Ids of all connections of which anything exists, desired or not.
    present: frozenset[str]
    connections: tuple[ConnectionObservation, ...]
    gateway: GatewayReport = GatewayReport()
    #: Finished probes that the desired state does not have as finished yet.
    probes: tuple[ProbeResult, ...] = ()
