"""What this machine can do at all. These floors know nothing of the product and do not change with it.

(a) constant: a bare Starlette route on uvicorn that returns constant bytes, without middleware
(b) grouped: a create's own SQL through plain sqlite3 in groups of 32, a FULL commit a group, no HTTP
(c) single: FULL commits of one such row, one client
"""

import os
import sqlite3
import time
from pathlib import Path

#: Bytes of one stored connection, about.
SPEC = "x" * 1200


def app() -> object:
    """The application of floor (a), for `uvicorn --factory bench.floors:app`."""
    from starlette.applications import Starlette  # noqa: PLC0415 - only the server process of floor (a) needs it
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    content = SPEC.encode()

    async def answer(_: Request) -> Response:
        return Response(content, 201, media_type="application/json")

    return Starlette(routes=[Route("/create", answer, methods=["POST"])])


SCHEMA = """
create table gateway (id text primary key, spec text, n integer, next integer);
create table peer (id text primary key, spec text);
create table connection (
  seq integer primary key autoincrement, id text unique, project text, gateway text, peer text, endpoint integer,
  identity text, block integer, psk blob, spec text, unique (gateway, block), unique (gateway, identity, endpoint),
  unique (gateway, peer, endpoint)
);
create index connection_project on connection (project, seq);
create index connection_gateway on connection (gateway, seq);
create table counter (project text, kind text, value integer, primary key (project, kind));
create table audit (seq integer primary key autoincrement, at integer, actor text, action text, resource text);
insert into counter values ('p', 'connection', 0);
"""


def _open(folder: Path) -> sqlite3.Connection:
    path = folder / f"floor-{os.urandom(4).hex()}.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.executescript(SCHEMA)
    for n in range(100):
        connection.execute("insert into gateway values (?, ?, 0, 1)", (f"g{n}", SPEC))
        connection.execute("insert into peer values (?, ?)", (f"p{n}", SPEC))
    return connection


def _create(cursor: sqlite3.Cursor, n: int) -> None:
    gateway, peer = f"g{n % 100}", f"p{n % 100}"
    cursor.execute("select spec, n, next from gateway where id = ?", (gateway,)).fetchone()
    cursor.execute("select spec from peer where id = ?", (peer,)).fetchone()
    cursor.execute(
        "select id from connection where (gateway = ? and peer = ?) or (gateway = ? and identity = ?)"
        " or (gateway = ? and block in (?, ?, ?, ?))",
        (gateway, f"n{n}", gateway, f"i{n}", gateway, n, n + 1, n + 2, n + 3),
    ).fetchall()
    cursor.execute(
        "insert into connection (id, project, gateway, peer, endpoint, identity, block, psk, spec)"
        " values (?, 'p', ?, ?, 1, ?, ?, ?, ?)",
        (f"c{n}", gateway, f"n{n}", f"i{n}", n, b"x" * 40, SPEC),
    )
    cursor.execute("update gateway set n = n + 1, next = next + 1 where id = ?", (gateway,))
    cursor.execute("update counter set value = value + 1 where project = 'p' and kind = 'connection'")
    cursor.execute("insert into audit (at, actor, action, resource) values (?, 'a', 'create', ?)", (n, f"c{n}"))


def grouped(folder: Path, seconds: float, group: int = 32) -> float:
    """Floor (b): creates a second."""
    connection = _open(folder)
    cursor = connection.cursor()
    n, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        cursor.execute("begin immediate")
        for _ in range(group):
            cursor.execute("savepoint one")
            _create(cursor, n)
            cursor.execute("release one")
            n += 1
        cursor.execute("commit")
    took = time.perf_counter() - started
    connection.close()
    return n / took


def single(folder: Path, seconds: float) -> float:
    """Floor (c): commits a second."""
    connection = _open(folder)
    n, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        connection.execute(
            "insert into connection (id, project, gateway, peer, endpoint, identity, block, psk, spec)"
            " values (?, 'p', 'g', ?, 1, ?, ?, ?, ?)",
            (f"c{n}", f"n{n}", f"i{n}", n, b"x" * 40, SPEC),
        )
        n += 1
    took = time.perf_counter() - started
    connection.close()
    return n / took
