"""The page of the overview: problems first, then every gateway with its tunnels."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from landbridge import model
from landbridge.console import grid
from landbridge.console.page_context import Answered, PageContext
from landbridge.operations import overview
from landbridge.operations.overview import Overview, OverviewGateway, Tunnel

#: Cells of all grids of a page that are links.
LINKS = 200
#: Characters of a text that is searched.
TEXT_LIMIT = 100
_PARAMETERS = ("q", "health", "gateway", "redundancy", "page", "gateways")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPicture:
    """`lines` or `grid` show the tunnels."""

    number: int
    address: str
    tunnels: Sequence[Tunnel]
    lines: Sequence[Tunnel]
    grid: grid.Grid | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPicture:
    """`tally`: (health, number) of all tunnels of the gateway."""

    gateway: model.VpnGateway
    status: model.GatewayStatus
    endpoints: Sequence[EndpointPicture]
    tally: Sequence[tuple[model.TunnelHealth, int]]
    redundancy: str
    redundancy_health: str


async def show(context: PageContext) -> Answered:
    """The content of the page depends on its caller only by its buttons, so it is rendered once for all viewers with the same role."""
    given = {name: context.query.get(name) for name in _PARAMETERS}
    request = requested(given)

    def finish(overview: Overview) -> str:
        return context.part("overview_content.html", **_values(overview, request, given))

    key = (tuple(given.items()), context.may("admin"))
    content = await context.read(overview.select, await selection(context, request), finish, key=key)
    return context.render("overview.html", content=content)


async def selection(context: PageContext, request: model.OverviewRequest) -> overview.Selection:
    """Returns what the request asks for, of all tunnels or of those of its VPN gateway. It is read once for all viewers."""
    asked = model.OverviewDataRequest(gateway_id=request.gateway_id)
    data: overview.OverviewData = await context.read(overview.read, asked, key=asked)
    if asked.gateway_id is None:
        context.dependencies.cache.note(context.project_id, sum(map(len, data.tunnels.values())))
    return overview.Selection(data=data, request=request)


def requested(given: Mapping[str, str | None]) -> model.OverviewRequest:
    """Returns what the address asks for. Values that no link of the console has are left out."""
    wanted = set((given["health"] or "").split(","))
    return model.OverviewRequest(
        text=(given["q"] or "").strip()[:TEXT_LIMIT],
        health=frozenset(health for health in model.HEALTH_ORDER if health in wanted),
        gateway_id=given["gateway"] or None,
        redundant=False if given.get("redundancy") == "no" else None,
        page=page_number(given["page"]),
        gateway_page=page_number(given.get("gateways")),
    )


def chips(overview: Overview, chosen: Collection[model.TunnelHealth]) -> list[tuple[model.TunnelHealth, int, bool]]:
    """Each health that a tunnel has or that was chosen: the number of its tunnels, and whether it was chosen."""
    by_health = overview.by_health
    return [
        (health, by_health.get(health, 0), health in chosen)
        for health in model.HEALTH_ORDER
        if by_health.get(health) or health in chosen
    ]


def page_number(text: str | None) -> int:
    return max(1, int(text)) if text and text.isascii() and text.isdigit() and len(text) < 7 else 1


def _values(result: Overview, request: model.OverviewRequest, given: Mapping[str, str | None]) -> dict[str, Any]:
    total = sum(result.by_health.values())
    return {
        "overview": result,
        "request": request,
        "given": given,
        "total": total,
        "chips": chips(result, request.health),
        "filtered": any(given[name] for name in ("q", "health", "gateway", "redundancy")),
        "faults": [gateway for gateway in result.gateways if gateway.status.status == "FAULT"],
        "summary": summary(result.by_health),
        "pictures": pictures(result.gateways),
        "gateways_a_page": overview.GATEWAYS,
    }


def summary(by_health: Mapping[model.TunnelHealth, int]) -> str:
    """One sentence, which a screen reader says when it changes."""
    total = sum(by_health.values())
    if not total:
        return "No tunnel"
    up = by_health.get("up", 0) + by_health.get("warning", 0)
    bad = ", ".join(
        f"{by_health[health]} {health}" for health in model.HEALTH_ORDER if health != "up" and by_health.get(health)
    )
    return f"{up} of {total} tunnels up" + (f", {bad}" if bad else "")


def pictures(gateways: Sequence[OverviewGateway]) -> list[GatewayPicture]:
    links, pictures = LINKS, []
    for gateway in gateways:
        endpoints = []
        for endpoint in gateway.gateway.endpoints:
            tunnels = [tunnel for tunnel in gateway.tunnels if tunnel.endpoint == endpoint.number]
            is_small = len(gateway.tunnels) <= grid.LINES
            drawn = None if is_small else grid.draw(tunnels, links)
            links -= len(drawn.links) if drawn else 0
            endpoints.append(
                EndpointPicture(
                    number=endpoint.number,
                    address=endpoint.address,
                    tunnels=tunnels,
                    lines=tunnels if is_small else (),
                    grid=drawn,
                )
            )
        pictures.append(_picture(gateway, endpoints))
    return pictures


def _picture(gateway: OverviewGateway, endpoints: Sequence[EndpointPicture]) -> GatewayPicture:
    words, health = "", ""
    if gateway.redundant is not None:
        is_met, is_configured = gateway.redundant
        words = "redundancy met" if is_met else "redundancy not met"
        health = "" if is_met else "down" if is_configured else "warning"
    return GatewayPicture(
        gateway=gateway.gateway,
        status=gateway.status,
        endpoints=endpoints,
        tally=[(health, gateway.by_health[health]) for health in model.HEALTH_ORDER if gateway.by_health.get(health)],
        redundancy=words,
        redundancy_health=health,
    )
