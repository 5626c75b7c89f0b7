"""Names of files, folders, sockets and units that more than one room uses. Nothing here touches the host."""

#: In the data folder.
DATABASE = "landbridge.db"
MASTER_KEY = "master.key"
CREDENTIALS = "credentials.toml"
#: Holds the URL of the API, as the last start wrote it. It is there without credentials too.
ENDPOINT = "endpoint"
#: The running service holds a lock on this file.
LOCK = "lock"
#: The folder of the engine: one folder for each gateway.
ENGINE = "engine"
