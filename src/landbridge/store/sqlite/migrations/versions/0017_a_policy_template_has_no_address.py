"""On the wire, the device of a policy-template has no fixed address, whatever customer gateway it is.

A row whose new identity is another connection's keeps its old one: the engine refuses the younger of the two, with the reason.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE OR IGNORE connection SET identity = 'any' || substr(identity, instr(identity, char(10)))"
        " WHERE json_extract(spec, '$.style') = 'policy-template' AND instr(identity, char(10)) > 0"
    )
