"""The operations on certificates of VPN gateways."""

from landbridge import model
from landbridge.api import routes
from landbridge.operations import gateway_certificates
from landbridge.wire import body, parameters
from landbridge.wire import gateway_certificates as wire


def _list(incoming: routes.Incoming) -> body.Parsed[model.GatewayCertificateListRequest]:
    query = incoming.query
    request = model.GatewayCertificateListRequest(
        limit=query["limit"], created_after=query["marker"], expires_within_days=query["pre_expire_days"]
    )
    return body.Parsed(request)


ROUTES = (
    routes.Route(
        operation=gateway_certificates.create,
        method="POST",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/certificate",
        summary="Give a GM gateway its certificates and their keys",
        success=201,
        parse=routes.parse_body(
            wire.CertificateShape,
            "certificate",
            lambda incoming, given: model.GatewayCertificateCreateRequest(
                gateway_id=incoming.path["vgw_id"], certificate=given.request()
            ),
        ),
        render=lambda made: {"certificate": wire.certificate(made)},
        answer=wire.OneCertificate,
        accepts=("certificate", wire.CertificateShape),
        refused_while_deleting=True,
    ),
    routes.Route(
        operation=gateway_certificates.show,
        method="GET",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/certificate",
        summary="Show what a GM gateway is known by; never a key",
        success=200,
        parse=lambda incoming: body.Parsed(model.GatewayRef(gateway_id=incoming.path["vgw_id"])),
        render=lambda made: {"certificate": wire.certificate(made)},
        answer=wire.OneCertificate,
        etag=gateway_certificates.etag,
    ),
    routes.Route(
        operation=gateway_certificates.list_page,
        method="GET",
        path="/v5/{project_id}/vpn-gateway-certificates",
        summary="List the certificates of GM gateways, in the order of their creation",
        success=200,
        parse=_list,
        render=lambda many: {"vpn_gateway_certificates": [wire.certificate(certificate) for certificate in many]},
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
        operation=gateway_certificates.update,
        method="PUT",
        path="/v5/{project_id}/vpn-gateways/{vgw_id}/certificate/{certificate_id}",
        summary="Change the certificates of a GM gateway; what is left out stays",
        success=200,
        parse=routes.parse_body(
            wire.UpdateCertificate,
            "certificate",
            lambda incoming, given: model.GatewayCertificateUpdateRequest(
                gateway_id=incoming.path["vgw_id"],
                certificate_id=incoming.path["certificate_id"],
                change=given.request(),
            ),
        ),
        render=lambda made: {"certificate": wire.certificate(made)},
        answer=wire.OneCertificate,
        accepts=("certificate", wire.UpdateCertificate),
        etag=gateway_certificates.etag,
        compares_versions=True,
        refused_while_deleting=True,
    ),
)
