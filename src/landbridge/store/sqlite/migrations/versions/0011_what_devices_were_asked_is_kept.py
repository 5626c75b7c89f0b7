"""The probes of a connection have a place: orders, and what the device answered."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "connection_probe",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("connection_seq", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Text()),
        sa.Column("probed_at", sa.Integer()),
        sa.Column("configuration", sa.Text()),
        sa.Column("report", sa.Text()),
        sa.ForeignKeyConstraint(
            ["connection_seq"], ["connection.seq"], name=op.f("fk_connection_probe_connection_seq")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_connection_probe")),
        sa.UniqueConstraint("id", name=op.f("uq_connection_probe_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_connection_probe_connection_seq_seq"), "connection_probe", ["connection_seq", "seq"], unique=False
    )
