"""A customer gateway is found by the id of its CA certificate; pauses of gateways that are gone end."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_customer_gateway_certificate ON customer_gateway"
        " (project_id, json_extract(spec, '$.ca_certificate.id'))"
        " WHERE json_extract(spec, '$.ca_certificate.id') IS NOT NULL"
    )
    op.execute("DELETE FROM setting WHERE name LIKE 'paused %' AND substr(name, 8) NOT IN (SELECT id FROM vpn_gateway)")
