"""The page of a connection: its desired and its observed state, and the causes of the difference; its negotiation, traffic and history; and its actions."""

import functools
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, cast
from urllib.parse import urlencode

from landbridge import errors, model
from landbridge.console import bulk, changes, charts, comparison, connection_form, negotiation
from landbridge.console.page_context import Answered, Moved, PageContext
from landbridge.model.negotiation import Proposal
from landbridge.model.samples import RINGS, RingName, SeriesRequest
from landbridge.operations import (
    connection_updates,
    connections,
    customer_gateways,
    gateways,
    ids,
    peer_configurations,
    probes,
    timelines,
    traffic_series,
)
from landbridge.operations.timelines import Entry

#: Entries of the timeline on the page.
TIMELINE = 25


async def show_with_psk(context: PageContext) -> Answered:
    """Leads to the page of the connection, whose configuration of the device has the pre-shared key once. The page writes who asked to the audit trail."""
    return await with_psk(context, "/connections")


async def with_psk(context: PageContext, pages: str) -> Moved:
    """`pages`: the path of the page without the id. Raises NotFound."""
    shown = await context.perform(connections.show, model.ConnectionRef(connection_id=context.path("id")))
    query = urlencode({"device": context.form.get("device", "")})
    return Moved(to=context.link(f"{pages}/{shown.connection.id}?{query}"), shown_once=model.Secret("psk"))


async def show(context: PageContext) -> Answered:
    ref = model.ConnectionRef(connection_id=context.path("id"))
    diagnosis: connections.ConnectionDiagnosis = await context.perform(connections.diagnose, ref)
    connection, status = diagnosis.connection, diagnosis.status
    gateway_ref = model.GatewayRef(gateway_id=connection.gateway_id)
    peer_ref = model.CustomerGatewayRef(customer_gateway_id=connection.customer_gateway_id)
    gateway = (await context.perform(gateways.show, gateway_ref)).gateway
    peer = await context.perform(customer_gateways.show, peer_ref)
    request = model.TimelineRequest(connection_id=connection.id, limit=TIMELINE, marker=context.query.get("after", ""))
    timeline = await context.perform(timelines.show, request)
    devices = await context.perform(peer_configurations.devices, model.EmptyRequest())
    waiting = [probe for probe in await context.perform(probes.list_all, ref) if probe.result is None]
    series = await context.perform(traffic_series.show, SeriesRequest(connection_id=connection.id, last=_last(context)))
    attempt = negotiation.shown(status.observation.attempts) if status.observation else None
    return context.render(
        "connection.html",
        connection=connection,
        status=status,
        health=health_of(status),
        seen=status.observation,
        warnings=diagnosis.warnings,
        gateway=gateway,
        peer=peer,
        comparison=comparison.compare(connection, status),
        charts=charts.draw(series),
        drawn=negotiation.draw(attempt) if attempt else None,
        entries=[_entry(entry) for entry in timeline.entries],
        next_marker=timeline.next_marker,
        devices=devices,
        configuration=await configuration(context, connection.id, devices),
        waiting=waiting,
        token=ids.new_id(),
        version=(await context.perform(connections.show, ref)).etag,
    )


def _last(context: PageContext) -> RingName:
    """The time that the charts show: the hour, unless the address names another one."""
    last = context.query.get("last", "")
    return next((ring.name for ring in RINGS if ring.name == last), RINGS[0].name)


def health_of(status: model.ConnectionStatus) -> model.TunnelHealth:
    return model.tunnel_health(status.status, is_seen=status.not_seen_since is None, is_warned=bool(status.warnings))


async def configuration(context: PageContext, connection_id: str, devices: Any) -> Any:
    """The text for the device that the query of the address names; None without one. It has the pre-shared key once after a person asked for it."""
    chosen = next((device for device in devices if device.id == context.query.get("device")), None)
    if chosen is None:
        return None
    with_psk = context.shown_once is not None
    device_request = model.DeviceRequest(vendor=chosen.vendor, kind=chosen.kind, family=chosen.family)
    request = model.PeerConfigurationRequest(connection_id=connection_id, device=device_request, with_psk=with_psk)
    operation = peer_configurations.print_out if with_psk else peer_configurations.export
    return {"device": chosen, "text": str(await context.perform(operation, request)), "with_psk": with_psk}


