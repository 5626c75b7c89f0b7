"""The operations on customer gateways."""

from landbridge.api import routes
from landbridge.operations import customer_gateways
from landbridge.wire import customer_gateways as wire_customer_gateways
from landbridge.wire import parameters
from landbridge.wire import shapes as wire_shapes

ROUTES: tuple[routes.Route, ...] = (
    routes.Route(
        name="create_cgw",
        method="POST",
        path="/v5/{project_id}/customer-gateways",
        summary="Create a customer gateway",
        success=201,
        run=customer_gateways.create,
        parse=routes.creation(wire_customer_gateways.CreateCustomerGateway, "customer_gateway"),
        render=lambda made: {"customer_gateway": wire_customer_gateways.customer_gateway(made)},
        answer=wire_customer_gateways.OneCustomerGateway,
        accepts=("customer_gateway", wire_customer_gateways.CreateCustomerGateway),
    ),
    routes.Route(
        name="show_cgw",
        method="GET",
        path="/v5/{project_id}/customer-gateways/{customer_gateway_id}",
        summary="Show a customer gateway",
        success=200,
        run=customer_gateways.show,
        parse=routes.by("customer_gateway_id"),
        render=lambda one: {"customer_gateway": wire_customer_gateways.customer_gateway(one)},
        answer=wire_customer_gateways.OneCustomerGateway,
        etag=customer_gateways.etag,
    ),
    routes.Route(
        name="list_cgws",
        method="GET",
        path="/v5/{project_id}/customer-gateways",
        summary="List customer gateways in the order of their creation",
        success=200,
        run=customer_gateways.list_page,
        parse=lambda incoming: routes.Asked(
            request=(incoming.query["limit"], incoming.query["marker"] or "", incoming.query["cgw_id"])
        ),
        render=lambda page: {
            "customer_gateways": [wire_customer_gateways.customer_gateway(one) for one in page.customer_gateways],
            "page_info": wire_shapes.page_info(page.next_marker, len(page.customer_gateways)),
            "total_count": page.total,
        },
        answer=wire_customer_gateways.ManyCustomerGateways,
        query=(parameters.uuid("cgw_id", "only this one"), *parameters.PAGE),
    ),
    routes.Route(
        name="update_cgw",
        method="PUT",
        path="/v5/{project_id}/customer-gateways/{customer_gateway_id}",
        summary="Change a customer gateway's name or CA certificate; what is left out stays",
        success=200,
        run=customer_gateways.update,
        parse=routes.change(wire_customer_gateways.UpdateCustomerGateway, "customer_gateway", "customer_gateway_id"),
        render=lambda one: {"customer_gateway": wire_customer_gateways.customer_gateway(one)},
        answer=wire_customer_gateways.OneCustomerGateway,
        etag=customer_gateways.etag,
        accepts=("customer_gateway", wire_customer_gateways.UpdateCustomerGateway),
        versions=True,
    ),
    routes.Route(
        name="delete_cgw",
        method="DELETE",
        path="/v5/{project_id}/customer-gateways/{customer_gateway_id}",
        summary="Delete a customer gateway that has no connections",
        success=204,
        run=customer_gateways.remove,
        parse=routes.by("customer_gateway_id"),
        versions=True,
    ),
)
