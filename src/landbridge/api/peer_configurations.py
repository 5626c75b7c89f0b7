"""The operations on the other side's configuration."""

from landbridge.api import routes
from landbridge.operations import peer_configurations
from landbridge.wire import body, parameters
from landbridge.wire import peer_configurations as wire
from landbridge.wire import shapes as wire_shapes


def _device(incoming: routes.Incoming) -> routes.Asked:
    parsed = body.parse_bare(wire.ExportPeerConfiguration, incoming.content)
    return routes.Asked(
        request=(incoming.path["vpn_connection_id"], parsed.value.request()),
        violations=parsed.violations,
        ignored=parsed.ignored,
    )


def _with_psk(incoming: routes.Incoming) -> routes.Asked:
    asked = _device(incoming)
    return routes.Asked(
        request=(*asked.request, incoming.query["psk"] is not None), violations=asked.violations, ignored=asked.ignored
    )


ROUTES: tuple[routes.Route, ...] = (
    routes.Route(
        name="export_vpn_connection_peer_configuration",
        method="POST",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}/peer-configuration/export",
        summary="The other side's configuration for its device, without the PSK",
        success=200,
        run=peer_configurations.export,
        parse=_device,
        render=lambda text: {"peer_config": str(text)},
        answer=wire.PeerConfiguration,
        accepts=("", wire.ExportPeerConfiguration),
    ),
    routes.Route(
        name="list_peer_configuration_supported_devices",
        method="GET",
        path="/v5/{project_id}/peer-configuration/supported-devices",
        summary="The devices that configurations are written for",
        success=200,
        run=peer_configurations.devices,
        parse=lambda _: routes.Asked(request=None),
        render=lambda devices: {"supported_devices": wire.supported(devices)},
        answer=wire.SupportedDevices,
    ),
    routes.Route(
        name="print_peer_configuration",
        method="POST",
        path="/landbridge/v1/{project_id}/vpn-connections/{vpn_connection_id}/peer-configuration",
        summary="The same file by file, with the PSK for an admin who asks for it (an extension of ours)",
        success=200,
        run=peer_configurations.print_out,
        parse=_with_psk,
        render=lambda text: {
            "peer_configuration": {
                "device": text.device.name,
                "proved": text.device.proved,
                "parts": [wire_shapes.without_none(path=part.path, content=part.content) for part in text.parts],
            }
        },
        answer=wire.OnePrinted,
        accepts=("", wire.ExportPeerConfiguration),
        query=(parameters.choice("psk", "show: with the PSK; the audit trail keeps who asked", ("show",)),),
    ),
)