def _entry(entry: Entry) -> dict[str, Any]:
    """An entry of the timeline: its time, kind, health and sentence."""
    item, health, text = entry.item, "", ""
    match item:
        case model.Attempt():
            drawn = negotiation.draw(item)
            failed = next((step.text for step in drawn.steps if step.failed), "")
            kind, health = (
                "negotiation",
                "up" if item.outcome == "up" else "pending" if item.outcome is None else "down",
            )
            times = f" ({item.count} times)" if item.count > 1 else ""
            by = "by the device" if item.began_by == "device" else "by the VPN gateway"
            text = f"begun {by}{times}. {drawn.outcome}" + (f" {failed}." if failed else "")
        case model.StateChange():
            kind, health, text = (
                "status",
                model.HEALTH_OF_STATUS[item.status],
                item.status + (f": {item.cause}" if item.cause else ""),
            )
        case model.BgpChange():
            kind, health = "BGP", "up" if item.state == "established" else "down"
            text = f"{item.state}, {item.received} routes" + (f": {item.reason}" if item.reason else "")
        case model.RecordedProbe():
            kind, text = "probe", _probe(item)
        case model.AuditEvent():
            kind, text = "change", f"{item.action} by {item.actor}"
    return {"at": entry.at, "kind": kind, "health": health, "text": text}


def _probe(probe: model.RecordedProbe) -> str:
    result = probe.result
    if result is None:
        return f"ordered by {probe.actor}, not done yet"
    if result.path is not None:
        return f"path: {result.path.outcome}, largest packet {result.path.passed or 0} of {result.path.mtu} bytes"
    parts = [f"IKE{answer.ike_version} {answer.outcome}" + _chosen(answer.proposal) for answer in result.answers]
    if result.phase_2 is not None:
        parts.append(f"phase 2 {result.phase_2.outcome}" + _chosen(result.phase_2.proposal))
    return "; ".join([*parts, *([result.failure] if result.failure else [])]) or "no answer was asked for"


def _chosen(proposal: Proposal | None) -> str:
    return f" {proposal}" if proposal else ""


# -- changes ----------------------------------------------------------------------------------------------------------


def _here(context: PageContext, notice: str) -> Moved:
    return Moved(to=context.link(f"/connections/{context.path('id')}"), notice=notice)


async def reset(context: PageContext) -> Answered:
    """Resets the version that the page showed, so a second submit of the page does not reset again."""
    ref = model.ConnectionRef(connection_id=context.path("id"))
    try:
        await context.perform(connections.reset, ref, if_match=context.form.get("version") or None)
    except errors.Changed:
        return _here(context, "It was changed or reset meanwhile, and is not reset now. Look at it again first.")
    return _here(context, "The tunnel is negotiated anew. No other tunnel changes.")


async def probe(context: PageContext) -> Answered:
    await _probe_one(
        context, context.path("id"), is_path=context.form.get("kind") == "path", token=context.form.get("token")
    )
    return _here(context, "The probe is ordered. Its result will stand in the timeline and in the diagnosis.")


async def _probe_one(context: PageContext, connection_id: str, *, is_path: bool, token: str | None) -> None:
    """`token`: of the form, so that its second submit orders nothing more, also when the first probe is done."""
    order = model.ProbeRequest(connection_id=connection_id, path=is_path, phase_2=not is_path, identity=not is_path)
    await context.perform(probes.order, order, token=token or None, body=b"path" if is_path else b"device")


def _carried(
    diagnosis: gateways.GatewayDiagnosis, ids: Collection[str]
) -> dict[str, list[tuple[str, list[model.Carrier]]]]:
    """Id of each of these connections of a VPN gateway -> the subnets that it carries, each with the connections of other ids that carry it too."""
    carriers_of: dict[str, list[tuple[str, list[model.Carrier]]]] = {id_: [] for id_ in ids}
    for carried in diagnosis.redundancy.subnets if diagnosis.redundancy else ():
        others = [carrier for carrier in carried.carriers if carrier.connection_id not in carriers_of]
        for connection_id in {carrier.connection_id for carrier in carried.carriers} & carriers_of.keys():
            carriers_of[connection_id].append((carried.subnet, others))
    return carriers_of


async def ask_delete(context: PageContext) -> Answered:
    """Shows what a delete will touch."""
    this = model.ConnectionRef(connection_id=context.path("id"))
    diagnosis = await context.perform(connections.diagnose, this)
    ref = model.GatewayRef(gateway_id=diagnosis.connection.gateway_id)
    of_gateway: gateways.GatewayDiagnosis = await context.perform(gateways.diagnose, ref)
    carried = _carried(of_gateway, {diagnosis.connection.id})[diagnosis.connection.id]
    return context.render(
        "delete_connection.html",
        connection=diagnosis.connection,
        version=(await context.perform(connections.show, this)).etag,
        status=diagnosis.status,
        health=health_of(diagnosis.status),
        gateway=of_gateway.gateway,
        carried=carried,
    )


