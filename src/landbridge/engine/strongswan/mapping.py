"""What must be loaded into charon for a desired gateway, and which connections this engine will not carry.

Pure: values in, VICI messages out. Every keyword was tried on strongSwan 5.9.8 in all combinations, with a ping. VICI checks
little (`version` 3 and an empty id pass), so whatever reaches it must be right already.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from landbridge import model
from landbridge.engine.strongswan import names

Net = ipaddress.IPv4Network
Message = dict[str, Any]

ENCRYPTION = {
    "aes-128": "aes128",
    "aes-192": "aes192",
    "aes-256": "aes256",
    "3des": "3des",
    "aes-128-gcm-16": "aes128gcm16",
    "aes-256-gcm-16": "aes256gcm16",
}
AUTHENTICATION = {"md5": "md5", "sha1": "sha1", "sha2-256": "sha256", "sha2-384": "sha384", "sha2-512": "sha512"}
GROUP = {
    "group1": "modp768",
    "group2": "modp1024",
    "group5": "modp1536",
    "group14": "modp2048",
    "group15": "modp3072",
    "group16": "modp4096",
    "group19": "ecp256",
    "group20": "ecp384",
    "group21": "ecp521",
}

NO_GM = "no packaged IKE daemon carries SM2/SM3/SM4"
NO_PSK = "the connection has no pre-shared key"
NO_SUBNETS = "there is no local or no peer subnet to make a traffic selector of"
NO_ROOM = "the userland data plane needs an address of its own in the local subnet {}, and it has none to spare"
NO_DEFAULT_ROUTE = "the userland data plane carries no default route (0.0.0.0/0): it has one device for all tunnels"


@dataclass(frozen=True, slots=True)
class Pair:
    """The traffic selectors of one CHILD_SA. `rule` is the policy rule's index, 0 without rules."""

    rule: int
    local: Net
    remote: Net

    @property
    def everything(self) -> bool:
        return self.local.prefixlen == 0 or self.remote.prefixlen == 0

    def overlaps(self, other: "Pair") -> bool:
        return self.local.overlaps(other.local) and self.remote.overlaps(other.remote)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What charon must hold for one connection. `children` are names, in the order of their selector pairs.

    `asked` are those of them that we bring up by ourselves. The pair of inner addresses is not among them unless the probe
    needs it: a device that was never told of a tunnel interface would refuse it for ever.
    """

    connection_id: str
    conn: Message
    children: tuple[str, ...]
    asked: tuple[str, ...]
    secret_id: str
    owners: tuple[str, ...]
    psk: model.Secret
    initiates: bool

    @property
    def ike(self) -> str:
        """The fingerprint that every child's name carries."""
        return self.children[0].split(".")[2]


def pairs(desired: model.DesiredGateway, wish: model.DesiredConnection) -> tuple[Pair, ...]:
    """The selector pairs of a connection, each once."""
    if wish.connection.style == "policy":
        found = list(_policy_pairs(wish.connection))
    else:
        found = list(_static_pairs(desired, wish.connection))
    return tuple({(pair.local, pair.remote): pair for pair in reversed(found)}.values())[::-1]


def _policy_pairs(connection: model.Connection) -> Iterator[Pair]:
    for rule in connection.policy_rules:
        for destination in rule.destinations:
            yield Pair(rule.index, _net(rule.source), _net(destination))


def _static_pairs(desired: model.DesiredGateway, connection: model.Connection) -> Iterator[Pair]:
    for local in local_subnets(desired):
        for peer in connection.peer_subnets or ():
            yield Pair(0, local, _net(peer))
    if connection.tunnel_local_address and connection.tunnel_peer_address:
        yield Pair(0, _host(connection.tunnel_local_address), _host(connection.tunnel_peer_address))


def _is_inner(connection: model.Connection, pair: Pair) -> bool:
    inner = connection.tunnel_local_address
    return connection.style == "static" and inner is not None and pair.local == _host(inner)


def local_subnets(desired: model.DesiredGateway) -> tuple[Net, ...]:
    """An er gateway names no subnets: its router's whole network is the local side."""
    subnets = desired.gateway.local_subnets or ((desired.network.cidr,) if desired.network.cidr else ())
    return tuple(_net(subnet) for subnet in subnets)


def refusals(desired: model.DesiredGateway) -> dict[str, str]:
    """Connection id -> why this engine does not carry it."""
    refused: dict[str, str] = {}
    taken, known = _Taken(), _Identities()
    for wish in sorted(desired.connections, key=lambda wish: (wish.connection.created_at, wish.id)):
        wanted = pairs(desired, wish) if wish.connection.style in ("static", "policy") else ()
        reason = _refusal(desired, wish, wanted) or taken.refusal(wanted) or known.refusal(wish)
        if reason:
            refused[wish.id] = reason
        else:
            taken.add(wish.id, wanted)
            known.add(wish)
    return refused


