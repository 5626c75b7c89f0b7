"""The overview: all gateways and tunnels of a project at a glance, and the tunnels with problems first."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from landbridge import model
from landbridge.operations import status_lists
from landbridge.operations.call import Call
from landbridge.operations.operation import operation
from landbridge.status import connection as connection_status
from landbridge.status import gateway as gateway_status
from landbridge.status import redundancy
from landbridge.store import gateways, pauses
from landbridge.store import overview as store
from landbridge.store.database import Transaction

#: Gateways of a page.
GATEWAYS = 20
_ORDER = {health: n for n, health in enumerate(model.HEALTH_ORDER)}


class Tunnel(NamedTuple):
    """A connection in the overview."""

    seq: int
    id: str
    name: str
    endpoint: int
    health: model.TunnelHealth
    cause: str | None
    since: int
    #: The name of its customer gateway.
    peer: str
    #: The address or identity of its customer gateway.
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewGateway:
    """A gateway with its tunnels, for the overview."""

    gateway: model.VpnGateway
    status: model.GatewayStatus
    #: The tunnels that match the request, oldest first.
    tunnels: Sequence[Tunnel]
    #: Health -> the number of all tunnels of the gateway with this health.
    by_health: Mapping[model.TunnelHealth, int]
    #: Whether its redundancy is met now, and whether it would be met if all its connections were up; None without a
    #: subnet.
    redundant: tuple[bool, bool] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The overview of a project: a page of its tunnels and a page of its gateways."""

    #: Health -> the number of tunnels that match the text and the gateway.
    by_health: Mapping[model.TunnelHealth, int]
    #: (name of the gateway, tunnel) of all pages, the worst health first.
    listed: Sequence[tuple[str, Tunnel]]
    #: A page of `listed`, with the status of each tunnel.
    rows: Sequence[tuple[Tunnel, status_lists.ResourceStatus]]
    #: The number of rows of all pages.
    total: int
    #: The page of gateways that have a matching tunnel, or no tunnel at all.
    gateways: Sequence[OverviewGateway]
    gateway_total: int
    #: The number of gateways whose redundancy is not met.
    without_redundancy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewData:
    """The stored data of all gateways of a project, or of one gateway. `met`: gateway id -> `OverviewGateway.redundant`."""

    known: Mapping[int, gateways.GatewayRow]
    states: Mapping[int, model.GatewayStatus]
    tunnels: Mapping[int, Sequence[Tunnel]]
    met: Mapping[str, tuple[bool, bool] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A request for a part of data that was read before."""

    data: OverviewData
    request: model.OverviewRequest


@operation("read_estate", "reader", "long read")
def read(tx: Transaction, call: Call, request: model.OverviewDataRequest) -> OverviewData:
    """Reads every tunnel of the project or of a gateway. This is the expensive part, which all pages have in common."""
    paused = pauses.list_all(tx)
    known = {
        row.seq: row for row in gateways.list_all(tx, call.project_id) if request.gateway_id in (None, row.gateway.id)
    }
    only = next(iter(known), 0) if request.gateway_id is not None else None
    states = {
        seq: gateway_status.derive(
            row, call.now, call.service.unseen_after, status_lists.paused_since(paused, row.gateway.id)
        )
        for seq, row in known.items()
    }
    unseen = {seq for seq, state in states.items() if state.not_seen_since is not None}
    peers = store.customer_gateways(tx, call.project_id, only)
    rows = list(store.tunnels(tx, call.project_id, only))
    tunnels: defaultdict[int, list[Tunnel]] = defaultdict(list)
    for row in rows:
        is_seen = row.gateway_seq not in unseen
        tunnels[row.gateway_seq].append(_tunnel(row, peers[row.customer_gateway_seq], is_seen=is_seen))
    met = {known[seq].gateway.id: redundancy.met(group) for seq, group in store.carrying(rows).items()}
    return OverviewData(known=known, states=states, tunnels=tunnels, met=met)


def _tunnel(row: store.TunnelRow, peer: tuple[str, str], *, is_seen: bool) -> Tunnel:
    status = connection_status.name_from_facts(row.facts)
    cause = row.cause if row.noted == status else None
    health = model.tunnel_health(status, is_seen=is_seen, is_warned=cause is not None)
    return Tunnel(row.seq, row.id, row.name, row.endpoint, health, cause, row.since or 0, *peer)


@operation("select_estate", "reader", "long read")
def select(tx: Transaction, call: Call, selection: Selection) -> Overview:
    """The part of the data that the request asks for, with the reasons of the listed tunnels."""
    data, request = selection.data, selection.request
    known, met = data.known, data.met
    gateway_seqs = _wanted(known, met, request)
    words = request.text.lower().split()
    fitting = {seq: _with_text(known[seq].gateway, data.tunnels.get(seq, ()), words) for seq in gateway_seqs}
    by_health = Counter(tunnel.health for group in fitting.values() for tunnel in group)
    shown = {
        seq: [tunnel for tunnel in group if not request.health or tunnel.health in request.health]
        for seq, group in fitting.items()
    }
    is_filtered = bool(request.text or request.health)
    pictured = [seq for seq, group in shown.items() if group or not is_filtered]
    page = pictured[(request.gateway_page - 1) * GATEWAYS :][:GATEWAYS]
    listed = sorted(
        (
            (known[seq].gateway.name, tunnel)
            for seq, group in shown.items()
            for tunnel in group
            if request.health or tunnel.health != "up"
        ),
        key=_gravest,
    )
    page_of_rows = [tunnel for _, tunnel in listed[(request.page - 1) * request.limit :][: request.limit]]
    return Overview(
        by_health=by_health,
        listed=listed,
        rows=_explained(tx, call, page_of_rows),
        total=len(listed),
        gateways=[
            OverviewGateway(
                gateway=known[seq].gateway,
                status=data.states[seq],
                tunnels=shown[seq],
                by_health=Counter(tunnel.health for tunnel in data.tunnels.get(seq, ())),
                redundant=met.get(known[seq].gateway.id),
            )
            for seq in page
        ],
        gateway_total=len(pictured),
        without_redundancy=sum(redundancy is not None and not redundancy[0] for redundancy in met.values()),
    )


def _wanted(
    known: Mapping[int, gateways.GatewayRow],
    met: Mapping[str, tuple[bool, bool] | None],
    request: model.OverviewRequest,
) -> list[int]:
    """The gateways that fit the request."""

    def fits(gateway_id: str) -> bool:
        redundancy = met.get(gateway_id)
        is_met = redundancy[0] if redundancy else None
        return request.gateway_id in (None, gateway_id) and request.redundant in (None, is_met)

    return [seq for seq, row in known.items() if fits(row.gateway.id)]


def _with_text(gateway: model.VpnGateway, tunnels: Sequence[Tunnel], words: Sequence[str]) -> Sequence[Tunnel]:
    """The tunnels that match all words, and none of the words with a leading `-`. The words may also match their gateway."""
    if not words:
        return tunnels
    unwanted = [word[1:] for word in words if word.startswith("-") and len(word) > 1]
    own = "\n".join((gateway.name, gateway.id, *(endpoint.address for endpoint in gateway.endpoints))).lower()
    remaining_words = [word for word in words if not (word.startswith("-") and len(word) > 1) and word not in own]
    if any(word in own for word in unwanted):
        return ()
    return [
        tunnel
        for tunnel in tunnels
        if all(_has(tunnel, word) for word in remaining_words) and not any(_has(tunnel, word) for word in unwanted)
    ]


def _has(tunnel: Tunnel, word: str) -> bool:
    return (
        word in tunnel.name.lower()
        or word in tunnel.peer.lower()
        or word in tunnel.address.lower()
        or word == tunnel.id
    )


def _gravest(listed: tuple[str, Tunnel]) -> tuple[int, int]:
    """The worst health first, and for the same health the newest change first."""
    tunnel = listed[1]
    return _ORDER[tunnel.health], -tunnel.since


def _explained(
    tx: Transaction, call: Call, tunnels: Sequence[Tunnel]
) -> list[tuple[Tunnel, status_lists.ResourceStatus]]:
    statuses = dict(status_lists.rows_of(tx, call, [tunnel.seq for tunnel in tunnels]))
    return [(tunnel, statuses[tunnel.seq]) for tunnel in tunnels]
