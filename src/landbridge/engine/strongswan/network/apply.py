"""Carries out the steps of a gateway's network. Raises OSError or NetlinkError. Every step is idempotent."""

from typing import assert_never

from landbridge.engine.strongswan import names
from landbridge.engine.strongswan.network import links, namespace, nftables, steps, xfrm


def apply(gateway_id: str, underlay: str | None, step: steps.NetworkStep) -> None:  # noqa: C901, PLR0912, PLR0915  a table of steps
    """`underlay`: the namespace around the gateways, None for the machine's own."""
    name, owner = names.namespace(gateway_id), names.short(gateway_id)
    match step:
        case steps.AddNamespace():
            namespace.add(name)
        case steps.AttachNamespace(pid):
            namespace.attach(name, pid)
        case steps.EnsureUplink(kind, next_hop):
            links.ensure_uplink(gateway_id, underlay, kind, next_hop)
        case steps.EnsureVpcLink(kind):
            links.ensure_vpc_link(gateway_id, underlay, kind)
        case steps.MoveUplink(kind, next_hop, addresses):
            links.check_move(gateway_id, underlay, "wan", kind)
            links.delete(gateway_id, underlay, "wan")
            links.ensure_uplink(gateway_id, underlay, kind, next_hop)
            links.add_addresses(gateway_id, underlay, addresses)
        case steps.MoveVpcLink(kind, addresses):
            links.check_move(gateway_id, underlay, "lan", kind)
            links.delete(gateway_id, underlay, "lan")
            links.ensure_vpc_link(gateway_id, underlay, kind)
            links.add_addresses(gateway_id, underlay, addresses)
        case steps.DeleteUplink():
            links.delete(gateway_id, underlay, "wan")
        case steps.DeleteVpcLink():
            links.delete(gateway_id, underlay, "lan")
        case steps.AddAddresses(addresses):
            links.add_addresses(gateway_id, underlay, addresses)
        case steps.DeleteAddresses(addresses):
            links.delete_addresses(gateway_id, underlay, addresses)
        case steps.EnsureRules(rules):
            links.ensure_rules(gateway_id, rules)
        case steps.EnsureFilterTable(table, learned):
            namespace.inside(name, lambda _: nftables.load(table, learned=learned))
        case steps.EnsureLearnedSources(table, interfaces, learned):
            namespace.inside(name, lambda _: nftables.load_learned(table, interfaces, learned))
        case steps.DeleteLearnedRoutes():
            links.delete_learned_routes(gateway_id)
        case steps.EnsureNatTable(table):
            namespace.inside(underlay, lambda _: nftables.load(table, owner))
        case steps.DeleteNatTable():
            namespace.inside(underlay, lambda _: nftables.load(None, owner))
        case steps.EnsureTunnel(_, tunnel):
            namespace.inside(name, lambda ip: xfrm.ensure(ip, tunnel))
        case steps.EnsureSharedRoutes(routes):
            namespace.inside(name, lambda ip: xfrm.ensure_shared_routes(ip, routes))
        case steps.DeleteTunnel(_, if_id):
            namespace.inside(name, lambda ip: xfrm.delete(ip, if_id))
        case steps.DeleteNamespace():
            namespace.remove(name)
        case _:
            assert_never(step)