def _refusal(desired: model.DesiredGateway, wish: model.DesiredConnection, wanted: tuple[Pair, ...]) -> str | None:
    if desired.gateway.is_gm:
        return NO_GM
    if wish.connection.style not in ("static", "policy"):
        return f"connections of style {wish.connection.style} are not carried by this engine yet"
    if wish.psk is None:
        return NO_PSK
    if any(pair.everything for pair in wanted):
        return NO_DEFAULT_ROUTE
    if not wanted:
        return NO_SUBNETS
    return next((NO_ROOM.format(net) for net in _uncovered(desired, wish) if _is_full(net, wish.connection)), None)


def _is_full(net: Net, connection: model.Connection) -> bool:
    """Every address of a /31 or /32 may be a host's, which would lose its traffic to us. The inner tunnel address is ours."""
    inner = connection.tunnel_local_address
    return net.prefixlen >= 31 and not (inner and net == _host(inner))


class _Identities:
    """Pairs of identities in use: charon holds two IKE_SAs between the same two for a double and ends the older one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def add(self, wish: model.DesiredConnection) -> None:
        self._known[_folded(wish)] = wish.id

    def refusal(self, wish: model.DesiredConnection) -> str | None:
        other = self._known.get(_folded(wish))
        if other is None:
            return None
        local_id, peer_id = (identity.removeprefix("fqdn:") for identity in identities(wish))
        return f"IKE cannot tell it apart from connection {other}: both have local id {local_id} and peer id {peer_id}"


def _folded(wish: model.DesiredConnection) -> tuple[str, str]:
    """charon compares names without regard to case."""
    local_id, peer_id = identities(wish)
    return local_id.lower(), peer_id.lower()


class _Taken:
    """Selector pairs in use. One TUN carries all tunnels of a charon, so overlapping pairs would steal traffic.

    Indexed by the remote net and by every net around it: a look-up costs 33 probes, not one per pair of the gateway.
    """

    def __init__(self) -> None:
        self._exact: defaultdict[Net, list[tuple[str, Pair]]] = defaultdict(list)
        self._within: defaultdict[Net, list[tuple[str, Pair]]] = defaultdict(list)

    def add(self, connection_id: str, wanted: tuple[Pair, ...]) -> None:
        for pair in wanted:
            self._exact[pair.remote].append((connection_id, pair))
            for around in _around(pair.remote):
                self._within[around].append((connection_id, pair))

    def refusal(self, wanted: tuple[Pair, ...]) -> str | None:
        for pair in wanted:
            for connection_id, other in self._near(pair.remote):
                if pair.overlaps(other):
                    return f"the userland data plane cannot tell it apart from connection {connection_id}"
        return None

    def _near(self, remote: Net) -> Iterator[tuple[str, Pair]]:
        yield from self._exact.get(remote, ())
        yield from self._within.get(remote, ())
        for around in _around(remote):
            yield from self._exact.get(around, ())


def _around(net: Net) -> Iterator[Net]:
    while net.prefixlen:
        net = net.supernet()
        yield net


def wanted(desired: model.DesiredGateway, refused: Mapping[str, str]) -> tuple[Wanted, ...]:
    return tuple(_wanted(desired, wish) for wish in desired.connections if wish.id not in refused)


def _wanted(desired: model.DesiredGateway, wish: model.DesiredConnection) -> Wanted:
    if wish.psk is None:
        raise ValueError(f"connection {wish.id} has no PSK; it should have been refused")
    key = desired.fingerprint_key
    ike = ike_message(wish)
    ike_fingerprint = names.fingerprint(key, ike)
    children: Message = {}
    asked: list[str] = []
    for pair in pairs(desired, wish):
        child = child_message(wish.connection, pair)
        name = str(names.Child(wish.id, str(pair.rule), ike_fingerprint, names.fingerprint(key, child)))
        children[name] = child
        if wish.connection.enable_nqa or not _is_inner(wish.connection, pair):
            asked.append(name)
    owners = identities(wish)
    return Wanted(
        connection_id=wish.id,
        conn=ike | {"children": children},
        children=tuple(children),
        asked=tuple(asked) or tuple(children),
        secret_id=names.secret(wish.id, key, list(owners), wish.psk),
        owners=owners,
        psk=wish.psk,
        initiates=wish.peer_address is not None,
    )


def ike_message(wish: model.DesiredConnection) -> Message:
    """The IKE level of `load-conn`, without the children.

    charon puts a child into any IKE_SA whose configuration is equal, whatever its name: after a delete and a create of the
    same, the new child sat in the old connection's IKE_SA and went with it. The `if_id` keeps two connections unequal.
    """
    policy = wish.connection.ike_policy
    local_id, peer_id = identities(wish)
    message: Message = {
        "version": {"v1": "1", "v2": "2"}[policy.version],
        "local_addrs": [wish.local_address],
        "remote_addrs": [wish.peer_address or "%any"],
        "proposals": [ike_proposal(policy)],
        **_ike_lifetime(policy.lifetime_seconds),
        "dpd_delay": f"{policy.dpd.interval}s",
        "mobike": "no",
        "unique": "replace",
        "if_id_in": str(wish.if_id),
        "if_id_out": str(wish.if_id),
        "keyingtries": "0",
        "local": {"auth": "psk", "id": local_id},
        "remote": {"auth": "psk", "id": peer_id},
    }
    return message | (_v1_only(policy) if policy.version == "v1" else {})


def _v1_only(policy: model.IkePolicy) -> Message:
    """IKEv2 takes its retransmits from the daemon; `dpd_timeout` there has no effect (measured)."""
    return {
        "aggressive": "yes" if policy.negotiation_mode == "aggressive" else "no",
        "dpd_timeout": f"{policy.dpd.interval + 3 * policy.dpd.timeout}s",
    }


def _ike_lifetime(seconds: int) -> Message:
    """rekey + over is the hard limit, and that is what the API's lifetime says."""
    soft = seconds * 9 // 10
    return {
        "rekey_time": f"{soft}s",
        "over_time": f"{seconds - soft}s",
        "rand_time": f"{min(600, seconds // 20)}s",
        "reauth_time": "0s",
    }


