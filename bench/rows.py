"""Fills a data folder with many connections, past the API: the rows of one real connection, multiplied, as the engine saw it."""

import json
import sqlite3
import uuid
from pathlib import Path

COLUMNS = (
    "id, project_id, gateway_id, customer_gateway_id, endpoint, identity, if_id, generation, deleting, spec_version"
)


SEEN = "gateway_id, applied_generation, failure, seen_at"


def multiply(data: Path, rows: int) -> None:
    """Copies the only connection of the folder's database, and what was seen of it, until there are `rows`: the same number on
    each of its gateways, counters included.
    """
    connection = sqlite3.connect(data / "landbridge.db", isolation_level=None)
    connection.execute("pragma synchronous=off")
    connection.execute("pragma cache_size=-500000")
    [found] = connection.execute(f"select {COLUMNS}, spec from connection").fetchall()
    original, project = found[:2]
    spec = json.loads(found[-1])
    text = json.dumps(spec | {"id": "@", "gateway_id": "#"}, separators=(",", ":"))
    [report] = connection.execute("select report from observation where resource_id = ?", (original,)).fetchone()
    gateways = [found[0] for found in connection.execute("select id from vpn_gateway")]
    ids = [str(uuid.uuid4()) for _ in range(1, rows)]

    def copies() -> object:
        for n, made in enumerate(ids, start=1):
            gateway = gateways[n % len(gateways)]
            copy = text.replace("@", made, 1).replace("#", gateway, 1)
            yield (made, project, gateway, f"peer-{n}", 1, f"identity-{n}", n + 1, 1, 0, 1, copy)

    def seen() -> object:
        for made in ids:
            yield (made, report.replace(original, made))

    connection.execute("begin")
    connection.executemany(f"insert into connection ({COLUMNS}, spec) values ({', '.join('?' * 11)})", copies())
    connection.executemany(
        f"insert into observation ({SEEN}, resource_id, report)"
        f" select {SEEN}, ?1, ?2 from observation where resource_id = '{original}'",
        seen(),
    )
    connection.execute("update gateway_count set connections = ?", (rows // len(gateways),))
    connection.execute("commit")
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
