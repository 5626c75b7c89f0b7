"""A connection names its ends by their seq, and what was seen of it stands under its own: keys a fifth as long.

SQLite changes no column's type: the table is made anew. Its sequence goes on, so that no seq is given twice; a row without
its ends stops everything (NOT NULL). What was seen of nothing stays behind.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SAME = (
    "seq, id, project_id, endpoint, identity, tunnel_block, if_id, generation, deleting, simulate, psk, spec_version, "
    "spec, resets"
)


def upgrade() -> None:
    op.execute("PRAGMA cache_size = -262144")  # the indexes of a million rows are filled in no order
    _observations()
    op.execute("DROP TABLE observation")  # first: what it leaves free is used again
    _connections()
    op.execute("DROP TABLE connection")
    op.rename_table("connection_new", "connection")
    op.create_index(op.f("ix_connection_gateway_seq_seq"), "connection", ["gateway_seq", "seq"], unique=False)
    op.create_index(op.f("ix_connection_project_id_seq"), "connection", ["project_id", "seq"], unique=False)


def _connections() -> None:
    op.create_table(
        "connection_new",
        sa.Column("seq", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("gateway_seq", sa.Integer(), nullable=False),
        sa.Column("customer_gateway_seq", sa.Integer(), nullable=False),
        sa.Column("endpoint", sa.Integer(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("tunnel_block", sa.Integer(), nullable=True),
        sa.Column("if_id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("deleting", sa.Integer(), nullable=False),
        sa.Column("simulate", sa.Text(), nullable=True),
        sa.Column("psk", sa.LargeBinary(), nullable=True),
        sa.Column("spec_version", sa.Integer(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("resets", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_connection_project_id")),
        sa.ForeignKeyConstraint(["gateway_seq"], ["vpn_gateway.seq"], name=op.f("fk_connection_gateway_seq")),
        sa.ForeignKeyConstraint(
            ["customer_gateway_seq"], ["customer_gateway.seq"], name=op.f("fk_connection_customer_gateway_seq")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_connection")),
        sa.UniqueConstraint("id", name=op.f("uq_connection_id")),
        sa.UniqueConstraint("gateway_seq", "tunnel_block", name=op.f("uq_connection_gateway_seq_tunnel_block")),
        sa.UniqueConstraint(
            "gateway_seq", "identity", "endpoint", name=op.f("uq_connection_gateway_seq_identity_endpoint")
        ),
        sa.UniqueConstraint(
            "customer_gateway_seq",
            "gateway_seq",
            "endpoint",
            name=op.f("uq_connection_customer_gateway_seq_gateway_seq_endpoint"),
        ),
        sqlite_autoincrement=True,
    )
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) "
        "SELECT 'connection_new', seq FROM sqlite_sequence WHERE name = 'connection'"
    )
    op.execute(
        f"INSERT INTO connection_new ({SAME}, gateway_seq, customer_gateway_seq) "  # noqa: S608 - columns of this file
        f"SELECT {', '.join(f'connection.{column}' for column in SAME.split(', '))}, vpn_gateway.seq, customer_gateway.seq "
        "FROM connection "
        "LEFT JOIN vpn_gateway ON vpn_gateway.id = connection.gateway_id "
        "LEFT JOIN customer_gateway ON customer_gateway.id = connection.customer_gateway_id "
        "ORDER BY connection.seq"
    )


def _observations() -> None:
    op.create_table(
        "gateway_observation",
        sa.Column("gateway_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("applied_generation", sa.Integer(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("seen_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["gateway_seq"], ["vpn_gateway.seq"], name=op.f("fk_gateway_observation_gateway_seq")),
        sa.PrimaryKeyConstraint("gateway_seq", name=op.f("pk_gateway_observation")),
    )
    op.execute(
        "INSERT INTO gateway_observation (gateway_seq, applied_generation, failure, report, seen_at) "
        "SELECT vpn_gateway.seq, applied_generation, failure, report, seen_at "
        "FROM vpn_gateway CROSS JOIN observation ON resource_id = vpn_gateway.id ORDER BY vpn_gateway.seq"
    )
    op.create_table(
        "connection_observation",
        sa.Column("connection_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("applied_generation", sa.Integer(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_seq"], ["connection.seq"], name=op.f("fk_connection_observation_connection_seq")
        ),
        sa.PrimaryKeyConstraint("connection_seq", name=op.f("pk_connection_observation")),
    )
    op.execute(
        "INSERT INTO connection_observation (connection_seq, applied_generation, report) "
        "SELECT connection.seq, applied_generation, report "
        "FROM connection CROSS JOIN observation ON resource_id = connection.id ORDER BY connection.seq"
    )
