"""Fills a data folder with many connections, past the API: the rows of one real connection, multiplied, as the engine saw it."""

import base64
import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from landbridge.store import vault

COLUMNS = "seq, id, project_id, gateway_seq, customer_gateway_seq, endpoint, identity, if_id, generation, deleting, spec_version"


def multiply(data: Path, rows: int, *, peers: bool = False) -> None:
    """Copies the only connection of the folder's database, and what was seen of it, until there are `rows`: the same number on
    each of its gateways, counters and changes of the status included. `peers`: each has a customer gateway of its own; otherwise of nobody.
    """
    connection = sqlite3.connect(data / "landbridge.db", isolation_level=None)
    connection.execute("pragma synchronous=off")
    connection.execute("pragma cache_size=-500000")
    [found] = connection.execute(f"select {COLUMNS}, spec from connection").fetchall()
    first, original, project = found[:3]
    spec = json.loads(found[-1])
    text = json.dumps(spec | {"id": "@", "gateway_id": "#"}, separators=(",", ":"))
    observed = "connection_seq, applied_generation, report, state, since"
    [(_, applied, report, *rest)] = connection.execute(f"select {observed} from connection_observation").fetchall()
    states = connection.execute("select at, status, cause from connection_state order by seq").fetchall()
    gateways = connection.execute("select seq, id from vpn_gateway").fetchall()
    [(first_peer, version, peer_text)] = connection.execute(
        "select seq, spec_version, spec from customer_gateway"
    ).fetchall()
    peer_spec = json.loads(peer_text)
    ids = [str(uuid.uuid4()) for _ in range(1, rows)]

    def copies() -> Iterator[tuple[object, ...]]:
        for n, made in enumerate(ids, start=1):
            seq, gateway = gateways[n % len(gateways)]
            copy = text.replace("@", made, 1).replace("#", gateway, 1)
            peer = first_peer + n if peers else -n
            yield (first + n, made, project, seq, peer, 1, f"identity-{n}", n + 1, 1, 0, 1, copy)

    def devices() -> Iterator[tuple[object, ...]]:
        for n in range(1, rows):
            own = {
                "id": str(uuid.uuid4()),
                "name": f"site-{n}",
                "id_value": f"20.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}",
            }
            yield (first_peer + n, own["id"], project, version, json.dumps(peer_spec | own, separators=(",", ":")))

    def looks() -> Iterator[tuple[object, ...]]:
        for n, made in enumerate(ids, start=1):
            yield (first + n, applied, report.replace(original, made), *rest)

    connection.execute("begin")
    if peers:
        connection.executemany(
            "insert into customer_gateway (seq, id, project_id, spec_version, spec) values (?, ?, ?, ?, ?)", devices()
        )
    connection.executemany(f"insert into connection ({COLUMNS}, spec) values ({', '.join('?' * 12)})", copies())
    connection.executemany(f"insert into connection_observation ({observed}) values (?, ?, ?, ?, ?)", looks())
    for state in states:
        copied = ((first + n, *state) for n in range(1, rows))
        connection.executemany(
            "insert into connection_state (connection_seq, at, status, cause) values (?, ?, ?, ?)", copied
        )
    connection.execute("update gateway_count set connections = ?", (rows // len(gateways),))
    connection.execute("commit")
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()


def markers(data: Path, project_id: str, after: Iterable[int]) -> list[str]:
    """Markers of pages of the project's connections: each page begins after the row of this number."""
    safe = vault.Vault(vault.read_key(data / "master.key"))
    sealed = (safe.seal_marker(number, f"page of connections of {project_id}") for number in after)
    return [base64.urlsafe_b64encode(one).decode() for one in sealed]
