"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "project",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("name", name=op.f("uq_project_name")),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
    )
    op.create_table(
        "access_key",
        sa.Column("access_key", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.Column("revoked_at", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_access_key_project_id")),
        sa.PrimaryKeyConstraint("access_key", name=op.f("pk_access_key")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_access_key_token_hash")),
    )
    op.create_table(
        "counter",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_counter_project_id")),
        sa.PrimaryKeyConstraint("project_id", "kind", name=op.f("pk_counter")),
    )
    op.create_table(
        "customer_gateway",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("spec_version", sa.Integer(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_customer_gateway_project_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_customer_gateway")),
        sa.UniqueConstraint("id", name=op.f("uq_customer_gateway_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_customer_gateway_project_id_seq"), "customer_gateway", ["project_id", "seq"], unique=False)
    op.create_table(
        "tag",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_tag_project_id")),
        sa.PrimaryKeyConstraint("resource_id", "key", name=op.f("pk_tag")),
    )
    op.create_index(
        op.f("ix_tag_project_id_resource_type_key_value"),
        "tag",
        ["project_id", "resource_type", "key", "value"],
        unique=False,
    )
    op.create_table(
        "token",
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_token_project_id")),
        sa.PrimaryKeyConstraint("project_id", "token", name=op.f("pk_token")),
    )
    op.create_index(op.f("ix_token_created_at"), "token", ["created_at"], unique=False)
    op.create_table(
        "vpn_gateway",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("deleting", sa.Integer(), nullable=False),
        sa.Column("spec_version", sa.Integer(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_vpn_gateway_project_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_vpn_gateway")),
        sa.UniqueConstraint("id", name=op.f("uq_vpn_gateway_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_vpn_gateway_project_id_seq"), "vpn_gateway", ["project_id", "seq"], unique=False)
    op.create_table(
        "connection",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("customer_gateway_id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Integer(), nullable=False),
        sa.Column(
            "identity", sa.Text(), nullable=False, comment="peer address and both ids: what tells it apart on the wire"
        ),
        sa.Column(
            "tunnel_block", sa.Integer(), nullable=True, comment="number of its /30; null without a tunnel interface"
        ),
        sa.Column("if_id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("deleting", sa.Integer(), nullable=False),
        sa.Column("simulate", sa.Text(), nullable=True, comment="what the simulated engine is asked to show"),
        sa.Column("psk", sa.LargeBinary(), nullable=True, comment="encrypted"),
        sa.Column("spec_version", sa.Integer(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_gateway_id"], ["customer_gateway.id"], name=op.f("fk_connection_customer_gateway_id")
        ),
        sa.ForeignKeyConstraint(["gateway_id"], ["vpn_gateway.id"], name=op.f("fk_connection_gateway_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_connection_project_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_connection")),
        sa.UniqueConstraint(
            "customer_gateway_id",
            "gateway_id",
            "endpoint",
            name=op.f("uq_connection_customer_gateway_id_gateway_id_endpoint"),
        ),
        sa.UniqueConstraint(
            "gateway_id", "identity", "endpoint", name=op.f("uq_connection_gateway_id_identity_endpoint")
        ),
        sa.UniqueConstraint("gateway_id", "tunnel_block", name=op.f("uq_connection_gateway_id_tunnel_block")),
        sa.UniqueConstraint("id", name=op.f("uq_connection_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_connection_gateway_id_seq"), "connection", ["gateway_id", "seq"], unique=False)
    op.create_index(op.f("ix_connection_project_id_seq"), "connection", ["project_id", "seq"], unique=False)
    op.create_table(
        "endpoint_use",
        sa.Column("endpoint", sa.Text(), nullable=False, comment="EIP id, or address of a private endpoint"),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["gateway_id"], ["vpn_gateway.id"], name=op.f("fk_endpoint_use_gateway_id")),
        sa.PrimaryKeyConstraint("endpoint", name=op.f("pk_endpoint_use")),
    )
    op.create_index(op.f("ix_endpoint_use_gateway_id"), "endpoint_use", ["gateway_id"], unique=False)
    op.create_table(
        "gateway_count",
        sa.Column("gateway_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("connections", sa.Integer(), nullable=False),
        sa.Column("next_if_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["gateway_seq"], ["vpn_gateway.seq"], name=op.f("fk_gateway_count_gateway_seq")),
        sa.PrimaryKeyConstraint("gateway_seq", name=op.f("pk_gateway_count")),
        comment="what every create changes of its gateway, apart from the gateway's long row",
    )
    op.create_table(
        "observation",
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column(
            "applied_generation",
            sa.Integer(),
            nullable=True,
            comment="the newest generation ever reported as wholly applied",
        ),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True, comment="ConnectionObservation; null for the gateway's own row"),
        sa.Column("seen_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["gateway_id"], ["vpn_gateway.id"], name=op.f("fk_observation_gateway_id")),
        sa.PrimaryKeyConstraint("resource_id", name=op.f("pk_observation")),
    )
    op.create_index(op.f("ix_observation_gateway_id"), "observation", ["gateway_id"], unique=False)
