"""Since when a connection or a gateway has its state: when the engine was seen in it, and when it was last asked for another."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("connection", "vpn_gateway"):
        op.add_column(table, sa.Column("changed_at", sa.Integer()))
    for table in ("connection_observation", "gateway_observation"):
        op.add_column(table, sa.Column("state", sa.Text()))
        op.add_column(table, sa.Column("since", sa.Integer()))
