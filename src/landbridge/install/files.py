"""The files that an installation writes, and their paths. Nothing here touches the host."""

from collections.abc import Mapping
from dataclasses import dataclass

from landbridge import paths

ETC = "/etc/landbridge"
CONFIGURATION = f"{ETC}/landbridge.toml"
SITE = f"{ETC}/site.toml"
SERVICE = "landbridge.service"
#: The Debian package has the program here. What runs is a copy of it, as in every installation.
PACKAGED = "/usr/lib/landbridge/package"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where an installation has its files. `home` has the copies of the program, `units` those of systemd."""

    home: str
    command: str
    units: str
    sysctl: str
    needrestart: str

    @property
    def versions(self) -> str:
        return f"{self.home}/versions"

    @property
    def current(self) -> str:
        """The link to the copy that runs."""
        return f"{self.home}/current"

    @property
    def switched_off(self) -> str:
        """Lists the units of other packages that `landbridge install` switched off, one a line. `landbridge uninstall` switches them on again."""
        return f"{self.home}/switched-off"


#: The layout of `landbridge install`.
OWN = Layout(
    home="/opt/landbridge",
    command="/usr/local/bin/landbridge",
    units="/etc/systemd/system",
    sysctl="/etc/sysctl.d/60-landbridge.conf",
    needrestart="/etc/needrestart/conf.d/landbridge-opt.conf",
)
#: The layout of the Debian package, which brings the command and all files of `managed` itself. The file for needrestart is a conffile, so it has another name.
PACKAGE = Layout(
    home="/usr/lib/landbridge",
    command="/usr/bin/landbridge",
    units="/usr/lib/systemd/system",
    sysctl="/usr/lib/sysctl.d/60-landbridge.conf",
    needrestart="/etc/needrestart/conf.d/landbridge.conf",
)
#: A gateway's folder; systemd replaces %i by its name.
_FOLDER = f"{paths.DATA}/{paths.ENGINE}/%i"
#: The memory limit of a gateway's charon.
CHARON_MEMORY = "1G"
#: The memory limit of a gateway's BIRD.
BIRD_MEMORY = "256M"

# `ip netns add` must mount where the whole host sees it. Every setting that gives a unit a mount namespace (Protect… of
# paths, Private…, ReadOnly…) would keep those mounts from the host and from the charons: there is none here on purpose.
_SERVICE = f"""\
# An upgrade replaces this file. Your changes: systemctl edit landbridge.service
[Unit]
Description=Landbridge, site-to-site VPN service (API and agent)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={{current}}/bin/landbridge serve --config {CONFIGURATION} --data {paths.DATA}
Restart=on-failure
RestartSec=2
# A start that migrates the database asks for more time.
TimeoutStartSec=300
TimeoutStopSec=30
# Charons have units of their own. Those that were started without them are left alone too.
KillMode=process
# Half of these files are for the connections of clients, in each process that answers.
LimitNOFILE=65536
# The API answers, and the agent works, while charons are busy.
CPUWeight=200
# A core file would hold keys.
LimitCORE=0
StateDirectory=landbridge
StateDirectoryMode=0700
# The sockets of running charons lie here, also while this unit is stopped.
RuntimeDirectory=landbridge
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
UMask=0077

# No setting here may give this unit a mount namespace: the host and the charons must see the network namespaces that it makes.
NoNewPrivileges=yes
# SYS_ADMIN to make and enter network namespaces, SYS_PTRACE to see which processes are in one.
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_DAC_OVERRIDE CAP_KILL
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
RestrictNamespaces=net mnt
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
"""

_CHARON = f"""\
# An upgrade replaces this file. Your changes: systemctl edit {paths.CHARON_UNIT}
# The instance is the 12 hex digits that name a gateway's folder, network namespace and socket.
[Unit]
Description=Landbridge, IKE daemon of gateway %i
StartLimitIntervalSec=0
# One that failed is told by the service; it need not be kept.
CollectMode=inactive-or-failed

[Service]
Type=notify
NetworkNamespacePath={paths.NETNS}/{paths.NETNS_PREFIX}%i
Environment=STRONGSWAN_CONF={_FOLDER}/{paths.CHARON_CONFIGURATION}
ExecStart={paths.CHARON}
StandardOutput=truncate:{_FOLDER}/{paths.CHARON_OUTPUT}
StandardError=inherit
TimeoutStartSec=20
TimeoutStopSec=5
# A fresh charon knows no connection: the service starts one, and loads it.
Restart=no
OOMScoreAdjust=-500
# A charon with a thousand tunnels takes 45 MB and 40 tasks. One that grows is ended, and started anew by the service, before it takes
# the other gateways' memory. With a weight, 32 busy threads of one gateway get no more of the processors than one of another.
MemoryHigh=768M
MemoryMax={CHARON_MEMORY}
TasksMax=128
CPUWeight=100
# A core file would hold keys.
LimitCORE=0
UMask=0077

