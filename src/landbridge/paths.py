"""Names of files, folders, sockets and units that more than one room uses. Nothing here touches the host."""

import os
from pathlib import Path

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

#: In a gateway's folder.
CHARON_CONFIGURATION = "strongswan.conf"
CHARON_OUTPUT = "charon.out"
BIRD_CONFIGURATION = "bird.conf"
BIRD_OUTPUT = "bird.out"
#: The options of BIRD's last start, for its unit.
BIRD_OPTIONS = "bird.options"

#: On a host where `landbridge install` was run: the data folder, and the folder of charons' sockets.
DATA = "/var/lib/landbridge"
RUN = "/run/landbridge"
#: The systemd unit of a gateway's charon: this prefix, then the name of the gateway's folder.
CHARON_UNIT = "landbridge-charon@"
#: The same of a gateway's BIRD.
BIRD_UNIT = "landbridge-bird@"

#: strongSwan's IKE daemon, as Debian installs it.
CHARON = "/usr/sbin/charon-systemd"
#: BIRD 2, which speaks BGP, as Debian's package bird2 installs it.
BIRD = "/usr/sbin/bird"
#: The folder of named network namespaces (ip-netns(8)). A gateway's namespace has this prefix, then the name of the gateway's folder.
NETNS = "/run/netns"
NETNS_PREFIX = "lb-"
#: This folder exists when systemd is PID 1 (sd_booted(3)).
SYSTEMD = "/run/systemd/system"

#: Variables of the command line as a client of the API. They are no settings of the service.
CLIENT_VARIABLES = (
    "LANDBRIDGE_CONTEXT",
    "LANDBRIDGE_ENDPOINT",
    "LANDBRIDGE_PROJECT_ID",
    "LANDBRIDGE_ACCESS_KEY",
    "LANDBRIDGE_SECRET_KEY",
    "LANDBRIDGE_TOKEN",
    "LANDBRIDGE_CA_FILE",
)


def default_data() -> str:
    """The data folder without a setting: /var/lib/landbridge for root, and a folder of their own for other users."""
    return DATA if os.geteuid() == 0 else str(Path.home() / ".local/share/landbridge")
