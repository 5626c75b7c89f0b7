"""The routes that are served. An operation without a route in this table is not part of the API."""

from typing import Any

from landbridge.api import (
    audit,
    connection_checks,
    connections,
    customer_gateways,
    gateway_certificates,
    gateways,
    monitors,
    peer_configurations,
    probes,
    quotas,
    routes,
    status_lists,
    tags,
    timelines,
    traffic,
)

#: Paths that need no credentials.
PUBLIC = ("/healthz", "/readyz", "/openapi.json", "/docs")

_ROUTES: tuple[routes.Route[Any, Any], ...] = (
    *tags.OF_PROJECT,
    *connections.ROUTES,
    *peer_configurations.ROUTES,
    *probes.ROUTES,
    *gateways.ROUTES,
    *gateway_certificates.ROUTES,
    *customer_gateways.ROUTES,
    *monitors.ROUTES,
    *tags.ROUTES,
    *quotas.ROUTES,
    *status_lists.ROUTES,
    *connection_checks.ROUTES,
    *timelines.ROUTES,
    *traffic.ROUTES,
)
TABLE = (*_ROUTES, *audit.routes_of(route.operation for route in _ROUTES))
