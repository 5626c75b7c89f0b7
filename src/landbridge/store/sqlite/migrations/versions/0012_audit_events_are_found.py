"""The audit events of a project, and those of a resource, are found by their time."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_audit_project_id_at"), "audit", ["project_id", "at"])
    op.create_index(op.f("ix_audit_resource_id_at"), "audit", ["resource_id", "at"])
