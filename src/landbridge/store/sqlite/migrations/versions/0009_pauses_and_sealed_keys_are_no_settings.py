"""Each pause and each sealed key was a row of `setting`; they have a place of their own now."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sealed_key",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sealed_key")),
    )
    op.create_table(
        "pause",
        sa.Column("gateway_seq", sa.Integer()),
        sa.Column("since", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["gateway_seq"], ["vpn_gateway.seq"], name=op.f("fk_pause_gateway_seq")),
        sa.UniqueConstraint("gateway_seq", name=op.f("uq_pause_gateway_seq")),
    )
    keys = "name IN ('fingerprint-key', 'digest-key')"
    op.execute(f"INSERT INTO sealed_key (name, value) SELECT name, value FROM setting WHERE {keys}")  # noqa: S608
    since = "CAST(CAST(value AS TEXT) AS INTEGER)"
    op.execute(f"INSERT INTO pause (since) SELECT {since} FROM setting WHERE name = 'paused'")  # noqa: S608
    op.execute(
        f"INSERT INTO pause (gateway_seq, since) SELECT seq, {since}"  # noqa: S608
        " FROM setting JOIN vpn_gateway ON name = 'paused ' || id"
    )
    op.execute(f"DELETE FROM setting WHERE {keys} OR name = 'paused' OR name LIKE 'paused %'")  # noqa: S608
