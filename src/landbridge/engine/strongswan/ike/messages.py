"""Makes the VICI messages that load a desired gateway into charon.

Pure. Every keyword was tried on strongSwan 5.9.8 in all combinations, with a ping. VICI checks little (`version` 3 and an empty id pass),
so whatever reaches it must be right already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from landbridge import model
from landbridge.engine.strongswan.ike import fingerprints, selectors, state
from landbridge.model import strongswan_proposals

Message = dict[str, Any]

#: The number of dead peer detection requests, `dpd.timeout` apart, after which a device is dead (docs/decisions/0042).
DPD_TRIES = 3

#: What charon does with the CHILD_SAs of a dead device: the planner dials. charon's own restart (5.9.8) may give two CHILD_SAs of IKEv1 one reqid, and
#: their packets one of both SAs. The names do not cover it: those of released versions have "restart".
_ENDED_BY_DPD = {"dpd_action": "clear"}


@dataclass(frozen=True, slots=True)
class DesiredConfig:
    """What charon must hold for one connection, without the PSK."""

    connection_id: str
    conn: Message
    #: Names, in the order of their selector pairs.
    children: tuple[str, ...]
    #: The children that we initiate. The pair of inner addresses is left out unless the probe needs it: a device
    #: without a tunnel interface would always refuse that pair.
    initiated: tuple[str, ...]
    secret_id: str
    owners: tuple[str, ...]
    initiates: bool
    #: Seconds of silence after which the device is asked whether it is alive.
    dpd_interval: int
    #: Seconds that the device then has to answer.
    answer_within: int
    #: A connection of style policy-template. It initiates nothing: its device asks for any number of CHILD_SAs of the
    #: one child.
    by_template: bool = False

    def keeps(self, child: state.Child) -> bool:
        """Whether a CHILD_SA has the desired parameters and selectors. A change may have made the selectors of a policy-template wider or narrower:
        a CHILD_SA whose selectors lie in the desired ones is kept.
        """
        if not self.by_template:
            return child.name in self.children
        ours = fingerprints.parse_child(self.children[0])
        made = fingerprints.parse_child(child.name)
        allowed = self.conn["children"][self.children[0]]
        return (
            ours is not None
            and made is not None
            and (ours.rule, ours.ike) == (made.rule, made.ike)
            and bool(child.local_ts and child.remote_ts)
            and selectors.is_within(child.local_ts, allowed["local_ts"])
            and selectors.is_within(child.remote_ts, allowed["remote_ts"])
        )

    @property
    def is_v1(self) -> bool:
        return bool(self.conn["version"] == "1")

    @property
    def ike(self) -> str:
        """The fingerprint that every child's name carries."""
        return self.children[0].split(".")[2]


def desired_configs(
    desired: model.DesiredGateway, refused: Mapping[str, str], pairs_of: selectors.PairsOf
) -> tuple[DesiredConfig, ...]:
    return tuple(
        _config(desired.fingerprint_key, spec, pairs_of[spec.id])
        for spec in desired.connections
        if spec.id not in refused
    )


def _config(key: bytes, spec: model.DesiredConnection, subnet_pairs: tuple[selectors.Pair, ...]) -> DesiredConfig:
    """A reset gives the same configuration a new name, so that SAs with the old name are outdated."""
    if spec.psk is None:
        raise ValueError(f"connection {spec.id} has no PSK; it should have been refused")
    ike = ike_message(spec)
    ike_fingerprint = fingerprints.fingerprint(key, [ike, spec.resets] if spec.resets else ike)
    by_template = spec.connection.style == "policy-template"
    children: Message = {}
    initiated: list[str] = []
    for pairs in selectors.children(spec.connection, subnet_pairs):
        child = child_message(spec.connection, *pairs)
        rule = _template_rule(key, child) if by_template else str(pairs[0].rule)
        name = str(fingerprints.Child(spec.id, rule, ike_fingerprint, fingerprints.fingerprint(key, child)))
        children[name] = child | _ENDED_BY_DPD
        if spec.connection.enable_nqa or not selectors.is_inner(spec.connection, pairs[0]):
            initiated.append(name)
    owners = identities(spec)
    return DesiredConfig(
        connection_id=spec.id,
        conn=ike | {"children": children},
        children=tuple(children),
        initiated=() if by_template else tuple(initiated) or tuple(children),
        secret_id=fingerprints.secret(spec.id, key, list(owners), spec.psk),
        owners=owners,
        initiates=spec.peer_address is not None,
        dpd_interval=spec.connection.ike_policy.dpd.interval,
        answer_within=_answer_within(spec.connection.ike_policy.dpd),
        by_template=by_template,
    )


