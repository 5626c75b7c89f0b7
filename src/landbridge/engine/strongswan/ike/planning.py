"""Plans the ordered steps from what charon holds to what it must hold.

Pure. Invariants: only a change of its own connection ends an SA. New configuration is loaded before old configuration is unloaded, except
for the secret of a connection.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from landbridge import model
from landbridge.engine.strongswan.ike import (
    fingerprints,
    key_proof,
    messages,
    moved_children,
    pfs_proof,
    redundant_sas,
    state,
    steps,
)

#: Seconds without a new SA, after which a device that dials in is thought to have asked for all that it asks for. When both ends
#: ask at once, charon makes some CHILD_SAs twice, and pluto is stuck for a minute: its window of messages is lost (measured). A first
#: quick mode may be lost, and comes again after 4 seconds.
SETTLING = 10
#: Seconds that the second or a later message of a negotiation may wait for its answer. A device deletes an unfinished negotiation (strongSwan
#: after 30 s) and then ignores its messages, even when the path is open again. charon alone would repeat them for 3 minutes.
NEGOTIATION_TIMEOUT = 25.0


def plan_connections(
    configs: Iterable[messages.DesiredConfig],
    psks: Mapping[str, model.Secret],
    current: state.IkeState,
    *,
    prove_pfs: bool = False,
) -> Iterator[steps.IkeStep]:
    """`psks`: by connection id. `prove_pfs`: tunnels of IKEv2 are rekeyed early. Connections without an SA are initiated last: while a thousand come up, loads and
    initiations that take turns wait for each other.
    """
    last: list[steps.IkeStep] = []
    secrets = by_owner(sorted(current.secrets))
    sas = state.by_connection(current.sas)
    for position, config in enumerate(configs):
        proof = fingerprints.proof(config.connection_id)
        if proof in current.conns and not any(sa.live for sa in sas[proof]):
            yield steps.UnloadConn(proof)
        spec_id = config.connection_id
        own = ConnectionState(
            position if prove_pfs else None, psks[spec_id], secrets[spec_id], sas[spec_id], sas[proof]
        )
        for step in _connection(config, current, own):
            if isinstance(step, steps.Initiate) and not own.sas:
                last.append(step)
            else:
                yield step
    yield from last


def plan_deletions(kept: Collection[str], current: state.IkeState) -> Iterator[steps.IkeStep]:
    """`kept`: ids of the connections that stay."""
    secrets, sas = by_owner(sorted(current.secrets)), state.by_connection(current.sas)
    kept = {*kept, *map(fingerprints.proof, kept)}
    for connection_id in sorted({*current.conns, *secrets, *sas}.difference(kept)):
        yield from _deletion(connection_id, current, secrets[connection_id], sas[connection_id])


def by_owner(secret_ids: Iterable[str]) -> defaultdict[str, list[str]]:
    names: defaultdict[str, list[str]] = defaultdict(list)
    for secret_id in secret_ids:
        names[fingerprints.owner(secret_id)].append(secret_id)
    return names


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """One connection's PSK, and what charon holds of the connection. `position`: of the connection in its gateway, None where its PFS need not be
    proved. `proofs`: the IKE_SAs that try its key.
    """

    position: int | None
    psk: model.Secret
    secrets: list[str]
    sas: list[state.IkeSa]
    proofs: list[state.IkeSa]


def _connection(
    config: messages.DesiredConfig, current: state.IkeState, own: ConnectionState
) -> Iterator[steps.IkeStep]:
    """Before something is loaded anew, IKE_SAs that are being negotiated end, since they began with the old configuration. IKE_SAs
    without children end too, since nothing says which configuration they were made from. Both end before the load, so that an
    interrupted plan finds the old configuration still loaded and does the same again. Two keys of one connection must never meet: a
    responder would sign with either.
    """
    secrets, sas = own.secrets, own.sas
    present = [secret for secret in secrets if fingerprints.secret_of(secret) == config.secret_id]
    is_changed = current.conns.get(config.connection_id) != frozenset(config.children)
    loads = is_changed or not present or present != secrets
    unfinished = [
        sa for sa in sas if loads and (sa.negotiating or (sa.live and not any(child.live for child in sa.children)))
    ]
    dead = [sa for sa in sas if sa not in unfinished and _is_dead(sa, config, current)]
    rest = [sa for sa in sas if sa.live and sa not in unfinished and sa not in dead]
    outdated = [sa for sa in rest if _is_outdated(sa, config)]
    kept = [sa for sa in rest if sa not in outdated]
    yield from (_terminate(sa) for sa in unfinished)
    if not present:
        present = [key_proof.new_name(config, kept)]
        yield from (steps.UnloadSecret(config.connection_id, secret) for secret in secrets)
        yield steps.LoadSecret(config.connection_id, present[0], config.owners, own.psk)
    else:
        yield from (steps.UnloadSecret(config.connection_id, secret) for secret in secrets if secret not in present)
    if is_changed:
        yield steps.LoadConn(config.connection_id, config.conn)
    yield from (steps.AbandonIke(sa.name, sa.unique_id) for sa in dead)
    yield from (_terminate(sa) for sa in outdated)
    tried = frozenset() if loads else current.recently_initiated
    children = [*_stale_children(config, kept), *_initiations(config, kept, tried)]
    yield from children
    if (
        not is_changed and not children
    ):  # a reauthentication asks for the children of before: it would lose what is being changed
        keys = key_proof.keys(config, present, kept)
        yield from key_proof.plan(keys, own.psk, own.proofs, tried)
        redundant = () if keys.unproved else tuple(redundant_sas.plan(config, kept))
        yield from redundant
        yield from moved_children.plan(config, kept, tried)
        if own.position is not None and not redundant:
            yield from pfs_proof.plan(config, own.position, kept, tried)


def _is_outdated(sa: state.IkeSa, config: messages.DesiredConfig) -> bool:
    """Whether any child says that the IKE_SA was made from another configuration."""
    return any(_ike_part(child.name) != config.ike for child in sa.children if child.live)


def _ike_part(name: str) -> str | None:
    child = fingerprints.parse_child(name)
    return child.ike if child else None


def _is_dead(sa: state.IkeSa, config: messages.DesiredConfig, current: state.IkeState) -> bool:
    left = _seconds_left(sa, config, current)
    return left is not None and left <= 0


def _seconds_left(sa: state.IkeSa, config: messages.DesiredConfig, current: state.IkeState) -> float | None:
    """Seconds until the IKE_SA is given up unless the device sends something. None: no request waits for an answer. A packet from a CHILD_SA
    shows that the device is alive, even when a request waits for its answer. A request that was sent before the DPD interval was over, such
    as a rekey, also waits for the rest of the interval. In IKEv1 charon counts the time itself after the first CHILD_SA is up.
    """
    owed = current.unanswered.get(sa.unique_id)
    if owed is None or not sa.live:
        return None
    if sa.negotiating or config.is_v1:
        return None if any(child.installed for child in sa.children) else NEGOTIATION_TIMEOUT - owed
    silent = (child.silent_seconds for child in sa.children if child.silent_seconds is not None)
    within = config.answer_within + (0 if sa.is_probed else config.dpd_interval)
    return within - min((owed, *silent))


def _terminate(sa: state.IkeSa) -> steps.TerminateIke:
    return steps.TerminateIke(sa.name, sa.unique_id)


def _stale_children(config: messages.DesiredConfig, sas: list[state.IkeSa]) -> Iterator[steps.IkeStep]:
    for sa in sas:
        for child in sa.children:
            if child.live and not config.keeps(child):
                yield steps.TerminateChild(config.connection_id, child.unique_id, child.name)


def _initiations(
    config: messages.DesiredConfig, sas: list[state.IkeSa], recently_initiated: frozenset[str]
) -> Iterator[steps.IkeStep]:
    """A device without an address dials in. It may ask for all its subnets in one CHILD_SA, which charon narrows to the first pair,
    so we initiate the other pairs through the IKE_SA that the device has made.
    """
    if any(sa.negotiating for sa in sas) or not (config.initiates or _has_settled(sas)):
        return
    for child in _lacking(config, sas):
        if child not in recently_initiated:
            yield steps.Initiate(config.connection_id, child)


def _lacking(config: messages.DesiredConfig, sas: list[state.IkeSa]) -> list[str]:
    up = {child.name for sa in sas for child in sa.children if child.live}
    return [child for child in config.initiated if child not in up]


def _has_settled(sas: list[state.IkeSa]) -> bool:
    """Whether a device that has dialled in asks for no more by itself."""
    return bool(sas) and all(_quiet_seconds(sa) >= SETTLING for sa in sas)


def _quiet_seconds(sa: state.IkeSa) -> int:
    return min((sa.established_seconds, *(child.installed_seconds for child in sa.children)))


def due_observations(
    configs: Iterable[messages.DesiredConfig], current: state.IkeState, *, prove_pfs: bool = False
) -> Iterator[float]:
    """Seconds until the observations that are due because of the time: a device that has dialled in may still ask for more pairs, a device that does
    not answer becomes dead, PFS is proved some seconds after a tunnel came up, an SA that exists twice is ended when it is old enough, and what a
    reauthentication of IKEv1 moved is rekeyed.
    """
    sas = state.by_connection(current.sas)
    for position, config in enumerate(configs):
        held_sas = sas[config.connection_id]
        if not config.initiates and _may_ask(config, held_sas):
            yield SETTLING
        yield from redundant_sas.due_observations(config, held_sas)
        yield from moved_children.due_observations(config, held_sas)
        if prove_pfs:
            yield from pfs_proof.due_observations(config, position, held_sas)
        yield from (left for sa in held_sas if (left := _seconds_left(sa, config, current)) is not None and left > 0)


def _may_ask(config: messages.DesiredConfig, sas: list[state.IkeSa]) -> bool:
    live = [sa for sa in sas if sa.live]
    return bool(live) and not _has_settled(live) and bool(_lacking(config, live))


def _deletion(
    connection_id: str, current: state.IkeState, secrets: list[str], sas: list[state.IkeSa]
) -> Iterator[steps.IkeStep]:
    """An SA outlives its unloaded connection and rekeys; so each SA is terminated by its own id."""
    if connection_id in current.conns:
        yield steps.UnloadConn(connection_id)
    yield from (_terminate(sa) for sa in sas if sa.live)
    yield from (steps.UnloadSecret(connection_id, secret_id) for secret_id in secrets)
