"""The operations on probes."""

from landbridge import model
from landbridge.api import routes
from landbridge.operations import probes
from landbridge.wire import body
from landbridge.wire import probes as wire_probes

PATH = "/landbridge/v1/{project_id}/vpn-connections/{vpn_connection_id}/probe"

ROUTES = (
    routes.Route(
        operation=probes.order,
        method="POST",
        path=PATH,
        summary="Order a probe: ask the device of a connection which IKE parameters it accepts (an extension of ours)",
        success=202,
        parse=routes.parse_body(
            wire_probes.OrderProbe,
            "probe",
            lambda incoming, given: given.request(incoming.path["vpn_connection_id"]),
        ),
        render=lambda made: {"probe": wire_probes.probe(made)},
        answer=wire_probes.OneProbe,
        accepts=("probe", wire_probes.OrderProbe),
        refused_while_deleting=True,
    ),
    routes.Route(
        operation=probes.list_all,
        method="GET",
        path=PATH,
        summary="The last probes of a connection with the answers of its device, newest first (an extension of ours)",
        success=200,
        parse=lambda incoming: body.Parsed(model.ConnectionRef(connection_id=incoming.path["vpn_connection_id"])),
        render=lambda probes: {"probes": wire_probes.probes(probes)},
        answer=wire_probes.ManyProbes,
    ),
)
