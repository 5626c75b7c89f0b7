"""The operations that are served, a row each. What is not in this table does not exist."""

from landbridge.api import (
    connections,
    customer_gateways,
    gateway_certificates,
    gateways,
    monitors,
    peer_configurations,
    quotas,
    row,
    status_lists,
    tags,
)

#: Paths that anybody may read. The guard test knows no other list.
PUBLIC = ("/healthz", "/readyz", "/openapi.json", "/docs")

TABLE: tuple[row.Operation, ...] = (
    *tags.OF_PROJECT,
    *connections.ROWS,
    *peer_configurations.ROWS,
    *gateways.ROWS,
    *gateway_certificates.ROWS,
    *customer_gateways.ROWS,
    *monitors.ROWS,
    *tags.ROWS,
    *quotas.ROWS,
    *status_lists.ROWS,
)
