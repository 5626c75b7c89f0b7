"""Compares the site file with the store, and finds gateways that the site file no longer covers and addresses that are not free.

It reads the store and changes nothing. A gateway that the site file does not cover stays as it is: nobody knows how it is attached.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from landbridge import model
from landbridge.rules import gateway as rules
from landbridge.rules import ipv4
from landbridge.store import customer_gateways, gateways, keys
from landbridge.store.database import Transaction

log = logging.getLogger(__name__)
#: Lines that a start logs of a site file that does not fit.
MAX_LOGGED = 100


def uncovered(tx: Transaction, gateway: model.VpnGateway, site: model.Site) -> tuple[str, ...]:
    """The EIPs and the network of the gateway that the site file no longer has. Only a network that the gateway is attached to counts: a
    network that exists only in the API is never missing.
    """
    lost = [
        f"EIP {endpoint.eip_id} ({endpoint.address})"
        for endpoint in gateway.endpoints
        if endpoint.eip_id is not None and site.eip_at(endpoint.address) is None
    ]
    network_id = gateway.network_id or ""
    if site.network(network_id) is None and gateways.owner(tx, rules.vpc_link(network_id)) == gateway.id:
        lost.append(f"network {network_id}")
    return tuple(lost)


def fit(
    tx: Transaction, site: model.Site, own: frozenset[str], routers: frozenset[str]
) -> tuple[model.Site, list[str]]:
    """The site with the addresses that are not free, and a line for each thing that does not fit. `own` are the machine's addresses,
    `routers` those of the routers that it uses.
    """
    of_devices = devices(tx, site)
    lines = [*occupied(site, own, "this machine"), *occupied(site, routers, "a router")]
    lines += [*occupied(site, of_devices, "a customer gateway"), *warnings(tx, site)]
    return replace(site, machine_addresses=own, unavailable_addresses=routers | of_devices), lines


def log_warnings(lines: Sequence[str]) -> None:
    for line in lines[:MAX_LOGGED]:
        log.warning("site: %s", line)
    if len(lines) > MAX_LOGGED:
        log.warning("site: and %d lines more of that kind", len(lines) - MAX_LOGGED)


def warnings(tx: Transaction, site: model.Site) -> Iterator[str]:
    """A line for each thing in the store that differs from the site file. Everything stays as it is."""
    yield from unknown_projects(site, {project_id for project_id, _ in keys.projects(tx)})
    for gateway in gateways.list_active(tx):
        for finding in (*uncovered(tx, gateway, site), *_not_granted(gateway, site)):
            yield f"VPN gateway {gateway.id} has {finding}, which the site file does not give it; it is left as it is"


def unknown_projects(site: model.Site, known: AbstractSet[str]) -> list[str]:
    """A line for each project that the site file names and that is not known."""
    lists = [*(eip.projects for eip in site.eips), *(network.projects for network in site.networks)]
    named = {project for listed in lists for project in listed}
    return [f"the site file names project {project}, which does not exist" for project in sorted(named - known)]


def _not_granted(gateway: model.VpnGateway, site: model.Site) -> Iterator[str]:
    """Returns what the gateway uses and the site file has for other projects, or not for private gateways."""
    own = site.for_project(gateway.project_id)
    for endpoint in gateway.endpoints:
        if endpoint.eip_id is None and not _is_kept(endpoint.address, site):
            yield f"the private address {endpoint.address}"
        elif endpoint.eip_id is not None and own.eip_at(endpoint.address) is None and site.eip_at(endpoint.address):
            yield f"EIP {endpoint.eip_id} ({endpoint.address})"
    network_id = gateway.network_id or ""
    if own.network(network_id) is None and site.network(network_id) is not None:
        yield f"network {network_id}"


def occupied(site: model.Site, addresses: Collection[str], whose: str) -> list[str]:
    """A line for each of the addresses that the site file keeps for private gateways. `whose` has them."""
    kept = sorted(address for address in addresses if _is_kept(address, site))
    return [
        f"{address} is kept for private gateways, and {whose} has it; no private gateway gets it" for address in kept
    ]


def devices(tx: Transaction, site: model.Site) -> frozenset[str]:
    """Addresses of customer gateways that the site file keeps for private gateways."""
    return frozenset(address for address in customer_gateways.addresses(tx) if _is_kept(address, site))


def _is_kept(address: str, site: model.Site) -> bool:
    number = ipv4.parse_address(address)
    return number is not None and any(ipv4.is_between(number, ends) for ends in site.ranges())
