"""The operations on configurations of customers' devices."""

from landbridge import model
from landbridge.api import routes
from landbridge.operations import peer_configurations
from landbridge.wire import parameters
from landbridge.wire import peer_configurations as wire
from landbridge.wire import shapes as wire_shapes


def _request(incoming: routes.Incoming, given: wire.ExportPeerConfiguration) -> model.PeerConfigurationRequest:
    return model.PeerConfigurationRequest(
        connection_id=incoming.path["vpn_connection_id"],
        device=given.request(),
        with_psk=incoming.query.get("psk") is not None,
    )


_parse = routes.parse_body(wire.ExportPeerConfiguration, "", _request)

ROUTES = (
    routes.Route(
        operation=peer_configurations.export,
        method="POST",
        path="/v5/{project_id}/vpn-connection/{vpn_connection_id}/peer-configuration/export",
        summary="The other side's configuration for its device, without the PSK",
        success=200,
        parse=_parse,
        render=lambda text: {"peer_config": str(text)},
        answer=wire.PeerConfiguration,
        accepts=("", wire.ExportPeerConfiguration),
    ),
    routes.Route(
        operation=peer_configurations.devices,
        method="GET",
        path="/v5/{project_id}/peer-configuration/supported-devices",
        summary="The devices that configurations are written for",
        success=200,
        parse=routes.empty,
        render=lambda devices: {"supported_devices": wire.supported(devices)},
        answer=wire.SupportedDevices,
    ),
    routes.Route(
        operation=peer_configurations.print_out,
        method="POST",
        path="/landbridge/v1/{project_id}/vpn-connections/{vpn_connection_id}/peer-configuration",
        summary="The same file by file, with the PSK for an admin who asks for it (an extension of ours)",
        success=200,
        parse=_parse,
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
