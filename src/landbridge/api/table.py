"""The operations that are served, a row each. What is not in this table does not exist."""

from landbridge.api import connections, customer_gateways, gateways, row

#: Paths that anybody may read. The guard test knows no other list.
PUBLIC = ("/healthz", "/readyz", "/openapi.json", "/docs")

TABLE: tuple[row.Operation, ...] = (*connections.ROWS, *gateways.ROWS, *customer_gateways.ROWS)
