"""The source of a node's agent: the gateways, the desired state of a gateway, the paused gateways, and the function that takes reports.

These functions run in a transaction, as the operations of the API do. Their caller is an agent, not a client.
"""

import dataclasses
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from landbridge import model
from landbridge.operations import sampler, site_cover, status_changes, steady_times, traffic
from landbridge.store import connections, gateways, observations, pauses, probes
from landbridge.store.database import Database, Transaction
from landbridge.store.vault import Vault

log = logging.getLogger(__name__)


def list_gateways(tx: Transaction) -> frozenset[str]:
    """Ids of all gateways, deleting ones included."""
    return frozenset(gateways.ids(tx))


def list_paused(tx: Transaction) -> frozenset[str | None]:
    """Ids of the paused gateways; None among them: all are paused."""
    return frozenset(pauses.list_all(tx))


def desired(
    tx: Transaction, gateway_id: str, *, site: model.Site, vault: Vault, fingerprint_key: bytes
) -> model.DesiredGateway | None:
    """The desired state of the whole gateway, with decrypted PSKs. None: nothing of the gateway may remain."""
    row = gateways.find_any(tx, gateway_id)
    if row is None or row.deleting:
        return None
    network_id = row.gateway.network_id or ""
    eips = tuple(eip for eip in map(site.eip_at, (e.address for e in row.gateway.endpoints)) if eip)
    behind = {eip.address: eip.behind for eip in eips}
    addresses: dict[int, str] = {endpoint.number: endpoint.address for endpoint in row.gateway.endpoints}
    return model.DesiredGateway(
        gateway=row.gateway,
        generation=row.generation,
        network=site.network(network_id) or model.Network(id=network_id),
        connections=_connections(tx, row.seq, vault, addresses, behind),
        fingerprint_key=fingerprint_key,
        eips=eips,
        restarts=row.restarts,
        uncovered=site_cover.uncovered(tx, row.gateway, site),
    )


def _connections(
    tx: Transaction, gateway_seq: int, vault: Vault, addresses: dict[int, str], behind: dict[str, str | None]
) -> tuple[model.DesiredConnection, ...]:
    orders = probes.of_gateway(tx, gateway_seq)
    specs = (_connection(row, vault, addresses, behind) for row in connections.desired(tx, gateway_seq))
    return tuple(
        dataclasses.replace(spec, probe=recorded.order, probed=recorded.probed, path_checked=recorded.path_checked)
        if (recorded := orders.get(spec.id))
        else spec
        for spec in specs
    )


def _connection(
    row: connections.DesiredRow, vault: Vault, addresses: dict[int, str], behind: dict[str, str | None]
) -> model.DesiredConnection:
    psk = None if row.psk is None else model.Secret(vault.open(row.psk, row.connection.id).decode())
    local_address = addresses[row.connection.endpoint]
    return model.DesiredConnection(
        connection=row.connection,
        generation=row.generation,
        psk=psk,
        local_address=local_address,
        peer_address=row.customer_gateway.address_for(row.connection.style),
        peer_asn=row.customer_gateway.bgp_asn,
        if_id=row.if_id,
        simulate=row.simulate,
        behind=behind.get(local_address),
        resets=row.resets,
    )


def report(tx: Transaction, observation: model.Observation) -> observations.RecordResult:
    """Stores what an agent observed. `observation.connections` are those that changed since the agent's last report."""
    return observations.record(tx, observation)


