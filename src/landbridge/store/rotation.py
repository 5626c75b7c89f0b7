"""Seals all secrets again under another master key, in the caller's transaction: sealed keys, access keys, certificates and PSKs."""

from sqlalchemy import bindparam, select, update

from landbridge.store import sealed_keys, tables, vault
from landbridge.store.database import Transaction
from landbridge.store.statement import Statement

CHUNK = 5000

_connection, _access_key, _sealed_key = tables.connection, tables.access_key, tables.sealed_key
_gateway_certificate = tables.gateway_certificate
_PSKS = Statement(
    select(_connection.c.seq, _connection.c.id, _connection.c.psk)
    .where(_connection.c.psk.is_not(None), _connection.c.seq > bindparam("after"))
    .order_by(_connection.c.seq)
    .limit(bindparam("limit"))
)
_PUT_PSK = Statement(update(_connection).where(_connection.c.seq == bindparam("of")).values(psk=bindparam("sealed")))
_SECRETS = Statement(select(_access_key.c.access_key, _access_key.c.secret))
_PUT_SECRET = Statement(
    update(_access_key).where(_access_key.c.access_key == bindparam("of")).values(secret=bindparam("sealed"))
)
_CERTIFICATES = Statement(select(_gateway_certificate.c.id, _gateway_certificate.c.private_keys))
_PUT_KEYS = Statement(
    update(_gateway_certificate)
    .where(_gateway_certificate.c.id == bindparam("of"))
    .values(private_keys=bindparam("sealed"))
)
_KEYS = Statement(select(_sealed_key.c.name, _sealed_key.c.value))
_PUT_KEY = Statement(update(_sealed_key).where(_sealed_key.c.name == bindparam("of")).values(value=bindparam("sealed")))


def rotate(tx: Transaction, old: vault.Vault, new: vault.Vault) -> int:
    """Returns how many values are sealed anew. Raises ConfigError when one does not open under the old key."""
    return _keys(tx, old, new) + _secrets(tx, old, new) + _certificates(tx, old, new) + _psks(tx, old, new)


def _keys(tx: Transaction, old: vault.Vault, new: vault.Vault) -> int:
    """Before the first rotation the key of digests is derived from the master key; from then on it is kept."""
    if sealed_keys.find(tx, vault.DIGEST_KEY) is None:
        sealed_keys.add(tx, vault.DIGEST_KEY, old.seal(old.digest_key, vault.DIGEST_KEY))
    rows = [{"of": name, "sealed": new.seal(old.open(value, name), name)} for name, value in tx.all(_KEYS)]
    tx.run_many(_PUT_KEY, rows)
    return len(rows)


def _secrets(tx: Transaction, old: vault.Vault, new: vault.Vault) -> int:
    rows = [
        {"of": access_key, "sealed": new.seal(old.open(secret, access_key), access_key)}
        for access_key, secret in tx.all(_SECRETS)
    ]
    tx.run_many(_PUT_SECRET, rows)
    return len(rows)


def _certificates(tx: Transaction, old: vault.Vault, new: vault.Vault) -> int:
    rows = [
        {"of": row_id, "sealed": new.seal(old.open(sealed, row_id), row_id)} for row_id, sealed in tx.all(_CERTIFICATES)
    ]
    tx.run_many(_PUT_KEYS, rows)
    return len(rows)


def _psks(tx: Transaction, old: vault.Vault, new: vault.Vault) -> int:
    done, after = 0, 0
    while rows := tx.all(_PSKS, after=after, limit=CHUNK):
        tx.run_many(
            _PUT_PSK, [{"of": seq, "sealed": new.seal(old.open(psk, row_id), row_id)} for seq, row_id, psk in rows]
        )
        done, after = done + len(rows), rows[-1][0]
    return done
