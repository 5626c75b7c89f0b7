"""A stored CHILD_SA has the time of its installation, in place of the seconds since then at the last look."""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

OLD = """
    SELECT o.connection_seq, o.report, g.seen_at FROM connection_observation o JOIN connection c ON c.seq = o.connection_seq
    JOIN gateway_observation g USING (gateway_seq) WHERE o.report LIKE '%"installed_seconds"%'
"""
NEW = "UPDATE connection_observation SET report = :report WHERE connection_seq = :seq"


def upgrade() -> None:
    database = op.get_bind()
    for seq, report, seen_at in database.execute(sa.text(OLD)).all():
        database.execute(sa.text(NEW), {"seq": seq, "report": _with_times(json.loads(report), seen_at)})


def _with_times(report: dict[str, object], seen_at: int) -> str:
    for child in report["children"]:  # type: ignore[attr-defined]
        moment = seen_at / 1000 - child.pop("installed_seconds")
        child["installed_at"] = datetime.fromtimestamp(moment, UTC).isoformat()
    return json.dumps(report, separators=(",", ":"))
