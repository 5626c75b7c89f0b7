"""The data folder: the database, its master key, the first credentials, and the files of the engine.

    folder       where it is, and who works on it (locks)
    opening      what every command on the folder starts with
    master_key   the key that the database's secrets are encrypted under, and its rotation
    backups      backup and restore of the database
    credentials  `credentials.toml` and `endpoint`

Invariant: whenever the power goes, the next start finds a whole database under its own name, and beside it the master key that opens it.
"""

from landbridge.data_folder.backups import Saved, restore, save, watch_migration
from landbridge.data_folder.folder import check_no_service, ensure, find, locked, sole_service
from landbridge.data_folder.master_key import Rotated, rotate_master
from landbridge.data_folder.opening import Data, check_data, known_projects, open_data

__all__ = [
    "Data",
    "Rotated",
    "Saved",
    "check_data",
    "check_no_service",
    "ensure",
    "find",
    "known_projects",
    "locked",
    "open_data",
    "restore",
    "rotate_master",
    "save",
    "sole_service",
    "watch_migration",
]
