"""Changes of BGP sessions are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bgp_change",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("connection_seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["connection_seq"], ["connection.seq"], name=op.f("fk_bgp_change_connection_seq")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_bgp_change")),
    )
    op.create_index(op.f("ix_bgp_change_connection_seq_seq"), "bgp_change", ["connection_seq", "seq"])
