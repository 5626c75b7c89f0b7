"""The configuration of a gateway's BIRD, as text. Pure.

BIRD 2 cannot tell which configuration it runs. Its device protocol therefore has the fingerprint of the text as its description, which
`show protocols all` prints. Invariant: the text of a session depends on its own connection and on the gateway alone, so that a
change of one connection restarts no other session: BIRD compares protocols one by one.
"""

import hashlib
import ipaddress
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from landbridge import model
from landbridge.engine.strongswan import names, subnets
from landbridge.model import bgp

#: Milliseconds between the packets of BFD, and the number of lost ones that make a session go down (docs/reference/bgp.md).
BFD_INTERVAL, BFD_MULTIPLIER = 300, 3
#: Seconds that a session may take to come back after BIRD died. The kernel keeps its routes for this time.
RESTART_WAIT = 30
#: Bytes of BIRD's log; as many are kept in a second file.
LOG_LIMIT = 1_000_000
#: Local preferences of learned routes, and the MED of the routes that a standby connection announces (lower is better).
MASTER_PREFERENCE, SLAVE_PREFERENCE, SLAVE_MED = 100, 50, 100
#: Stands for the gateway's folder until the text is written: a plan does not know where folders are.
FOLDER = "@FOLDER@"

_MAIN = """\
log "{folder}/bird.log" {log_limit} "{folder}/bird.log.old" all;
timeformat protocol iso long ms;
timeformat log iso long ms;
timeformat route iso long ms;
router id {router_id};
graceful restart wait {restart_wait};
protocol device {{
  description "{fingerprint}";
  scan time 10;
}}
protocol static locals {{
  ipv4;
{locals}
}}
protocol kernel learned {{
  ipv4 {{
    import none;
    export where source = RTS_BGP && dest = RTD_UNICAST;
  }};
  kernel table {table};
  metric 100;
  merge paths on limit 8;
  scan time 10;
  graceful restart;
}}
"""
#: The interfaces are the tunnels': BFD listens nowhere else.
_KERNEL_PLANE = """\
protocol bfd bfd1 {{
  accept ipv4 direct;
  interface "x*" {{ {bfd_times} }};
}}
"""
#: One TUN carries all, and the inner address lies on `lo`, so the device is a hop away. Next hops are looked up in a table of their own.
_USERLAND_PLANE = """\
ipv4 table inner;
protocol static hops {{
  ipv4 {{ table inner; }};
{hops}
}}
protocol bfd bfd1 {{
  accept ipv4 multihop;
  multihop {{ {bfd_times} }};
}}
"""
_SESSION = """\
filter from_{name} {{
  if net ~ [ {refused} ] then reject;
{only}  bgp_local_pref = {preference};
  accept;
}}
filter to_{name} {{
  if source != RTS_STATIC then reject;
{med}  accept;
}}
protocol bgp {name} {{
  debug {{ states }};
  local {local} as {local_asn};
  neighbor {peer} as {peer_asn};
  {path}
  strict bind;
  hold time {hold_time};
  keepalive time {keepalive_time};
  connect delay time 1;
  connect retry time 5;
  error wait time 2, 10;
  graceful restart;
  bfd;
  ipv4 {{
    {channel}
    import table;
    import keep filtered;
    import filter from_{name};
    export filter to_{name};
    next hop self;
    receive limit {limit} action disable;
  }};
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The BGP session of a connection. `local` and `peer` are the inner addresses, without a mask. `only`: networks within which the device's
    prefixes are accepted; empty: everywhere. `takes_default`: the device may announce a default route.
    """

    connection_id: str
    if_id: int
    local: str
    peer: str
    local_asn: int
    peer_asn: int
    standby: bool
    only: tuple[str, ...] = ()
    takes_default: bool = False

    @property
    def name(self) -> str:
        """The name of its protocol in BIRD."""
        return f"c{self.if_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpConfiguration:
    """What a gateway's BIRD must run. `text` has FOLDER in place of the folder."""

    sessions: tuple[Session, ...]
    text: str
    fingerprint: str


