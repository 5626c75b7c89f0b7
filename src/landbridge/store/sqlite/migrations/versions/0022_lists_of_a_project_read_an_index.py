"""The indexes of connections and of customer gateways by project have all values that the pages with all of them show."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX ix_connection_project_id_seq")
    op.execute(
        "CREATE INDEX ix_connection_project_id_seq ON connection"
        " (project_id, seq, id, gateway_seq, customer_gateway_seq, endpoint, generation, deleting, changed_at,"
        " json_extract(spec, '$.name', '$.style', '$.peer_subnets', '$.policy_rules') || '')"
    )
    op.execute("DROP INDEX ix_customer_gateway_project_id_seq")
    op.execute(
        "CREATE INDEX ix_customer_gateway_project_id_seq ON customer_gateway"
        " (project_id, seq, json_extract(spec, '$.name', '$.id_value') || '')"
    )
