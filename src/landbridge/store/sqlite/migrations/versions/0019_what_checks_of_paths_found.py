"""The finding of a check of a path has a column. It distinguishes checks from probes, and a check with a new finding from one with the last."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connection_probe", sa.Column("finding", sa.Text()))