def desired_configuration(
    desired: model.DesiredGateway, supported: Collection[str], plane: model.Plane, *, limit: int = bgp.ROUTE_LIMIT
) -> BgpConfiguration | None:
    """`supported`: ids of the connections that the engine does not refuse. `limit`: a session is closed when its device announces more
    prefixes. None: the gateway needs no BIRD.
    """
    sessions = tuple(_sessions(desired, supported, plane))
    if not sessions:
        return None
    template = "".join(
        (_main(desired, sessions, plane), *(_session(desired, session, plane, limit) for session in sessions))
    )
    fingerprint = hashlib.sha256(template.encode()).hexdigest()[:12]
    return BgpConfiguration(
        sessions=sessions, text=template.replace("@FINGERPRINT@", fingerprint), fingerprint=fingerprint
    )


def _sessions(desired: model.DesiredGateway, supported: Collection[str], plane: model.Plane) -> Iterator[Session]:
    for spec in sorted(desired.connections, key=lambda spec: spec.if_id):
        connection = spec.connection
        if connection.style != "bgp" or spec.id not in supported:
            continue
        if not (connection.tunnel_local_address and connection.tunnel_peer_address and spec.peer_asn):
            raise ValueError(f"connection {spec.id} has no inner addresses or no ASN; it should have been refused")
        declared = {str(subnets.parse_net(subnet)) for subnet in connection.peer_subnets or ()}
        yield Session(
            connection_id=spec.id,
            if_id=spec.if_id,
            local=_host(connection.tunnel_local_address),
            peer=_host(connection.tunnel_peer_address),
            local_asn=desired.gateway.bgp_asn,
            peer_asn=spec.peer_asn,
            standby=desired.gateway.stands_by(connection.ha_role),
            only=tuple(sorted(declared)) if plane == "userland" else (),
            takes_default="0.0.0.0/0" in declared,
        )


def _host(address: str) -> str:
    return str(subnets.parse_host(address).network_address)


def _main(desired: model.DesiredGateway, sessions: tuple[Session, ...], plane: model.Plane) -> str:
    text = _MAIN + (_KERNEL_PLANE if plane == "kernel" else _USERLAND_PLANE)
    return text.format(
        folder=FOLDER,
        fingerprint="@FINGERPRINT@",
        log_limit=LOG_LIMIT,
        router_id=router_id(desired.id),
        restart_wait=RESTART_WAIT,
        table=names.LEARNED_TABLE,
        locals="\n".join(f"  route {net} blackhole;" for net in subnets.local_subnets(desired)),
        hops="\n".join(f'  route {session.peer}/32 via "ipsec0";' for session in sessions),
        bfd_times=f"interval {BFD_INTERVAL} ms; idle tx interval 1 s; multiplier {BFD_MULTIPLIER};",
    )


def router_id(gateway_id: str) -> ipaddress.IPv4Address:
    """A number made of the gateway's id (RFC 6286, 2.1). An address of the gateway may change, and another router id restarts all sessions."""
    return ipaddress.IPv4Address(int.from_bytes(hashlib.sha256(gateway_id.encode()).digest()[:4]) | 1)


def _session(desired: model.DesiredGateway, session: Session, plane: model.Plane, limit: int) -> str:
    only = f"  if ! (net ~ [ {', '.join(f'{net}+' for net in session.only)} ]) then reject;\n"
    in_kernel = plane == "kernel"
    return _SESSION.format(
        name=session.name,
        refused=", ".join(_refused(desired, session)),
        only=only if session.only else "",
        preference=SLAVE_PREFERENCE if session.standby else MASTER_PREFERENCE,
        med=f"  bgp_med = {SLAVE_MED};\n" if session.standby else "",
        local=session.local,
        local_asn=session.local_asn,
        peer=session.peer,
        peer_asn=session.peer_asn,
        path=f'direct;\n  interface "x{session.if_id}";' if in_kernel else "multihop 2;",
        hold_time=bgp.HOLD_TIME,
        keepalive_time=bgp.KEEPALIVE_TIME,
        channel="gateway direct;" if in_kernel else "igp table inner;\n    gateway recursive;",
        limit=limit,
    )


def _refused(desired: model.DesiredGateway, session: Session) -> Iterator[str]:
    """BIRD's patterns of prefixes that are not accepted: a default route that is no peer subnet of the connection, reserved networks, and the
    gateway's own networks with all parts of them.
    """
    if not session.takes_default:
        yield "0.0.0.0/0"
    own_address = subnets.vpc_address(desired.network)
    own = {*subnets.local_subnets(desired), *([own_address.network] if own_address else [])}
    for net in (*model.RESERVED_NETS, *map(str, sorted(own))):
        yield f"{net}+"
