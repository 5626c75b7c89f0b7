"""Samples of connections."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_ECHOES = ("sent", "lost", "rtt_total", "rtt_min", "rtt_max")


def upgrade() -> None:
    op.create_table(
        "connection_sample",
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("step", "position", "connection_seq", "slot")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("observed", "up", "bytes_in", "bytes_out")),
        *(sa.Column(f"{kind}_{name}", sa.Integer()) for kind in ("nqa", "monitor") for name in _ECHOES),
        sa.PrimaryKeyConstraint("step", "position", "connection_seq", name="pk_connection_sample"),
        sqlite_with_rowid=False,
    )
