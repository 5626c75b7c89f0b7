"""A connection counts how often it was asked to be reset."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connection", sa.Column("resets", sa.Integer(), server_default=sa.text("0"), nullable=False))