async def delete(context: PageContext) -> Answered:
    ref = model.ConnectionRef(connection_id=context.path("id"))
    notice = "The connection is being deleted. It stays here until nothing of its tunnel is left."
    return await changes.delete(context, connections.remove, ref, f"/connections/{context.path('id')}", notice)


async def _present(context: PageContext) -> changes.Present:
    shown = await context.perform(connections.show, model.ConnectionRef(connection_id=context.path("id")))
    connection: model.Connection = shown.connection
    gateway = await context.perform(gateways.show, model.GatewayRef(gateway_id=connection.gateway_id))
    fields = connection_form.stored_fields(connection, gateway.gateway)

    def draft(form: Mapping[str, str]) -> changes.Draft:
        parsed = connection_form.parse_change(fields, form)
        change = model.ConnectionUpdateRequest(connection_id=connection.id, change=parsed.value.request())
        return changes.Draft(request=change, violations=parsed.violations)

    return changes.Present(
        noun="connection",
        name=connection.name,
        show=f"/connections/{connection.id}",
        version=shown.etag,
        fields=fields,
        intro="No other tunnel changes. Check says what a change does to this one.",
        draft=draft,
        check=connection_updates.check,
        update=connection_updates.update,
    )


ask_edit, edit = changes.edit_pages(_present)


# -- bulk actions ------------------------------------------------------------------------------------------------


async def _find_one(context: PageContext, connection_id: str) -> bulk.SelectedResource:
    shown: connections.ShownConnection = await context.perform(
        connections.show, model.ConnectionRef(connection_id=connection_id)
    )
    return bulk.SelectedResource(
        id=shown.connection.id,
        name=shown.connection.name,
        health=model.HEALTH_OF_STATUS[cast("model.ConnectionStatusName", shown.status)],
        word=shown.status,
        version=shown.etag,
    )


async def _reset_one(context: PageContext, connection_id: str, version: str | None) -> None:
    await context.perform(connections.reset, model.ConnectionRef(connection_id=connection_id), if_match=version)


async def _probe_by_state(context: PageContext, connection_id: str, _: str | None) -> None:
    diagnosis: connections.ConnectionDiagnosis = await context.perform(
        connections.diagnose, model.ConnectionRef(connection_id=connection_id)
    )
    seen = diagnosis.status.observation
    token = context.form.get("token")
    is_path = seen is not None and bool(seen.children)
    await _probe_one(context, connection_id, is_path=is_path, token=token and f"{token}.{connection_id}")


async def _delete_one(context: PageContext, connection_id: str, version: str | None) -> None:
    await context.perform(connections.remove, model.ConnectionRef(connection_id=connection_id), if_match=version)


async def _lost_subnets(context: PageContext, ids: Collection[str]) -> dict[str, list[str]]:
    """Id of each of these connections -> a note for each of its subnets that no tunnel would reach without all of these connections."""
    of_gateway: dict[str, set[str]] = defaultdict(set)
    for id_ in ids:
        shown = await context.perform(connections.show, model.ConnectionRef(connection_id=id_))
        of_gateway[shown.connection.gateway_id].add(id_)
    lost: dict[str, list[str]] = {}
    for gateway_id, some in of_gateway.items():
        diagnosis: gateways.GatewayDiagnosis = await context.perform(
            gateways.diagnose, model.GatewayRef(gateway_id=gateway_id)
        )
        for id_, carried in _carried(diagnosis, some).items():
            lost[id_] = [
                f"{subnet}: {'no other tunnel to it is up' if others else 'no other tunnel leads to it'}"
                for subnet, others in carried
                if not any(carrier.up for carrier in others)
            ]
    return lost


BULK = bulk.Kind(
    noun="connection",
    path="/connections",
    find=_find_one,
    actions={
        "reset": bulk.Action(
            label="Reset",
            title="Reset {}",
            intro="The SAs of these tunnels end, and the tunnels are negotiated anew. They carry nothing meanwhile. No other tunnel changes.",
            done="negotiated anew",
            run=_reset_one,
        ),
        "probe": bulk.Action(
            label="Probe",
            title="Probe {}",
            intro="Where a tunnel is up, large and small echoes check its path. Elsewhere the device is asked which parameters it accepts. No tunnel "
            "changes. The results will stand in the timelines.",
            done="being probed",
            run=_probe_by_state,
        ),
        **bulk.tag_actions("vpn-connection"),
        "delete": bulk.Action(
            label="Delete",
            title="Delete {}",
            intro="These tunnels end, and their interfaces, routes and pre-shared keys are removed. No other tunnel changes.",
            done="being deleted",
            run=_delete_one,
            notes=_lost_subnets,
            is_danger=True,
        ),
    },
)
ask_bulk = functools.partial(bulk.ask, kind=BULK)
answer_bulk = functools.partial(bulk.answer, kind=BULK)
