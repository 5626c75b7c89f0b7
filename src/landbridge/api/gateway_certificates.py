"""The operations on certificates of VPN gateways."""

import dataclasses

from landbridge.api import routes
from landbridge.operations import gateway_certificates
from landbridge.wire import gateway_certificates as wire
from landbridge.wire import parameters

_of_gateway = routes.change(wire.CertificateShape, "certificate", "vgw_id")
_change_of_gateway = routes.change(wire.UpdateCertificate, "certificate", "vgw_id")


def _update(incoming: routes.Incoming) -> routes.Asked:
    asked = _change_of_gateway(incoming)
    gateway_id, change = asked.request
    return dataclasses.replace(asked, request=(gateway_id, incoming.path["certificate_id"], change))


ROUTES: tuple[routes.Route, ...] = (
    routes.Route(
        name="create_vgw_certificate",
        method="POST",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/certificate",
        summary="Give a GM gateway its certificates and their keys",
        success=201,
        run=gateway_certificates.create,
        parse=_of_gateway,
        render=lambda made: {"certificate": wire.certificate(made)},
        answer=wire.OneCertificate,
        accepts=("certificate", wire.CertificateShape),
        deleting=True,
    ),
    routes.Route(
        name="show_vpn_gateway_certificate",
        method="GET",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/certificate",
        summary="Show what a GM gateway is known by; never a key",
        success=200,
        run=gateway_certificates.show,
        parse=routes.by("vgw_id"),
        render=lambda made: {"certificate": wire.certificate(made)},
        answer=wire.OneCertificate,
        etag=gateway_certificates.etag,
    ),
    routes.Route(
        name="list_vpn_gateway_certificates",
        method="GET",
        path="/v5/{project_id}/vpn-gateway-certificates",
        summary="List the certificates of GM gateways, in the order of their creation",
        success=200,
        run=gateway_certificates.list_page,
        parse=lambda incoming: routes.Asked(
            request=(incoming.query["limit"], incoming.query["marker"], incoming.query["pre_expire_days"])
        ),
        render=lambda many: {"vpn_gateway_certificates": [wire.certificate(each) for each in many]},
        answer=wire.ManyCertificates,
        query=(
            parameters.LIMIT,
            parameters.time_marker(),
            parameters.integer(
                "pre_expire_days", "only those of which something ends within so many days, or has ended", 0, 36_500
            ),
        ),
    ),
    routes.Route(
        name="update_vgw_certificate",
        method="PUT",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/certificate/{certificate_id}",
        summary="Change the certificates of a GM gateway; what is left out stays",
        success=200,
        run=gateway_certificates.update,
        parse=_update,
        render=lambda made: {"certificate": wire.certificate(made)},
        answer=wire.OneCertificate,
        accepts=("certificate", wire.UpdateCertificate),
        etag=gateway_certificates.etag,
        versions=True,
        deleting=True,
    ),
)
