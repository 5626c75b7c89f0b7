"""Orders of probes, and their results. An operation stores the order; the agent sends the messages."""

from landbridge import errors, model
from landbridge.operations import connections, idempotency, ids
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.store import codec, customer_gateways, probes
from landbridge.store.database import Transaction


@operation("probe_vpn_connection", "admin", "write")
def order(tx: Transaction, call: Call, request: model.ProbeRequest) -> model.RecordedProbe:
    """Orders a probe of the connection's device, or a check of the path through the tunnel (`path`). Raises Invalid when an order waits
    already; for a probe, when the device has no address or a CHILD_SA is up; for a check of the path, when no CHILD_SA is up or the
    request asks for a probe too. A second order with the same token returns the first one.
    """
    return idempotency.once(
        tx, call, order.name, codec.recorded_probe, lambda: _order(tx, call, request), request.connection_id
    )


def _order(tx: Transaction, call: Call, request: model.ProbeRequest) -> model.RecordedProbe:
    row = connections.find(tx, call, request.connection_id)
    if row.deleting:
        raise errors.Deleting(f"VPN connection {row.connection.id}")
    call.refuse(_violations(tx, call, row, request))
    made = model.ProbeOrder(id=ids.new_id(), phase_2=request.phase_2, identity=request.identity, path=request.path)
    actor = call.caller.access_key
    probes.add(tx, row, made, call.now, actor)
    call.audit(tx, "probe", row.connection.id)
    return model.RecordedProbe(id=made.id, asked_at=call.now, actor=actor, order=made)


def _violations(
    tx: Transaction, call: Call, row: model.KnownConnection, request: model.ProbeRequest
) -> list[model.Violation]:
    wrong, is_up = [], row.observation is not None and bool(row.observation.children)
    peer = customer_gateways.find(tx, call.project_id, row.connection.customer_gateway_id)
    if request.path:
        if request.phase_2 or request.identity:
            wrong.append(
                ("path is asked of a tunnel that is up, phase_2 and identity of one that is down", "path alone")
            )
        if not is_up:
            wrong.append(("no CHILD_SA of the connection is up", "a connection that is up, for path"))
    else:
        if peer is not None and peer.address_for(row.connection.style) is None:
            wrong.append(
                (
                    "the device has no fixed address: it dials in",
                    "a connection of another style, whose customer gateway has an address",
                )
            )
        if is_up:
            wrong.append(
                ("a CHILD_SA of the connection is up, and a probe could end it", "a connection that is down, or path")
            )
    wrong += [
        (f"probe {probe.id} of the connection is not done yet", "one probe at a time")
        for probe in probes.of_connection(tx, row.seq)
        if probe.result is None
    ]
    return [model.Violation("probe", reason, allowed) for reason, allowed in wrong]


@operation("list_vpn_connection_probes", "reader", "read")
def list_all(tx: Transaction, call: Call, request: model.ConnectionRef) -> tuple[model.RecordedProbe, ...]:
    """The last probes, newest first."""
    row = connections.find(tx, call, request.connection_id)
    return probes.of_connection(tx, row.seq)[::-1]