class StoreSource:
    """The source of an agent in the process that has the store. A report writes only the connections that changed since the last one, and
    does not wait for the disk: after a power cut the agent observes again.

    `desired` is the function of this module with the node's site file and keys; `beat` is called when the agent observes all gateways.
    `unseen_after`: the time between two observations after which no sample has what a connection carried.
    """

    def __init__(
        self,
        database: Database,
        desired: Callable[[Transaction, str], model.DesiredGateway | None],
        site: model.Site,
        beat: Callable[[], None],
        unseen_after: timedelta,
    ) -> None:
        self._database = database
        self._desired = desired
        self._site = site
        self._reported: dict[str, dict[str, model.ConnectionObservation]] = {}
        self._seen_at: dict[str, datetime] = {}
        self._strangers: dict[str, tuple[model.Attempt, ...]] = {}
        self._causes = status_changes.StaleCauses()
        self._log = status_changes.StatusLog()
        self._sampler = sampler.Sampler(database, unseen_after)
        self.beat = beat

    def gateways(self) -> frozenset[str]:
        """It also forgets the reports of gateways that are gone."""
        gateway_ids = self._database.read(list_gateways)
        for memory in (self._reported, self._seen_at, self._strangers):
            for gateway_id in memory.keys() - gateway_ids:
                memory.pop(gateway_id, None)
        self._causes.keep(gateway_ids)
        self._sampler.keep(gateway_ids)
        return gateway_ids

    def paused(self) -> frozenset[str | None]:
        return self._database.read(list_paused)

    def desired(self, gateway_id: str) -> model.DesiredGateway | None:
        return self._database.read(lambda tx: self._desired(tx, gateway_id))

    def report(self, observation: model.Observation) -> None:
        known = self._reported.pop(observation.gateway_id, None)
        before = (
            known
            if known is not None
            else {connection.connection_id: connection for connection in observation.connections}
        )
        last_seen_at = self._seen_at.get(observation.gateway_id, observation.seen_at)
        counted = [
            _with_traffic_and_times(before.get(connection.connection_id), connection, observation.seen_at, last_seen_at)
            for connection in observation.connections
        ]
        changed = tuple(
            connection for connection in counted if known is None or known.get(connection.connection_id) != connection
        )
        news = dataclasses.replace(
            observation,
            connections=tuple(
                _with_new_attempts(connection, (known or {}).get(connection.connection_id)) for connection in changed
            ),
            gateway=dataclasses.replace(
                observation.gateway,
                strangers=_new(observation.gateway.strangers, self._strangers.pop(observation.gateway_id, ())),
            ),
        )
        recorded = self._database.write(lambda tx: report(tx, news), durable=False)
        reported = self._reported[observation.gateway_id] = {
            connection.connection_id: connection for connection in counted
        }
        self._seen_at[observation.gateway_id] = observation.seen_at
        self._strangers[observation.gateway_id] = observation.gateway.strangers
        stale = self._causes.find(dataclasses.replace(news, connections=tuple(counted)))
        judged = {connection.connection_id: connection for connection in (*changed, *stale)}
        self._try_keep_changes(dataclasses.replace(observation, connections=tuple(judged.values())), recorded)
        self._sampler.note(observation.gateway_id, known or {}, reported, last_seen_at, observation.seen_at)
        self._sampler.flush_when_due()

    def close(self) -> None:
        """Stores the samples that wait for the next write."""
        self._sampler.flush()

    def _try_keep_changes(self, observation: model.Observation, recorded: observations.RecordResult) -> None:
        """Stores and logs changes of statuses. It ranks causes outside of the transaction that writes, since that takes time. It only logs an
        error: the observation is stored already, and the agent continues.
        """
        try:
            self._keep_changes(observation, recorded)
        except Exception:
            log.exception("gateway %s: changes of statuses could not be kept", observation.gateway_id)

    def _keep_changes(self, observation: model.Observation, recorded: observations.RecordResult) -> None:
        status_rows = self._database.read(lambda tx: status_changes.find(tx, self._site, observation, recorded))
        self._causes.note(observation.gateway_id, status_rows)
        changes = [change for change in status_rows if change.is_news]
        if changes:
            self._database.write(lambda tx: status_changes.keep(tx, observation, changes), durable=False)
        for change in changes:
            self._log.write(change)


def _with_traffic_and_times(
    before: model.ConnectionObservation | None, now: model.ConnectionObservation, at: datetime, last_seen_at: datetime
) -> model.ConnectionObservation:
    """Adds to the observation `now` the values that need several observations."""
    return traffic.count(before, steady_times.keep(before, now), at, last_seen_at)


def _with_new_attempts(
    observation: model.ConnectionObservation, before: model.ConnectionObservation | None
) -> model.ConnectionObservation:
    """Removes the attempts that the last report had."""
    return dataclasses.replace(observation, attempts=_new(observation.attempts, before.attempts if before else ()))


def _new(attempts: tuple[model.Attempt, ...], before: tuple[model.Attempt, ...]) -> tuple[model.Attempt, ...]:
    """The attempts that are new or have changed."""
    if attempts is before:
        return ()
    known = {attempt.id: attempt for attempt in before}
    return tuple(attempt for attempt in attempts if known.get(attempt.id) != attempt)
