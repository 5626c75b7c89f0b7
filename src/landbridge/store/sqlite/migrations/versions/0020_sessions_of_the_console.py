"""Sessions of the console, and links that sign in once."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "console_session",
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("access_key", sa.Text(), nullable=False),
        sa.Column("began_at", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["access_key"], ["access_key.access_key"], name="fk_console_session_access_key"),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_console_session"),
    )
    op.create_table(
        "sign_in_link",
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("access_key", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["access_key"], ["access_key.access_key"], name="fk_sign_in_link_access_key"),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_sign_in_link"),
    )
