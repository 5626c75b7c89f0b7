"""What is: an engine's report of one gateway, the same for every engine. It holds facts, never a status."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from landbridge.model.bgp import BgpSession
from landbridge.model.negotiation import Attempt
from landbridge.model.probe import ProbeResult
from landbridge.model.reachability import Reachability


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSa:
    """An installed CHILD_SA. SPIs are 8 hex digits; bytes and packets count since it was installed. `last_in_at`, `last_out_at`: the times of
    the last packet from the device and of the last one to it; None: there was none, or the engine does not know. All times are exact to
    about a second, and stay what they are at the next look at the same CHILD_SA.
    """

    rule: str
    local_ts: tuple[str, ...]
    remote_ts: tuple[str, ...]
    spi_in: str
    spi_out: str
    proposal: str
    bytes_in: int
    bytes_out: int
    packets_in: int
    packets_out: int
    installed_at: datetime
    last_in_at: datetime | None = None
    last_out_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The traffic of a connection over all its CHILD_SAs, since the agent began to look at the gateway. A rekey does not reset it, but what an
    SA carried between the last look and its rekey is missing. `rekeys`: CHILD_SAs that replaced one with the same selectors. `received_at`:
    the last look that found more packets from the device than the look before.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    packets_out: int = 0
    rekeys: int = 0
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWay:
    """Packets in one direction of a pair of traffic selectors, and none in the other, from the look at `since` to the look at `until`."""

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
    """`applied_generation`: the generation whose configuration is loaded whole; None while something is missing.

    `refused`: why the engine will not carry this connection, in the operator's words. `failure`: the step that went
    wrong at the last attempt. `ike_established` without children is phase 1 up, phase 2 not. `expected_children` is the
    number of CHILD_SAs of a tunnel that is wholly up; more than that is fine for the moment of a rekey. `missing_pairs`: pairs of
    subnets (`ours - theirs`) that no CHILD_SA carries whole while the tunnel is up. `routes`: blocks that lead into the tunnel now.
    `is_key_unproved`: the tunnel was made with another PSK than the one that is loaded, and no IKE_SA with this one stands yet.
    `configuration` names what is loaded now; `attempts` are the last ones, oldest first. `traffic` and `one_way_pairs` are counted by the source
    that the agent reports to. `refused_packets`: most packets first. `bgp`: the session of a connection of style bgp. `nqa` and `monitor`: the
    results of echoes through the tunnel and outside of it; None where none are sent. `daemon_died_at`: when the IKE daemon of the VPN gateway was
    started because the one before had ended by itself or did not answer; None after another start.
    """

    connection_id: str
    applied_generation: int | None = None
    refused: str | None = None
    failure: str | None = None
    ike_established: bool = False
    ike_proposal: str | None = None
    local_id: str | None = None
    peer_id: str | None = None
    peer_address: str | None = None
    waits_for_peer: bool = False
    is_key_unproved: bool = False
    expected_children: int = 0
    children: tuple[ChildSa, ...] = ()
    missing_pairs: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    configuration: str = ""
    attempts: tuple[Attempt, ...] = ()
    traffic: Traffic = Traffic()
    one_way_pairs: tuple[OneWay, ...] = ()
    refused_packets: tuple[RefusedPackets, ...] = ()
    bgp: BgpSession | None = None
    nqa: Reachability | None = None
    monitor: Reachability | None = None
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
    """`restarts`: how many that were asked for are done, the last one at `restarted_at`. `inner_addresses`: with their prefix
    length, where the gateway is plugged into networks behind it. `strangers`: the last attempts from addresses that no connection of
    their endpoint has, oldest first. `unknown_lines`: lines of the daemon that no rule knows, counted since Landbridge started.
    """

    restarts: int = 0
    restarted_at: datetime | None = None
    inner_addresses: tuple[str, ...] = ()
    strangers: tuple[Attempt, ...] = ()
    unknown_lines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at one gateway. `present` names every connection of which anything exists, desired or not. `probes`: those that are done
    and that the desired state does not know as done yet.
    """

    gateway_id: str
    seen_at: datetime
    exists: bool
    applied_generation: int | None
    failure: str | None
    present: frozenset[str]
    connections: tuple[ConnectionObservation, ...]
    gateway: GatewayReport = GatewayReport()
    probes: tuple[ProbeResult, ...] = ()
