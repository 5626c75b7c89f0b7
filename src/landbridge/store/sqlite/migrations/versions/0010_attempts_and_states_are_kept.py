"""The last attempts of a connection, those of strangers at a gateway, and the changes of a connection's status have a place."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, owner, owners in (
        ("connection_attempt", "connection_seq", "connection"),
        ("stranger_attempt", "gateway_seq", "vpn_gateway"),
    ):
        op.create_table(
            table,
            sa.Column(owner, sa.Integer(), nullable=False),
            sa.Column("number", sa.Integer(), nullable=False),
            sa.Column("report", sa.Text(), nullable=False),
            sa.ForeignKeyConstraint([owner], [f"{owners}.seq"], name=op.f(f"fk_{table}_{owner}")),
            sa.PrimaryKeyConstraint(owner, "number", name=op.f(f"pk_{table}")),
        )
    op.create_table(
        "connection_state",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("connection_seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text()),
        sa.ForeignKeyConstraint(
            ["connection_seq"], ["connection.seq"], name=op.f("fk_connection_state_connection_seq")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_connection_state")),
    )
    _keep_lines()
    op.create_index(op.f("ix_connection_state_connection_seq_seq"), "connection_state", ["connection_seq", "seq"])


def _keep_lines() -> None:
    """What an observation has of a daemon's log becomes an attempt of which nobody knows more."""
    database = op.get_bind()
    rows = database.execute(sa.text("SELECT connection_seq, report FROM connection_observation")).all()
    for seq, report in rows:
        said = json.loads(report or "{}").get("evidence")
        if said:
            attempt = {
                "id": "1",
                "configuration": "",
                "began_at": said[0]["at"],
                "ended_at": said[-1]["at"],
                "began_by": "us",
                "outcome": "stopped",
                "facts": [{"kind": "unknown", **line} for line in said],
            }
            database.execute(
                sa.text("INSERT INTO connection_attempt (connection_seq, number, report) VALUES (:seq, 1, :report)"),
                {"seq": seq, "report": json.dumps(attempt)},
            )
