"""The names of the settings of device families that a cause is about. Pure.

A family has the names that `peerconfig` prints for it. A device belongs to a family when the name or a tag of its customer gateway has
the family's name as a word.
"""

import re
from collections.abc import Iterable, Mapping

#: Codes of causes, in the order of the columns of `_SETTINGS`.
TOPICS = (
    "ike_proposal_mismatch",
    "ike_version_mismatch",
    "psk_mismatch",
    "peer_id_mismatch",
    "local_id_mismatch",
    "esp_proposal_mismatch",
    "selectors_mismatch",
    "no_connection_on_device",
)
#: Codes whose setting is that of another code.
_SAME_SETTING = {
    "ike_mode_mismatch": "ike_version_mismatch",
    "psk_missing_on_device": "psk_mismatch",
    "new_psk_refused": "psk_mismatch",
    "identity_or_psk_refused": "psk_mismatch",
    "dial_in_id_mismatch": "peer_id_mismatch",
    "rekey_refused": "esp_proposal_mismatch",
    "selectors_narrowed": "selectors_mismatch",
    "selectors_partly": "selectors_mismatch",
    "wrong_endpoint": "no_connection_on_device",
    "bgp_no_answer": "bgp_refused",
    "bgp_shutdown_by_device": "bgp_refused",
    "bgp_routes_filtered": "bgp_no_routes",
}
_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "strongswan": (
        "proposals",
        "version and aggressive",
        "secret in the section secrets",
        "id in the section local",
        "id in the section remote",
        "esp_proposals of the child",
        "local_ts and remote_ts of the child",
        "remote_addrs",
    ),
    "libreswan": (
        "ike=",
        "ikev2= and aggressive=",
        "the PSK line in ipsec.secrets",
        "leftid=",
        "rightid=",
        "esp= and pfs=",
        "leftsubnet= and rightsubnet=",
        "right=",
    ),
    "cisco": (
        "crypto ikev2 proposal (IKEv1: crypto isakmp policy)",
        "set ikev2-profile (IKEv1: set isakmp-profile) of the IPsec profile",
        "pre-shared-key of the keyring",
        "identity local of the profile",
        "match identity remote of the profile",
        "crypto ipsec transform-set, and set pfs of the IPsec profile",
        "the access list of the crypto map, or the tunnel mode",
        "tunnel destination, and address of the keyring",
    ),
    "fortigate": (
        "proposal and dhgrp of phase1-interface",
        "ike-version and mode of phase1-interface",
        "psksecret of phase1-interface",
        "localid and localid-type of phase1-interface",
        "peertype and peerid of phase1-interface",
        "proposal, pfs and dhgrp of phase2-interface",
        "src-subnet and dst-subnet of phase2-interface",
        "remote-gw of phase1-interface",
    ),
    "routeros": (
        "/ip ipsec profile",
        "exchange-mode of /ip ipsec peer",
        "secret of /ip ipsec identity",
        "my-id of /ip ipsec identity",
        "remote-id of /ip ipsec identity",
        "/ip ipsec proposal",
        "src-address and dst-address of /ip ipsec policy",
        "address of /ip ipsec peer",
    ),
    "vyos": (
        "ike-group proposal",
        "ike-group key-exchange and mode",
        "authentication psk secret",
        "authentication local-id of the peer",
        "authentication remote-id of the peer",
        "esp-group proposal and pfs",
        "local prefix and remote prefix of the peer's tunnel",
        "remote-address of the peer",
    ),
    "pfsense": (
        "P1: Encryption Algorithm, Hash, DH Group",
        "P1: Key Exchange version, Negotiation mode",
        "P1: Pre-Shared Key",
        "P1: My identifier",
        "P1: Peer identifier",
        "P2: Encryption Algorithms, Hash Algorithms, PFS key group",
        "P2: Local Network, Remote Network",
        "P1: Remote Gateway",
    ),
    "opnsense": (
        "Connections: Proposals",
        "Connections: Version, Aggressive",
        "Pre-Shared Keys",
        "Local Authentication: Id",
        "Remote Authentication: Id",
        "Children: ESP proposals",
        "Children: Local, Remote",
        "Connections: Remote addresses",
    ),
    "huawei": (
        "ike proposal",
        "version and exchange-mode of ike peer",
        "pre-shared-key of ike peer",
        "local-id and local-id-type of ike peer",
        "remote-id and remote-id-type of ike peer",
        "ipsec proposal, and pfs of the ipsec profile or policy",
        "the acl of the ipsec policy",
        "remote-address of ike peer",
    ),
}
#: Codes of causes of a BGP session, in the order of the columns of `_BGP_SETTINGS`.
BGP_TOPICS = (
    "bgp_asn_mismatch",
    "bgp_refused",
    "bgp_hold_timer",
    "bgp_bfd_down",
    "bgp_too_many_routes",
    "bgp_no_routes",
)
_BGP_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "frr": (
        "router bgp, and neighbor remote-as",
        "neighbor remote-as and update-source",
        "neighbor timers",
        "neighbor bfd",
        "neighbor maximum-prefix",
        "network, a route to it, and a policy (or no bgp ebgp-requires-policy)",
    ),
    "bird": (
        "local … as, and neighbor … as",
        "protocol bgp: local and neighbor",
        "hold time and keepalive time",
        "bfd, and protocol bfd",
        "receive limit of the channel",
        "export of the channel, and a route of protocol static or kernel",
    ),
    "cisco": (
        "router bgp, and neighbor remote-as",
        "neighbor remote-as and update-source",
        "neighbor timers",
        "neighbor fall-over bfd",
        "neighbor maximum-prefix",
        "network … mask, and a route to it",
    ),
    "fortigate": (
        "set as, and remote-as of config neighbor",
        "config router bgp: config neighbor",
        "holdtime-timer and keep-alive-timer of config neighbor",
        "bfd of config neighbor and of the tunnel interface",
        "maximum-prefix of config neighbor",
        "config network, and a route to it",
    ),
    "vyos": (
        "protocols bgp system-as, and neighbor remote-as",
        "protocols bgp neighbor",
        "neighbor timers",
        "neighbor bfd",
        "neighbor address-family ipv4-unicast maximum-prefix",
        "address-family ipv4-unicast network, a route to it, and a route map",
    ),
    "pfsense": (
        "FRR BGP: Local AS, and Remote AS of the neighbor",
        "FRR BGP: Neighbors",
        "Neighbors: Timers",
        "Neighbors: BFD",
        "Neighbors: Maximum Prefix",
        "FRR BGP: Networks to Distribute, and a route map in Peer Filtering",
    ),
    "opnsense": (
        "Routing BGP: BGP AS Number, and Remote AS of the neighbor",
        "Routing BGP: Neighbors",
        "Neighbors: Keepalive, Hold Time",
        "Neighbors: BFD",
        "Neighbors: Maximum Prefix",
        "Routing BGP: Network, and a prefix list of the neighbor",
    ),
    "huawei": (
        "bgp, and peer as-number",
        "peer as-number and connect-interface",
        "peer timer keepalive hold",
        "peer bfd enable",
        "peer route-limit",
        "network, and a route to it",
    ),
}
#: Other names of a family.
_NAMES = {"fortinet": "fortigate", "mikrotik": "routeros", "netgate": "pfsense", "swanctl": "strongswan"}


def family(texts: Iterable[str]) -> str | None:
    """The first family whose name is a word of one of the texts."""
    for text in texts:
        for word in re.split("[^a-z]+", text.lower()):
            name = _NAMES.get(word, word)
            if name in _SETTINGS or name in _BGP_SETTINGS:
                return name
    return None


def setting(device: str | None, code: str) -> str | None:
    """The setting of a family that the code is about. None: it is not known."""
    topic = _SAME_SETTING.get(code, code)
    for topics, settings in ((TOPICS, _SETTINGS), (BGP_TOPICS, _BGP_SETTINGS)):
        if topic in topics and device is not None and device in settings:
            return f"{device}: {settings[device][topics.index(topic)]}"
    return None
