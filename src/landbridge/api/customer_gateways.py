"""The operations on customer gateways."""

from landbridge import model
from landbridge.api import routes
from landbridge.operations import customer_gateways
from landbridge.wire import body, parameters, update_checks
from landbridge.wire import customer_gateways as wire_customer_gateways
from landbridge.wire import shapes as wire_shapes


def _ref(incoming: routes.Incoming) -> body.Parsed[model.CustomerGatewayRef]:
    return body.Parsed(model.CustomerGatewayRef(customer_gateway_id=incoming.path["customer_gateway_id"]))


def _list(incoming: routes.Incoming) -> body.Parsed[model.CustomerGatewayListRequest]:
    query = incoming.query
    request = model.CustomerGatewayListRequest(
        limit=query["limit"], marker=query["marker"] or "", customer_gateway_id=query["cgw_id"]
    )
    return body.Parsed(request)


_parse_create = routes.parse_body(
    wire_customer_gateways.CreateCustomerGateway, "customer_gateway", lambda _, given: given.request()
)
_parse_update = routes.parse_body(
    wire_customer_gateways.UpdateCustomerGateway,
    "customer_gateway",
    lambda incoming, given: model.CustomerGatewayUpdateRequest(
        customer_gateway_id=incoming.path["customer_gateway_id"], change=given.request()
    ),
)
ROUTES = (
    routes.Route(
        operation=customer_gateways.create,
        method="POST",
        path="/v5/{project_id}/customer-gateways",
        summary="Create a customer gateway",
        success=201,
        parse=_parse_create,
        render=lambda made: {"customer_gateway": wire_customer_gateways.customer_gateway(made)},
        answer=wire_customer_gateways.OneCustomerGateway,
        accepts=("customer_gateway", wire_customer_gateways.CreateCustomerGateway),
    ),
    routes.Route(
        operation=customer_gateways.check,
        method="POST",
        path="/landbridge/v1/{project_id}/customer-gateways/check",
        summary="Check a create without creating: all violations (an extension of ours)",
        success=200,
        parse=_parse_create,
        render=lambda result: {"check": update_checks.check_create(result)},
        answer=update_checks.OneCreateCheck,
        accepts=("customer_gateway", wire_customer_gateways.CreateCustomerGateway),
    ),
    routes.Route(
        operation=customer_gateways.show,
        method="GET",
        path="/v5/{project_id}/customer-gateways/{customer_gateway_id}",
        summary="Show a customer gateway",
        success=200,
        parse=_ref,
        render=lambda customer_gateway: {"customer_gateway": wire_customer_gateways.customer_gateway(customer_gateway)},
        answer=wire_customer_gateways.OneCustomerGateway,
        etag=customer_gateways.etag,
    ),
    routes.Route(
        operation=customer_gateways.list_page,
        method="GET",
        path="/v5/{project_id}/customer-gateways",
        summary="List customer gateways in the order of their creation",
        success=200,
        parse=_list,
        render=lambda page: {
            "customer_gateways": [
                wire_customer_gateways.customer_gateway(customer_gateway) for customer_gateway in page.customer_gateways
            ],
            "page_info": wire_shapes.page_info(page.next_marker, len(page.customer_gateways)),
            "total_count": page.total,
        },
        answer=wire_customer_gateways.ManyCustomerGateways,
        query=(parameters.uuid("cgw_id", "only this one"), *parameters.PAGE),
    ),
    routes.Route(
        operation=customer_gateways.update,
        method="PUT",
        path="/v5/{project_id}/customer-gateways/{customer_gateway_id}",
        summary="Change a customer gateway's name or CA certificate; what is left out stays",
        success=200,
        parse=_parse_update,
        render=lambda customer_gateway: {"customer_gateway": wire_customer_gateways.customer_gateway(customer_gateway)},
        answer=wire_customer_gateways.OneCustomerGateway,
        etag=customer_gateways.etag,
        accepts=("customer_gateway", wire_customer_gateways.UpdateCustomerGateway),
        compares_versions=True,
    ),
    routes.Route(
        operation=customer_gateways.check_update,
        method="POST",
        path="/landbridge/v1/{project_id}/customer-gateways/{customer_gateway_id}/check",
        summary="Check an update without making it: what would change, and all violations (an extension of ours)",
        success=200,
        parse=_parse_update,
        render=lambda result: {"check": update_checks.check(result, wire_customer_gateways.customer_gateway)},
        answer=update_checks.OneUpdateCheck,
        accepts=("customer_gateway", wire_customer_gateways.UpdateCustomerGateway),
        compares_versions=True,
    ),
    routes.Route(
        operation=customer_gateways.remove,
        method="DELETE",
        path="/v5/{project_id}/customer-gateways/{customer_gateway_id}",
        summary="Delete a customer gateway that has no connections",
        success=204,
        parse=_ref,
        compares_versions=True,
    ),
)
