"""Connection monitors get rows of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "connection_monitor",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_connection_monitor_project_id")),
        sa.ForeignKeyConstraint(["connection_id"], ["connection.id"], name=op.f("fk_connection_monitor_connection_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_connection_monitor")),
        sa.UniqueConstraint("id", name=op.f("uq_connection_monitor_id")),
        sa.UniqueConstraint("connection_id", name=op.f("uq_connection_monitor_connection_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_connection_monitor_project_id_seq"), "connection_monitor", ["project_id", "seq"], unique=False
    )
    op.execute(
        "INSERT INTO connection_monitor (id, project_id, connection_id) "
        "SELECT json_extract(spec, '$.monitor_id'), project_id, id FROM connection "
        "WHERE deleting = 0 AND json_extract(spec, '$.monitor_id') IS NOT NULL ORDER BY seq"
    )
