"""The texts of causes: one row for each code. Pure.

A row has placeholders and no values of a connection. `cause` fills them in, and adds the values of both sides and the detail.
docs/reference/causes.md has a section for each code.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from landbridge import model
from landbridge.model.cause import Side
from landbridge.status import device_settings

DIAL = "let the device initiate the tunnel: the responder sees the exact cause"
PROBE = "probe the device: POST {probe}"
PROBE_IDENTITY = "probe the device with identity true: POST {probe}"
DIAL_OR_PROBE = f"{DIAL}; or {PROBE}"
DIAL_OR_PROBE_IDENTITY = f"{DIAL}; or {PROBE_IDENTITY}"


@dataclass(frozen=True, slots=True)
class Text:
    """The texts of a code."""

    #: Who must change something.
    side: Side
    reason: str
    remedy: str
    #: The reason while the cause is one of several; None: `reason` after the word perhaps.
    uncertain: str | None = None
    #: How to find out which of several causes is the right one.
    decides: str | None = None
    #: The setting that differs whenever the cause is certain.
    differs: tuple[str, ...] = ()


TEXTS: Mapping[str, Text] = {
    # -- phase 1
    "ike_proposal_mismatch": Text(
        "either",
        "no phase 1 proposal fits both sides",
        "set the same {settings} in ikepolicy and in phase 1 of the device",
        "the device refused the phase 1 proposal, or has no connection for this address and IKE version",
        DIAL_OR_PROBE,
    ),
    "ike_version_mismatch": Text(
        "either",
        "the two sides use different IKE versions",
        "set ikepolicy.ike_version to the device's version, or the device's version to that of this connection",
        decides=DIAL_OR_PROBE,
        differs=("ike_version",),
    ),
    "ike_mode_mismatch": Text(
        "either",
        "the two sides use different IKEv1 modes (main and aggressive)",
        "set ikepolicy.phase1_negotiation_mode to the device's mode, or the device's mode to that of this connection",
        decides=DIAL_OR_PROBE,
        differs=("phase1_negotiation_mode",),
    ),
    "no_connection_on_device": Text(
        "device",
        "the device has no connection for the address of this endpoint",
        "on the device, set the remote address to that of this endpoint ({endpoint}) and enable its connection",
        decides=DIAL_OR_PROBE,
    ),
    "psk_mismatch": Text(
        "either",
        "the pre-shared keys of the two sides differ",
        "set the same psk on this connection and on the device; a space at its end is part of it",
        decides=DIAL,
    ),
    "psk_missing_on_device": Text(
        "device",
        "the device has no pre-shared key for this connection's identities",
        "on the device, set the psk for the remote id {local_id} and the local id {peer_id}",
        decides=DIAL,
    ),
    "local_id_mismatch": Text(
        "either",
        "the device expects another id of the VPN gateway than local_id",
        "set ikepolicy.local_id (and local_id_type) to the id that the device expects, or its remote id to {local_id}",
        decides=DIAL,
    ),
    "peer_id_mismatch": Text(
        "either",
        "the device identifies itself with another id than peer_id",
        "set ikepolicy.peer_id (and peer_id_type) to the device's id, or its local id to {peer_id}",
        decides=DIAL_OR_PROBE_IDENTITY,
    ),
    "authentication_method_mismatch": Text(
        "device",
        "the device authenticates by another method than a pre-shared key",
        "on the device, set the authentication of both sides to a pre-shared key, without EAP and XAuth",
        decides=DIAL,
    ),
    "identity_or_psk_refused": Text(
        "either",
        "the device refused the id of the VPN gateway or the pre-shared key, and does not say which",
        "compare psk, local_id and peer_id on both sides",
        "the device refused the id of the VPN gateway or the pre-shared key, and does not say which",
        DIAL_OR_PROBE_IDENTITY,
    ),
    # -- the network between both sides
    "no_answer": Text(
        "network",
        "the device does not answer",
        "check that {address} is the device's address, that the device is running, and that UDP port 500 is open between both",
        decides=PROBE,
    ),
    "udp_4500_blocked": Text(
        "network",
        "packets to UDP port 500 arrive, packets to UDP port 4500 do not",
        "open UDP port 4500 in both directions between {endpoint} and {address}",
        "the device answers on UDP port 500 and not on UDP port 4500",
        "check on the device whether packets to UDP port 4500 arrive",
    ),
    "answer_lost": Text(
        "network",
        "the packets of the device arrive, but our answers do not reach it",
        "open UDP ports 500 and 4500 from {endpoint} to {address}, and check the route between them",
        decides="check on the device whether packets from {endpoint} arrive",
    ),
    "our_firewall": Text(
        "operator",
        "the machine of the VPN gateway blocks outgoing packets",
        "check the firewall and the routes of the machine that the VPN gateway runs on",
    ),
    # -- phase 2
    "esp_proposal_mismatch": Text(
        "either",
        "no phase 2 proposal fits both sides (phase 1 is up)",
        "set the same {settings} in ipsecpolicy and in phase 2 of the device",
        "the device refused phase 2 without a reason: proposal or subnets differ",
        DIAL_OR_PROBE,
    ),
    "selectors_mismatch": Text(
        "either",
        "the subnets of the two sides do not fit (phase 1 is up)",
        "set subnets that mirror each other: the local subnets here are the device's remote subnets, the peer subnets here its local ones",
        decides=DIAL_OR_PROBE,
    ),
    "selectors_narrowed": Text(
        "either",
        "the device carries only a part of the subnets",
        "compare the subnets of both sides: the device may not know all pairs; then reset the connection",
    ),
    "selectors_partly": Text(
        "either",
        "only some of the traffic selector pairs are up",
        "compare the subnets of both sides: the device may not know all pairs",
    ),
    # -- after it was up
    "device_disconnects": Text(
        "device",
        "the device ends the tunnel as soon as it is up",
        "read in the device's log why it deletes the tunnel; often a second connection or a policy on the device does not match",
    ),
    "device_deleted": Text(
        "device",
        "the device ended the tunnel",
        "check on the device whether its connection was changed, disabled or restarted",
    ),
    "device_disabled": Text(
        "device",
        "the device ended the tunnel and accepts no new one",
        "on the device, enable the connection again or undo the change: this connection was up with the same values before",
    ),
    "peer_dead": Text(
        "device",
        "the device stopped answering while the tunnel was up",
        "check that the device is running and that {address} is reachable",
    ),
    "rekey_refused": Text(
        "either",
        "the device refused to renew the keys",
        "compare ipsecpolicy, first its pfs, and the lifetimes with those of the device",
    ),
    "duplicate_sa": Text(
        "device",
        "SAs of the same identities replace each other",
        "find the second device, or the second connection of this device, with the same ids, and give it ids of its own",
    ),
    "nqa_no_answer": Text(
        "device",
        "the tunnel is established, and the device's tunnel address does not answer echoes through it (enable_nqa)",
        "on the device, give the tunnel interface the address tunnel_peer_address, and let it answer ICMP echo requests from tunnel_local_address;"
        " or set enable_nqa to false",
    ),
    # -- who dials
    "unknown_peer": Text(
        "either",
        "a device dials from an address that no customer gateway has",
        "if it is this connection's device, create a customer gateway with that address and set cgw_id of this connection to it"
        " (the address of a customer gateway cannot be changed); or let the device dial from {address}",
        decides="compare that address with the device's outer address",
    ),
    "wrong_endpoint": Text(
        "device",
        "the device dials the other endpoint of the VPN gateway",
        "on the device, set the remote address to that of this endpoint ({endpoint}), or give this connection the other endpoint",
    ),
    "dial_in_id_mismatch": Text(
        "either",
        "a device dials in with an id that this connection does not expect",
        "if it is this connection's device, set its local id to {peer_id}, or set ikepolicy.peer_id to that id",
        decides="compare that id with the device's local id",
    ),
    "waiting_for_device": Text(
        "device",
        "waiting for the device, which has no fixed address and must dial in as {peer_id}",
        "on the device, set IKE{version}, the remote address to that of this endpoint ({endpoint}) and the local id to {peer_id}",
    ),
    # -- BGP through a tunnel that is up
    "bgp_asn_mismatch": Text(
        "either",
        "the ASN of one side of the BGP session is not the one that the other side expects",
        "set bgp_asn of the customer gateway to the device's ASN, and on the device the ASN of the neighbour {inner} to that of the VPN gateway",
    ),
    "bgp_refused": Text(
        "device",
        "the device does not accept BGP (TCP port 179) at its tunnel address {peer_inner}",
        "on the device, enable BGP with the neighbour {inner}, the ASN {asn} and the source address {peer_inner}",
    ),
    "bgp_no_answer": Text(
        "device",
        "nothing answers BGP (TCP port 179) at the device's tunnel address {peer_inner}",
        "on the device, set the tunnel address {peer_inner}, let TCP port 179 in from {inner}, and remove a TCP MD5 password",
    ),
    "bgp_shutdown_by_device": Text(
        "device",
        "the device ended the BGP session",
        "on the device, enable the neighbour {inner}, or read in its log why it ended the session",
    ),
    "bgp_bfd_down": Text(
        "network",
        "BFD found that the path to the device's tunnel address is cut",
        "check the path between both sides; on the device, check that BFD is enabled for {inner} and let UDP port 3784 in (4784 with the userland data plane)",
    ),
    "bgp_hold_timer": Text(
        "network",
        "the hold timer ended the BGP session",
        "check the path between both sides for lost packets, and that the device is not overloaded",
    ),
    "bgp_path_mtu": Text(
        "network",
        "the BGP session is established and ended by the hold timer again and again, without a route: large packets do not pass",
        "lower the MTU or clamp the TCP MSS on the device's tunnel interface",
        decides="send large packets through the tunnel, such as pings of 1300 bytes that must not be fragmented",
    ),
    "bgp_too_many_routes": Text(
        "device",
        "the device announces more routes than this connection accepts",
        "on the device, announce fewer routes, for example summaries; the service opens the session again within 5 minutes",
    ),
    "bgp_no_routes": Text(
        "device",
        "the BGP session is established, and the device announces no route",
        "on the device, announce its networks: each needs a route to it, and some devices announce nothing without a policy for eBGP",
    ),
    "bgp_routes_filtered": Text(
        "device",
        "the VPN gateway does not accept all routes that the device announces",
        "on the device, announce only its own networks: no default route without 0.0.0.0/0 in peer_subnets, no reserved block, no subnet of the VPN"
        " gateway, and with the userland data plane only networks within peer_subnets",
    ),
    "bgp_no_path": Text(
        "operator",
        "the machine of the VPN gateway has no route or no interface to the device's tunnel address",
        "the operator must correct the machine of the gateway; the device is not the reason",
    ),
    "bgp_unknown_fault": Text(
        "either",
        "the BGP session failed for a reason that this service does not know",
        "look for the line in the device's log, and compare the BGP settings of both sides",
    ),
    # -- the rest
    "data_plane_failure": Text(
        "operator",
        "the data plane of the gateway could not install the tunnel",
        "the operator must correct the machine of the gateway; the device is not the reason",
    ),
    "unknown_refusal": Text(
        "either",
        "refused for a reason that this service does not know",
        "look for the line in the device's log, and compare all values of both sides",
        "refused for a reason that this service does not know",
        DIAL,
    ),
    "negotiating": Text(
        "either", "negotiating, nothing has been refused yet", "wait for the end of the negotiation, some seconds"
    ),
    "daemon_restarted": Text(
        "operator",
        "the IKE daemon of the VPN gateway had ended or did not answer, and was started again",
        "wait for the end of the negotiation, some seconds; when it happens again, the operator must look into the daemon's log",
    ),
    # -- warnings about a tunnel that is up
    "nothing_comes_back": Text(
        "device",
        "packets go into the tunnel and none comes back",
        "on the device, check the route to the local subnets, its firewall, and the host behind it",
    ),
    "nothing_goes_out": Text(
        "connection",
        "packets come out of the tunnel and none goes in",
        "check routes and security groups of the network behind this gateway: its hosts do not answer through the gateway",
    ),
    "device_route_missing": Text(
        "device",
        "the device has no route to a destination of packets that come out of the tunnel",
        "on the device, add the route to the destination, or take its network out of the peer subnets of this connection",
        "the device has no route to a destination of packets that come out of the tunnel, or that host is off",
        "ping the host from the device",
    ),
    "device_firewall": Text(
        "device",
        "a firewall behind the tunnel refuses packets",
        "on the device, allow packets from the local subnets of this connection to the destination",
    ),
    "path_mtu": Text(
        "network",
        "large packets do not pass",
        "set the MTU of the device's tunnel interface to the size that passes, or its TCP MSS to 40 bytes less",
    ),
    "monitor_no_answer": Text(
        "network",
        "the device's outer address does not answer the echoes of the connection monitor",
        "let {address} answer ICMP echo requests from {endpoint}, or delete the monitor; the tunnel does not need them",
    ),
    "new_psk_refused": Text(
        "device",
        "the device refuses the new pre-shared key",
        "set the new psk on the device, or set the old one on this connection again",
    ),
    "key_not_proved": Text(
        "either",
        "no authentication has proved yet that the device has the present pre-shared key",
        "wait, since the service tries the key where that is possible; or reset the connection when an interruption is allowed",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholders:
    """The values of a text's placeholders: the addresses of the device and of the endpoint, both ids and the IKE version of the
    connection. `probe`: the path of its probes. `inner`, `peer_inner`: the tunnel addresses of the VPN gateway and of the device. `asn`: that
    of the VPN gateway. `device`: the family of the device (`device_settings`), None when it is not known.
    """

    address: str = "the device's address"
    endpoint: str = "the endpoint's address"
    local_id: str = "local_id"
    peer_id: str = "peer_id"
    version: str = "v2"
    probe: str = "/landbridge/v1/PROJECT_ID/vpn-connections/ID/probe"
    inner: str = "the VPN gateway's tunnel address"
    peer_inner: str = "the device's tunnel address"
    asn: str = "the VPN gateway's ASN"
    device: str | None = None


def cause(
    code: str,
    *,
    placeholders: Placeholders = Placeholders(),
    is_certain: bool = True,
    side: Side | None = None,
    ours: str | None = None,
    theirs: str | None = None,
    differs: tuple[str, ...] = (),
    detail: str | None = None,
    reason: str | None = None,
    remedy: str | None = None,
    evidence: tuple[model.Evidence, ...] = (),
) -> model.Cause:
    """A cause with its texts. `detail` and the values of both sides are added to the reason. `side` and `remedy` replace those of the table;
    `reason` is the whole reason.
    """
    text = TEXTS[code]
    differs = differs or (text.differs if is_certain else ())
    settings = " and ".join(differs) or _ALL_SETTINGS.get(code, "the settings")
    names = dataclasses.asdict(placeholders) | {"settings": settings}
    short = _reason(text, is_certain=is_certain).format_map(names)
    place = device_settings.setting(placeholders.device, code)
    return model.Cause(
        code=code,
        side=side or text.side,
        is_certain=is_certain,
        reason=reason or _join(": ", short, _details(detail, ours, theirs)),
        remedy=_join("; on ", remedy or text.remedy.format_map(names), place),
        ours=ours,
        theirs=theirs,
        differs=differs,
        decides=None if is_certain or text.decides is None else text.decides.format_map(names),
        evidence=evidence,
    )


_ALL_SETTINGS = {
    "ike_proposal_mismatch": "encryption_algorithm, authentication_algorithm and dh_group",
    "esp_proposal_mismatch": "encryption_algorithm, authentication_algorithm and pfs",
}


def _reason(text: Text, *, is_certain: bool) -> str:
    return text.reason if is_certain else text.uncertain or f"perhaps {text.reason}"


def _details(detail: str | None, ours: str | None, theirs: str | None) -> str:
    our_value = None if ours is None else f"this connection: {ours}"
    their_value = None if theirs is None else f"the device: {theirs}"
    return _join("; ", detail, our_value, their_value)


def _join(separator: str, *parts: str | None) -> str:
    return separator.join(part for part in parts if part)
