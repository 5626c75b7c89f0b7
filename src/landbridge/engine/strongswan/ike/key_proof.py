"""Finds out whether the IKE_SAs were made with the key that is loaded, and plans the steps that prove a new key. Pure.

A new PSK does not affect an IKE_SA that is up, and IKEv2 never asks for the key again. So the engine proves it at once. The old IKE_SA stays up
until a new one is established (docs/decisions/0043):

- IKEv2: a reauthentication. charon makes the new IKE_SA first and leaves the old one alone when the new one is refused.
- IKEv1: charon moves the children to the new IKE_SA before it is authenticated, and loses them when it is refused. So the key is tried
  with an IKE_SA of its own without children, and the reauthentication follows when that one stands.
  The IKE_SA of the trial stays until the key is proved: the device may have moved the children to it, and would delete them with it.

Until a new secret is proved, its name has the number of the last IKE_SA that was there when it was loaded.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from landbridge import model
from landbridge.engine.strongswan.ike import fingerprints, messages, state, steps


@dataclass(frozen=True)
class Keys:
    """The secrets of one connection that hold the desired key, and its IKE_SAs."""

    config: messages.DesiredConfig
    held: tuple[str, ...]
    sas: tuple[state.IkeSa, ...]

    @cached_property
    def last_before(self) -> int:
        """The unique id of the last IKE_SA that was made with another key than the one that is loaded; 0: none is known."""
        return max(map(fingerprints.last_before, self.held), default=0)

    @cached_property
    def unproved(self) -> tuple[state.IkeSa, ...]:
        """The IKE_SAs with an older key that are up, while none with the present key is."""
        if self.last_before == 0:
            return ()
        established = tuple(sa for sa in self.sas if sa.live and not sa.negotiating)
        return established if all(map(self._is_older, established)) else ()

    def _is_older(self, sa: state.IkeSa) -> bool:
        """IKEv2 rekeys an IKE_SA without asking for the key: the new one has another unique id, and children that are older than it."""
        is_rekeyed = not self.config.is_v1 and any(
            child.installed_seconds > sa.established_seconds + state.ROUNDING
            for child in sa.children
            if child.installed
        )
        return int(sa.unique_id) <= self.last_before or is_rekeyed


def keys(config: messages.DesiredConfig, secrets: Iterable[str], sas: Iterable[state.IkeSa]) -> Keys:
    held_secrets = tuple(secret for secret in secrets if fingerprints.secret_of(secret) == config.secret_id)
    return Keys(config, held_secrets, tuple(sas))


def new_name(config: messages.DesiredConfig, sas: Iterable[state.IkeSa]) -> str:
    """The name of a secret that is loaded now, for the first time."""
    up = [int(sa.unique_id) for sa in sas if sa.live and not sa.negotiating]
    return fingerprints.loaded_after(config.secret_id, max(up)) if up else config.secret_id


def plan(
    keys: Keys, psk: model.Secret, proofs: Iterable[state.IkeSa], recently_tried: frozenset[str]
) -> Iterator[steps.IkeStep]:
    """`proofs`: the IKE_SAs that try the key."""
    trying = [sa for sa in proofs if sa.live]
    yield from _rename(keys, psk)
    if not keys.unproved:
        yield from _end(keys, trying)
    elif any(sa.negotiating for sa in keys.sas):
        return
    elif keys.config.is_v1:
        yield from _prove_v1(keys, trying, recently_tried)
    else:
        yield from _reauthenticate(keys, recently_tried)


def _rename(keys: Keys, psk: model.Secret) -> Iterator[steps.IkeStep]:
    """A key that is proved loses the number of its secret, and one that is not gets the number of the IKE_SA that a rekey made. The key stays
    the same: the new name is loaded before the old one goes.
    """
    if not keys.last_before:
        return
    config, name = keys.config, keys.config.secret_id
    if keys.unproved:
        last = max(int(sa.unique_id) for sa in keys.unproved)
        name = fingerprints.loaded_after(name, max(last, keys.last_before))
    if name not in keys.held:
        yield steps.LoadSecret(config.connection_id, name, config.owners, psk)
    yield from (steps.UnloadSecret(config.connection_id, secret) for secret in keys.held if secret != name)


def _prove_v1(keys: Keys, trying: list[state.IkeSa], recently_tried: frozenset[str]) -> Iterator[steps.IkeStep]:
    """A device that dials in is tried at the address that it came from. Behind a NAT it cannot be reached there, and proves the key when it
    dials in next.
    """
    config, name = keys.config, fingerprints.proof(keys.config.connection_id)
    address = keys.unproved[-1].peer_address
    if any(not sa.negotiating for sa in trying):
        yield from _reauthenticate(keys, recently_tried)
    elif (config.initiates or address) and name not in recently_tried:
        yield from _end(keys, trying)
        conn = {key: value for key, value in config.conn.items() if key != "children"} | {"unique": "never"}
        yield steps.ProveKey(
            config.connection_id, name, conn if config.initiates else conn | {"remote_addrs": [address]}
        )


def _reauthenticate(keys: Keys, recently_tried: frozenset[str]) -> Iterator[steps.IkeStep]:
    if fingerprints.reauthentication(keys.config.connection_id) not in recently_tried:
        yield steps.Reauthenticate(keys.config.connection_id, keys.unproved[-1].unique_id)


def _end(keys: Keys, trying: list[state.IkeSa]) -> Iterator[steps.IkeStep]:
    return (steps.TerminateIke(keys.config.connection_id, sa.unique_id) for sa in trying)