def child_message(connection: model.Connection, pair: Pair) -> Message:
    seconds = connection.ipsec_policy.lifetime_seconds
    return {
        "local_ts": [str(pair.local)],
        "remote_ts": [str(pair.remote)],
        "esp_proposals": [esp_proposal(connection.ipsec_policy)],
        "mode": "tunnel",
        "rekey_time": f"{seconds * 9 // 10}s",
        "life_time": f"{seconds}s",
        "rand_time": f"{seconds // 20}s",
        "dpd_action": "restart",
        "start_action": "none",
        "close_action": "none",
    }


def identities(wish: model.DesiredConnection) -> tuple[str, str]:
    """Local and peer identity as VICI must read them, also as owners of the secret."""
    policy = wish.connection.ike_policy
    return (
        _identity(policy.local_id_type, policy.local_id, wish.local_address),
        _identity(policy.peer_id_type, policy.peer_id, wish.peer_address or "%any"),
    )


def _identity(kind: model.IdType | None, value: str | None, otherwise: str) -> str:
    """Without the prefix VICI reads `a@b` as an e-mail address, `c=de` as a DN and `10.1.2.3` as an address."""
    if value is None:
        return otherwise
    return f"fqdn:{value}" if kind == "fqdn" else value


def ike_proposal(policy: model.IkePolicy) -> str:
    """With GCM there is no integrity algorithm: the API's authentication algorithm becomes the PRF."""
    authentication = AUTHENTICATION[policy.authentication_algorithm]
    prefix = "prf" if "gcm" in policy.encryption_algorithm else ""
    return f"{ENCRYPTION[policy.encryption_algorithm]}-{prefix}{authentication}-{GROUP[policy.dh_group or '']}"


def esp_proposal(policy: model.IpsecPolicy) -> str:
    """With GCM the API's authentication algorithm has no meaning; `pfs` disable is no DH group."""
    parts = [ENCRYPTION[policy.encryption_algorithm]]
    if "gcm" not in policy.encryption_algorithm:
        parts.append(AUTHENTICATION[policy.authentication_algorithm])
    if policy.pfs not in (None, "disable"):
        parts.append(GROUP[policy.pfs or ""])
    return "-".join(parts)


def addresses(desired: model.DesiredGateway, carried: frozenset[str]) -> frozenset[tuple[str, str]]:
    """(link, address/prefix) of everything that the gateway's namespace must own.

    kernel-libipsec installs a child only when an address of this machine lies inside its local selector; otherwise *the
    peer* reads TS_UNACCEPTABLE. A net's own address serves where it is not a host's: a /31 or /32 was refused, but in a part
    of a wider subnet a host may have it, and does not get its traffic then.
    """
    leg = _leg(desired.network)
    found = {("wan", f"{endpoint.address}/32") for endpoint in desired.gateway.endpoints}
    if leg:
        found.add(("lan", str(leg)))
    for wish in desired.connections:
        if wish.id in carried:
            found |= {("lo", f"{net[0]}/32") for net in _uncovered(desired, wish)}
    return frozenset(found)


def _uncovered(desired: model.DesiredGateway, wish: model.DesiredConnection) -> Iterator[Net]:
    """Local selectors without the leg's address in them."""
    leg = _leg(desired.network)
    return (pair.local for pair in pairs(desired, wish) if leg is None or leg.ip not in pair.local)


def _leg(network: model.Network) -> ipaddress.IPv4Interface | None:
    """The gateway's own address in its network, where it has a leg there."""
    plugged = network.address and (network.bridge or network.interface)
    return ipaddress.IPv4Interface(network.address) if plugged else None


def leg_kind(network: model.Network) -> str | None:
    """What the inner leg hangs on, as a namespace shows it; None without a leg."""
    if network.bridge:
        return f"bridge {network.bridge}"
    return f"interface {network.interface}" if network.interface else None


def _net(text: str) -> Net:
    return ipaddress.IPv4Network(text, strict=False)


def _host(text: str) -> Net:
    """The single address of `169.254.56.225/30`."""
    return Net(f"{text.split('/', maxsplit=1)[0]}/32")
