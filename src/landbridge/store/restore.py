"""Prepares a database that was restored from a backup."""

from sqlalchemy import bindparam, delete, select, update

from landbridge import errors, model
from landbridge.store import tables
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

#: A setting that backups alone have: the fingerprint of the master key that their secrets are sealed under.
FINGERPRINT = "backup-master-key"
#: By how much each gateway's next if_id jumps at a restore: more connections than a gateway gets between a backup and
#: the loss of its database. 511 restores fit below model.IF_ID_END.
IF_ID_GAP = 2**20

_END_SESSIONS = (Statement(delete(tables.console_session)), Statement(delete(tables.sign_in_link)))
_DELETE_FINGERPRINT = Statement(delete(tables.setting).where(tables.setting.c.name == bindparam("name")))
_FURTHEST = Statement(
    select(tables.vpn_gateway.c.id, tables.gateway_count.c.next_if_id)
    .join(tables.gateway_count, tables.gateway_count.c.gateway_seq == tables.vpn_gateway.c.seq)
    .order_by(tables.gateway_count.c.next_if_id.desc())
    .limit(1)
)
_JUMP = Statement(update(tables.gateway_count).values(next_if_id=tables.gateway_count.c.next_if_id + bindparam("gap")))


def prepare(tx: Transaction) -> None:
    """Skips IF_ID_GAP interface ids of every gateway, deletes what a backup alone has, and ends all sessions of the console.

    Connections that were made after the backup may still be up in engines. The agent will remove them, but until then no new
    connection may get the if_id of one of them (nor, most likely, its /30: the same number picks that). Raises ConfigError when a
    gateway has too few interface ids left.
    """
    for gateway_id, next_if_id in tx.all(_FURTHEST):
        if next_if_id + IF_ID_GAP >= model.IF_ID_END:
            raise errors.ConfigError(
                f"VPN gateway {gateway_id} has had {next_if_id:,} interface ids (a restore takes {IF_ID_GAP:,} of the "
                f"{model.IF_ID_END:,}): move its connections to a new gateway and take a new backup"
            )
    tx.run(_DELETE_FINGERPRINT, name=FINGERPRINT)
    tx.run(_JUMP, gap=IF_ID_GAP)
    for statement in _END_SESSIONS:
        tx.run(statement)
