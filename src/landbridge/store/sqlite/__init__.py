"""SQLite: one file, one writer at a time, concurrent readers. Everything that is specific to SQLite is here.

Belongs here: the dialect, cursors, pragmas, group commit, the writer lock, backups, migrations. Nothing outside imports
`sqlite3` or a dialect of SQLAlchemy.
"""

from landbridge.store.sqlite.database import Database

__all__ = ["Database"]
