"""Configurations of the other side's device for a connection, and the devices that have one."""

import re

from landbridge import model, peerconfig
from landbridge.operations import connections as connection_operations
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.store import connections
from landbridge.store.database import Transaction

#: (field of a request, attribute of a device), in the order in which the fields narrow the choice.
FIELDS = (("vendor", "vendor"), ("type", "kind"), ("model", "family"), ("version", "versions"))


@operation("list_peer_configuration_supported_devices", "reader", "read")
def devices(_tx: Transaction, _call: Call, _: model.EmptyRequest) -> tuple[peerconfig.Device, ...]:
    return peerconfig.devices()


@operation("export_vpn_connection_peer_configuration", "reader", "read")
def export(tx: Transaction, call: Call, request: model.PeerConfigurationRequest) -> peerconfig.Text:
    """The text never has the PSK."""
    return _text(tx, call, request, with_psk=False)


@operation("print_peer_configuration", "admin", "write")
def print_out(tx: Transaction, call: Call, request: model.PeerConfigurationRequest) -> peerconfig.Text:
    """As `export`, with the PSK for a caller who asks for it. The audit trail keeps who asked."""
    text = _text(tx, call, request, with_psk=request.with_psk)
    if request.with_psk:
        call.audit(tx, "show_psk", request.connection_id.lower())
    return text


def _text(tx: Transaction, call: Call, request: model.PeerConfigurationRequest, *, with_psk: bool) -> peerconfig.Text:
    connection = connection_operations.find(tx, call, request.connection_id).connection
    device = _device(call, request.device)
    row, peer, _ = connections.ends(tx, call.project_id, connection.gateway_id, connection.customer_gateway_id)
    if row is None or peer is None:
        raise RuntimeError("a connection without its ends")
    psk = connection_operations.psk(tx, call, connection) if with_psk else None
    return peerconfig.render(device, side(call, connection, row.gateway, peer, psk))


def side(
    call: Call,
    connection: model.Connection,
    gateway: model.VpnGateway,
    customer_gateway: model.CustomerGateway,
    psk: model.Secret | None = None,
) -> peerconfig.DeviceSide:
    """The connection as the device sees it. Without `psk` it has none."""
    network_id = gateway.network_id or ""
    return peerconfig.side_of(
        connection,
        gateway,
        customer_gateway,
        network=call.service.site.network(network_id) or model.Network(id=network_id),
        plane=call.service.plane,
        psk=psk,
        abilities=call.service.abilities,
    )


def _device(call: Call, request: model.DeviceRequest) -> peerconfig.Device:
    """The first device that all given fields fit. Raises Invalid with each field that fits no device."""
    candidates, wrong = peerconfig.devices(), []
    if request.vendor is None:
        wrong.append(model.Violation("vendor", "is mandatory", _vendors(candidates)))
    for name, field in FIELDS:
        given: str | None = getattr(request, field)
        fitting = tuple(device for device in candidates if given is None or _fits(given, device, field))
        if not fitting:
            allowed = _vendors(candidates) if name == "vendor" else _choices(candidates, field)
            wrong.append(model.Violation(name, f"{given!r} is not known", allowed))
        candidates = fitting or candidates
    call.refuse(wrong)
    return candidates[0]


def _fits(given: str, device: peerconfig.Device, field: str) -> bool:
    """Compares in any letter case. A client may give the platform for the type, and a later version for the version."""
    names = {getattr(device, field).lower()}
    if field == "kind":
        names.add(device.family.lower())
    return given.lower() in names or (field == "versions" and _number(given) >= _number(device.versions))


def _number(version: str) -> list[int]:
    """The first two numbers of a version, in any spelling. For a device with several release lines, those of the oldest line."""
    return [int(digits) for digits in re.findall("[0-9]{1,9}", version)[:2]]


def _vendors(candidates: tuple[peerconfig.Device, ...]) -> str:
    """Each vendor with its models."""
    models: dict[str, set[str]] = {}
    for device in candidates:
        models.setdefault(device.vendor, set()).add(device.family)
    return "one of " + ", ".join(f"{vendor} ({', '.join(sorted(models[vendor]))})" for vendor in sorted(models))


def _choices(candidates: tuple[peerconfig.Device, ...], field: str) -> str:
    return "one of " + ", ".join(sorted({getattr(device, field) for device in candidates}))
