"""Warnings about a connection of style bgp: the ASNs of both sides, and what the VPN gateway announces. Pure."""

from collections.abc import Collection, Iterator

from landbridge import model


def warnings(
    connection: model.Connection,
    gateway: model.VpnGateway,
    customer_gateway: model.CustomerGateway,
    local_subnets: Collection[str],
) -> Iterator[model.Warning]:
    """`local_subnets`: those of the VPN gateway, or of the network of its er."""
    if connection.style != "bgp":
        return
    asn = customer_gateway.bgp_asn
    if asn is None:
        yield model.Warning(
            "cgw_id", "the customer gateway has no bgp_asn: there can be no BGP session, and the connection is ERROR"
        )
    elif asn == gateway.bgp_asn:
        yield model.Warning(
            "cgw_id",
            f"the customer gateway has the ASN of the VPN gateway ({asn}): in one AS (iBGP) a device passes learned routes on to no other"
            " router of the AS. Use two ASNs",
        )
    if not local_subnets:
        yield model.Warning("vgw_id", "the VPN gateway has no local subnets, so it announces nothing over BGP")
