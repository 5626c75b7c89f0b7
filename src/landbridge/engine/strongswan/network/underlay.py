"""Checks the machine around the gateways: whether it has what the site file names, and whether an outer address may be routed here.

It looks and changes nothing. Invariant: no gateway gets a route to an address that is this machine's own, a router's that this
machine uses, or that somebody else has set a route for.
"""

from collections.abc import Iterable, Iterator

from landbridge import model
from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.network import namespace, netlink


def missing(site: model.Site) -> list[str]:
    """A line for each thing of the site file that this machine does not have."""
    if site.underlay is not None and not namespace.exists(site.underlay):
        return [f"[[node]] underlay: there is no network namespace {site.underlay}"]
    return namespace.read(site.underlay, lambda read: list(_missing(read, site)))


def _missing(read: netlink.Reader, site: model.Site) -> Iterator[str]:
    links = {link.name: link for link in read.links()}
    own = {_host(address.text) for address in read.addresses()}
    for network in site.networks:
        place = f"[[network]] {network.id}"
        if network.bridge:
            yield from _wrong_link(f"{place} bridge", links.get(network.bridge), network.bridge, "bridge")
        if network.interface:
            yield from _wrong_link(f"{place} interface", links.get(network.interface), network.interface)
        if network.address and _host(network.address) in own:
            yield f"{place} address: {network.address} is this machine's own; the gateway needs one that is free"
    for eip in site.eips:
        place = f"[[eip]] {eip.id}"
        if eip.attach == "macvlan" and eip.interface:
            yield from _wrong_link(f"{place} interface", links.get(eip.interface), eip.interface)
        if eip.attach == "nat" and eip.address not in own:
            yield f"{place} address: {eip.address} is not this machine's own, as attach = nat needs it"
        if eip.attach != "nat" and eip.address in own:
            yield f"{place} address: {eip.address} is this machine's own, which goes with attach = nat alone"


def _wrong_link(place: str, link: netlink.Link | None, name: str, kind: str = "") -> Iterator[str]:
    if link is None:
        yield f"{place}: there is no interface {name}"
    elif kind and link.kind != kind:
        yield f"{place}: {name} is no {kind}"
    elif not link.up:
        yield f"{place}: {name} is down (ip link set {name} up)"


def addresses(site: model.Site) -> tuple[frozenset[str], frozenset[str]]:
    """This machine's own addresses in the underlay, and those of the routers that it uses."""

    def pairs(read: netlink.Reader) -> tuple[frozenset[str], frozenset[str]]:
        own = frozenset(_host(address.text) for address in read.addresses())
        return own, frozenset(route.gateway for route in read.routes() if route.gateway)

    return namespace.read(site.underlay, pairs)


def check_free(read: netlink.Reader, outer: Iterable[str]) -> None:
    """Raises OSError when a gateway may not have one of these addresses on this machine."""
    routers = {route.gateway for route in read.routes()}
    for address in outer:
        route, stays_here = read.route_get(address) or (None, False)
        if stays_here:
            raise OSError(f"{address} is this machine's own address")
        if address in routers:
            raise OSError(f"{address} is a router of this machine")
        if route is not None and route.net == f"{address}/32" and not _is_ours(read, route.link):
            raise OSError(f"{address} has a route on this machine that Landbridge did not set")


def _is_ours(read: netlink.Reader, link: int) -> bool:
    """Whether the route is ours. Another gateway's counts too: that gateway no longer has the address, since the store gives an address to one."""
    observed = read.link(ifindex=link) if link else None
    return observed is not None and names.is_uplink_peer(observed.name)


def _host(address: str) -> str:
    return address.split("/", maxsplit=1)[0]
