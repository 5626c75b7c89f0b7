"""A gateway counts how often it was asked to start anew, and has jobs and a certificate."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("vpn_gateway", sa.Column("restarts", sa.Integer(), server_default=sa.text("0"), nullable=False))
    _table("gateway_job", [], one_a_gateway=False)
    _table("gateway_certificate", [sa.Column("private_keys", sa.LargeBinary(), nullable=False)], one_a_gateway=True)


def _table(name: str, more: list[sa.Column[bytes]], *, one_a_gateway: bool) -> None:
    unique = [sa.UniqueConstraint("gateway_id", name=op.f(f"uq_{name}_gateway_id"))] if one_a_gateway else []
    op.create_table(
        name,
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        *more,
        sa.Column("spec", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f(f"fk_{name}_project_id")),
        sa.ForeignKeyConstraint(["gateway_id"], ["vpn_gateway.id"], name=op.f(f"fk_{name}_gateway_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint("id", name=op.f(f"uq_{name}_id")),
        *unique,
        sqlite_autoincrement=True,
    )
    if not one_a_gateway:
        op.create_index(op.f(f"ix_{name}_gateway_id"), name, ["gateway_id"], unique=False)
    op.create_index(op.f(f"ix_{name}_project_id_seq"), name, ["project_id", "seq"], unique=False)