NoNewPrivileges=yes
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_CHOWN CAP_DAC_OVERRIDE CAP_IPC_LOCK CAP_SETPCAP
ProtectSystem=strict
ReadWritePaths={_FOLDER} {paths.RUN}
ProtectHome=yes
PrivateTmp=yes
ProtectControlGroups=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectClock=yes
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_KEY AF_PACKET
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
"""

_BIRD = f"""\
# An upgrade replaces this file. Your changes: systemctl edit {paths.BIRD_UNIT}
# The instance is the 12 hex digits that name a gateway's folder, network namespace and socket.
[Unit]
Description=Landbridge, BGP daemon of gateway %i
StartLimitIntervalSec=0
# One that failed is told by the service; it need not be kept.
CollectMode=inactive-or-failed

[Service]
Type=exec
NetworkNamespacePath={paths.NETNS}/{paths.NETNS_PREFIX}%i
# The service reads the times of its log.
Environment=TZ=UTC
EnvironmentFile={_FOLDER}/{paths.BIRD_OPTIONS}
ExecStart={paths.BIRD} -f -c {_FOLDER}/{paths.BIRD_CONFIGURATION} -s {paths.RUN}/%i.ctl $OPTIONS
StandardOutput=truncate:{_FOLDER}/{paths.BIRD_OUTPUT}
StandardError=inherit
TimeoutStartSec=20
TimeoutStopSec=5
# The service starts it, since only the service knows whether routes of before may stay.
Restart=no
OOMScoreAdjust=-500
# A BIRD with 200 sessions takes 6 MB; the limits of prefixes bound the rest.
MemoryMax={BIRD_MEMORY}
TasksMax=16
CPUWeight=100
LimitCORE=0
UMask=0077

NoNewPrivileges=yes
# Routes and the binding to interfaces; port 179.
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE
ProtectSystem=strict
ReadWritePaths={paths.RUN}
# BIRD runs as root and speaks with foreign devices. Of the data it sees its gateway's folder alone: no master key, database or credentials.
# A list of inaccessible files would miss a file that another one replaces.
TemporaryFileSystem={paths.DATA}:ro
BindPaths={_FOLDER}
InaccessiblePaths=-{ETC}
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectControlGroups=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectKernelTunables=yes
ProtectClock=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
"""

_SYSCTL = """\
# Packets for the gateways' addresses pass this machine.
net.ipv4.ip_forward = 1
"""

#: Perl, which needrestart evaluates. Its own list has Debian's daemons (strongswan, bird), not units with other names.
_NEEDRESTART = f"""\
# After an upgrade of a library, needrestart proposes no restart of the daemons of gateways, and does none by itself: it would end their tunnels or
# sessions. It lists them. Restart one when its gateway may be without tunnels: systemctl restart {paths.CHARON_UNIT}<12 hex digits>
$nrconf{{override_rc}}{{qr(^{paths.CHARON_UNIT})}} = 0;
$nrconf{{override_rc}}{{qr(^{paths.BIRD_UNIT})}} = 0;
"""


def managed(layout: Layout) -> Mapping[str, str]:
    """The files that each installation and upgrade replaces: path -> text."""
    return {
        f"{layout.units}/{SERVICE}": _SERVICE.format(current=layout.current),
        f"{layout.units}/{paths.CHARON_UNIT}.service": _CHARON,
        f"{layout.units}/{paths.BIRD_UNIT}.service": _BIRD,
        layout.sysctl: _SYSCTL,
        layout.needrestart: _NEEDRESTART,
    }


_CONFIGURATION = f"""\
# Settings of Landbridge on this host; `landbridge check-config` reads them. All of them: docs/reference/settings.md.
# Written once; yours from now on. After a change: systemctl restart landbridge (tunnels stay up).

[serve]
# listen = "127.0.0.1:8700"
site = "{SITE}"

[engine]
# Every gateway's IKE daemon runs in a unit of its own, {paths.CHARON_UNIT}<12 hex digits>.service.
systemd = true
"""

_SITE = """\
# The inventory of this host: addresses that gateways may have, and the networks behind them. Written once; yours from now on.
# docs/how-to/run-a-gateway.md has a whole example for each kind of machine. After a change: systemctl restart landbridge.
# Every public gateway takes two [[eip]], for one address too (see there): n gateways need 2n.

# [[eip]]
# id = "7f0c3a52-5d0e-4c7e-9a43-0d1c2b3a4f51"      # any UUID: python3 -c 'import uuid; print(uuid.uuid4())'
# address = "203.0.113.7/24"
# gateway = "203.0.113.1"
# interface = "eth0"
# attach = "macvlan"                               # macvlan, routed or nat

# [[network]]
# id = "0cf79a3f-6cf9-4d9c-a8df-d7ace626b0fa"      # the vpc_id of the API
# cidr = "10.0.0.0/24"
# interface = "eth1"
# address = "10.0.0.1/24"
"""

#: `landbridge install` writes these where they are missing, and never replaces them.
INITIAL_FILES = {CONFIGURATION: _CONFIGURATION, SITE: _SITE}