def _template_rule(key: bytes, child: Message) -> str:
    parameters = {name: value for name, value in child.items() if name not in ("local_ts", "remote_ts")}
    return fingerprints.template_rule(fingerprints.fingerprint(key, parameters))


def ike_message(spec: model.DesiredConnection) -> Message:
    """The IKE level of `load-conn`, without the children.

    charon puts a child into any IKE_SA with an equal configuration, whatever the name of the IKE_SA is. After a delete and a create of the same
    connection, the new child was in the old connection's IKE_SA and ended with it. So the `if_id` makes two connections unequal.
    """
    policy = spec.connection.ike_policy
    local_id, peer_id = identities(spec)
    message: Message = {
        "version": {"v1": "1", "v2": "2"}[policy.version],
        "local_addrs": [spec.behind or spec.local_address],
        "remote_addrs": [spec.peer_address or "%any"],
        "proposals": [strongswan_proposals.ike_proposal(policy)],
        **_ike_lifetime(policy.lifetime_seconds),
        "dpd_delay": f"{policy.dpd.interval}s",
        "mobike": "no",
        "unique": "replace",
        "if_id_in": str(spec.if_id),
        "if_id_out": str(spec.if_id),
        "keyingtries": "0",
        "local": {"auth": "psk", "id": local_id},
        "remote": {"auth": "psk", "id": peer_id},
    }
    return message | (_v1_only(policy) if policy.version == "v1" else {})


def _v1_only(policy: model.IkePolicy) -> Message:
    """`dpd_timeout` counts from the last packet that came. It has no effect in IKEv2 (measured): `planning` ends a dead IKE_SA there."""
    return {
        "aggressive": "yes" if policy.negotiation_mode == "aggressive" else "no",
        "dpd_timeout": f"{policy.dpd.interval + _answer_within(policy.dpd)}s",
    }


def _answer_within(dpd: model.Dpd) -> int:
    return DPD_TRIES * dpd.timeout


def _ike_lifetime(seconds: int) -> Message:
    """The API's lifetime is charon's hard limit: rekey_time + over_time."""
    soft = seconds * 9 // 10
    return {
        "rekey_time": f"{soft}s",
        "over_time": f"{seconds - soft}s",
        "rand_time": f"{min(600, seconds // 20)}s",
        "reauth_time": "0s",
    }


def child_message(connection: model.Connection, *pairs: selectors.Pair) -> Message:
    """The pairs are all pairs of their local and their remote subnets."""
    seconds = connection.ipsec_policy.lifetime_seconds
    return {
        "local_ts": list(dict.fromkeys(str(pair.local) for pair in pairs)),
        "remote_ts": list(dict.fromkeys(str(pair.remote) for pair in pairs)),
        "esp_proposals": [strongswan_proposals.esp_proposal(connection.ipsec_policy)],
        "mode": "tunnel",
        "rekey_time": f"{seconds * 9 // 10}s",
        "life_time": f"{seconds}s",
        "rand_time": f"{seconds // 20}s",
        "dpd_action": "clear" if connection.style == "policy-template" else "restart",
        "start_action": "none",
        "close_action": "none",
    }


def identities(spec: model.DesiredConnection) -> tuple[str, str]:
    """Local and peer identity as VICI must read them, also as owners of the secret."""
    policy = spec.connection.ike_policy
    return (
        _identity(policy.local_id_type, policy.local_id, spec.local_address),
        _identity(policy.peer_id_type, policy.peer_id, spec.peer_address or "%any"),
    )


def _identity(kind: model.IdType | None, value: str | None, otherwise: str) -> str:
    """Without the prefix VICI reads `a@b` as an e-mail address, `c=de` as a DN and `10.1.2.3` as an address."""
    if value is None:
        return otherwise
    return f"fqdn:{value}" if kind == "fqdn" else value
