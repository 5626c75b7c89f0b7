"""What a check of the path through a tunnel found has a column: it tells these checks from probes, and a later one with the same finding is no news."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connection_probe", sa.Column("finding", sa.Text()))
