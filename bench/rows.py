"""Fills a data folder with many connections, past the API: the rows of one real create, multiplied."""

import json
import sqlite3
import uuid
from pathlib import Path

COLUMNS = (
    "id, project_id, gateway_id, customer_gateway_id, endpoint, identity, if_id, generation, deleting, spec_version"
)


def multiply(data: Path, rows: int) -> None:
    """Copies the only connection of the folder's database until there are `rows`, counters included."""
    connection = sqlite3.connect(data / "landbridge.db", isolation_level=None)
    connection.execute("pragma synchronous=off")
    connection.execute("pragma cache_size=-500000")
    found = connection.execute(f"select {COLUMNS}, spec from connection").fetchone()
    project, gateway = found[1], found[2]
    spec = json.loads(found[-1])
    text = json.dumps(spec | {"id": "@"}, separators=(",", ":"))

    def copies() -> object:
        for n in range(1, rows):
            made = str(uuid.uuid4())
            yield (made, project, gateway, f"peer-{n}", 1, f"identity-{n}", n + 1, 1, 0, 1, text.replace("@", made, 1))

    connection.execute("begin")
    connection.executemany(f"insert into connection ({COLUMNS}, spec) values ({', '.join('?' * 11)})", copies())
    connection.execute("update gateway_count set connections = ?", (rows,))
    connection.execute("commit")
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
