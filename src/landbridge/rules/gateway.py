"""Creating a VPN gateway: the rules of the API page, the site's inventory, and the complete gateway.

`check` lists all violations; `complete` may be called only when there are none.
"""

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import fields, ipv4, policies

#: The store's entry for the VPC link to a network with an address is `leg <network id>`: rows of older versions have this word.
VPC_LINK = "leg"
#: How many endpoints a gateway has.
ENDPOINTS = 2
NO_RANGE = 'public, or another network; the operator writes gateway_addresses = "FIRST-LAST" into its [[network]] of the site file'
#: Networks that a refusal lists.
LISTED = 20

Taken = Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """The site, and what gateways have taken of it. `taken`: EIP id, private address or VPC link -> the gateway that has it;
    None when the gateway is another project's.
    """

    site: model.Site
    taken: Taken
    connection_limit: int | None = None


def template(flavor: str) -> model.PolicyTemplate | None:
    """The policy template of a new gateway of this flavor. None: the flavor has no template."""
    if not flavor.endswith(allowed_values.NON_FIXED_IP):
        return None
    ike, ipsec = policies.IKE, policies.IPSEC
    return model.PolicyTemplate(
        ike_authentication_algorithm=ike.authentication_algorithm.default,
        ike_encryption_algorithm=ike.encryption_algorithm.default,
        ike_dh_group=ike.dh_group.default,
        ike_lifetime_seconds=ike.lifetime_seconds.default,
        ipsec_authentication_algorithm=ipsec.authentication_algorithm.default,
        ipsec_encryption_algorithm=ipsec.encryption_algorithm.default,
        ipsec_pfs=ipsec.pfs.default,
        ipsec_lifetime_seconds=ipsec.lifetime_seconds.default,
    )


def zones(site: model.Site) -> dict[tuple[str, str], tuple[str, ...]]:
    """(flavor, attachment type) -> the zones for gateways of that kind. Every zone carries every flavor. Basic does not
    go with er.
    """
    return {
        (flavor, attachment): () if (flavor, attachment) == ("Basic", "er") else site.zones
        for flavor in allowed_values.FLAVORS
        for attachment in allowed_values.GATEWAY.attachment_type.values
    }


def _chosen(request: model.GatewayRequest, field: str) -> str:
    allowed: allowed_values.Choice = getattr(allowed_values.GATEWAY, field)
    return allowed.complete(getattr(request, field))


def _eips(
    request: model.GatewayRequest,
) -> tuple[tuple[str, model.EipRequest | None], tuple[str, model.EipRequest | None]]:
    """(field, request) for the EIP of each endpoint. The field is `eip1` or the older `master_eip`."""
    first = (
        ("master_eip", request.master_eip) if request.eip1 is None and request.master_eip else ("eip1", request.eip1)
    )
    second = ("slave_eip", request.slave_eip) if request.eip2 is None and request.slave_eip else ("eip2", request.eip2)
    return first, second


def check(request: model.GatewayRequest, facts: SiteFacts) -> Iterator[model.Violation]:
    yield from fields.check_name("name", request.name)
    for field, allowed in vars(allowed_values.GATEWAY).items():
        yield from fields.check_value(field, getattr(request, field), allowed)
    yield from _check_attachment(request, facts)
    yield from _check_local_subnets(request)
    for path, subnet_id in (("connect_subnet", request.connect_subnet), ("access_subnet_id", request.access_subnet_id)):
        if subnet_id is not None:
            yield from fields.check_uuid(path, subnet_id, "a subnet")
    yield from fields.check_value("bgp_asn", request.bgp_asn, allowed_values.ASN)
    yield from _check_flavor(request)
    yield from _check_zones(request, facts.site)
    yield from _check_enterprise_project(request.enterprise_project_id)
    if _chosen(request, "network_type") == "private":
        yield from _check_private(request, facts)
    else:
        yield from _check_public(request, facts)
    yield from fields.check_tags("tags", request.tags or ())


def _check_attachment(request: model.GatewayRequest, facts: SiteFacts) -> Iterator[model.Violation]:
    to_er = _chosen(request, "attachment_type") == "er"
    field, network_id = ("er_id", request.er_id) if to_er else ("vpc_id", request.vpc_id)
    malformed = list(fields.check_uuid(field, network_id, "a network of the site"))
    yield from malformed
    known = network_id.lower() if network_id is not None else ""
    network = facts.site.network(known)
    if not malformed and (network is None or _is_others(network, facts.taken)):
        wrong = f"{network_id} is not in the site file, or not free for this project"
        yield model.Violation(field, wrong, f"one of its networks: {_listed_networks(facts)}")
    else:
        for key in _vpc_link(network):
            if key in facts.taken:
                wrong = f"the address in this network that the site file has is used by VPN gateway {facts.taken[key]}"
                yield model.Violation(field, wrong, "a network of the site that no other gateway is plugged into")
    if not to_er and request.er_id is not None:
        yield model.Violation("er_id", "must not be filled if attachment_type is not er", "leave it out")
    if to_er and request.vpc_id is not None:
        yield from fields.check_uuid("vpc_id", request.vpc_id, "a VPC")
    if request.access_vpc_id is not None:
        yield from fields.check_uuid("access_vpc_id", request.access_vpc_id, "a VPC")


def _is_others(network: model.Network, taken: Taken) -> bool:
    """Whether a gateway of another project is attached to the network. The network then belongs to that project alone."""
    return any(key in taken and taken[key] is None for key in _vpc_link(network))


def _listed_networks(facts: SiteFacts) -> str:
    """The networks that the project may use. A long list is shortened."""
    free = [network.id for network in facts.site.networks if not _is_others(network, facts.taken)]
    more = f" and {len(free) - LISTED} more" if len(free) > LISTED else ""
    return ", ".join(free[:LISTED]) + more or "none"


def vpc_link(network_id: str) -> str:
    """The key in `SiteFacts.taken` of the one gateway that is attached to the network."""
    return f"{VPC_LINK} {network_id}"


def _vpc_link(network: model.Network | None) -> tuple[str, ...]:
    return (vpc_link(network.id),) if network is not None and network.address is not None else ()


def uses(gateway: model.VpnGateway, network: model.Network | None) -> tuple[str, ...]:
    """The resources of the site that the gateway uses exclusively: EIPs or private addresses, and the one address in its network."""
    return (*(endpoint.eip_id or endpoint.address for endpoint in gateway.endpoints), *_vpc_link(network))


def endpoints_asked(request: model.GatewayRequest, site: model.Site) -> set[str] | None:
    """The keys that `SiteFacts.taken` must have: the EIPs and addresses that the request names. None: all keys, since the service picks EIPs
    from the pool or addresses from a range.
    """
    eips = [eip.id if eip is not None else None for _, eip in _eips(request)]
    addresses = [request.access_private_ip_1, request.access_private_ip_2]
    private = _chosen(request, "network_type") == "private"
    if addresses == [None, None] if private else None in eips:
        return None
    named = {identifier.lower() for identifier in (*eips, *addresses) if identifier is not None}
    return named.union(*(_vpc_link(network) for network in site.networks))


def _check_local_subnets(request: model.GatewayRequest) -> Iterator[model.Violation]:
    if request.local_subnets_v6:
        yield model.Violation("local_subnets_v6", allowed_values.NO_IPV6, "leave it out")
    if _chosen(request, "attachment_type") == "er":
        if request.local_subnets:
            yield model.Violation(
                "local_subnets", "must not be filled if attachment_type is er", "leave it out: the router knows them"
            )
    elif request.local_subnets is None:
        yield model.Violation("local_subnets", "is mandatory", fields.SUBNETS_ALLOWED)
    else:
        yield from check_own_subnets("local_subnets", request.local_subnets)


def check_own_subnets(path: str, subnets: tuple[str, ...]) -> Iterator[model.Violation]:
    """Checks a list of networks behind a gateway."""
    yield from fields.check_subnets(path, subnets)
    for index, block in enumerate(map(ipv4.parse_block, subnets[: allowed_values.SUBNETS.high])):
        if block is not None and (block.length == 0 or fields.is_unroutable(block)):
            yield model.Violation(f"{path}[{index}]", f"{block} is not the network of a VPC", "a VPC's own block")


def outside_network(
    subnets: Iterable[str], network: model.Network | None, was: Container[str] = ()
) -> Iterator[model.Warning]:
    """Warns of local subnets that are no part of the network in the site file. `was`: the subnets before an update; they get
    no second warning.
    """
    if network is None or network.cidr is None:
        return
    first, last = ipv4.block(network.cidr).ends
    for index, subnet in enumerate(subnets):
        ends = ipv4.block(subnet).ends
        if subnet not in was and not first <= ends[0] <= ends[1] <= last:
            text = f"{subnet} is not in {network.cidr}, which is all that the gateway reaches of its network"
            yield model.Warning(f"local_subnets[{index}]", text)


def _check_flavor(request: model.GatewayRequest) -> Iterator[model.Violation]:
    if _chosen(request, "flavor") != "Basic":
        return
    for field, unfit in (("network_type", "private"), ("attachment_type", "er")):
        if _chosen(request, field) == unfit:
            yield model.Violation("flavor", f"Basic does not go with {field} {unfit}", "Professional1 or Professional2")


def _check_zones(request: model.GatewayRequest, site: model.Site) -> Iterator[model.Violation]:
    zones = request.availability_zone_ids
    if zones is None:
        return
    if len(zones) not in allowed_values.ZONES:
        yield model.Violation("availability_zone_ids", f"has {len(zones)} entries", f"{allowed_values.ZONES} zones")
        return
    for index, zone in enumerate(zones):
        place = f"availability_zone_ids[{index}]"
        if zone not in site.zones:
            yield model.Violation(place, f"{zone!r} is not a zone of this site", allowed_values.one_of(site.zones))
        if zone in zones[:index]:
            yield model.Violation(place, f"{zone} is given twice", "each zone once")


def _check_enterprise_project(value: str | None) -> Iterator[model.Violation]:
    if value is not None and value not in allowed_values.UUID_OR_ZERO:
        yield model.Violation("enterprise_project_id", f"{value!r} is not an id", str(allowed_values.UUID_OR_ZERO))


def _check_private(request: model.GatewayRequest, facts: SiteFacts) -> Iterator[model.Violation]:
    for field, eip in _eips(request):
        if eip is not None:
            yield model.Violation(field, "must not be filled if network_type is private", "leave it out")
    network = facts.site.network(_access_network_id(request))
    if network is None:
        if request.access_vpc_id is not None and request.access_vpc_id in allowed_values.UUID:
            wrong = f"{request.access_vpc_id} is not in the site file, or not free for this project"
            yield model.Violation("access_vpc_id", wrong, f"one of its networks: {_listed_networks(facts)}")
        return
    if network.gateway_addresses is None:
        wrong = f"network {network.id} has no addresses for private gateways"
        yield model.Violation("network_type", wrong, NO_RANGE)
        return
    yield from _check_private_addresses(request, facts, network.gateway_addresses)


def _check_private_addresses(
    request: model.GatewayRequest, facts: SiteFacts, allowed: tuple[str, str]
) -> Iterator[model.Violation]:
    first, second = request.access_private_ip_1, request.access_private_ip_2
    names = ("access_private_ip_1", "access_private_ip_2")
    for (field, given), (other_field, other) in itertools.permutations(zip(names, (first, second), strict=True)):
        if given is None and other is not None:
            yield model.Violation(field, f"must be given with {other_field}", "both or neither")
        elif given is not None:
            yield from _check_private_address(field, given, facts, allowed)
    if first is not None and first == second:
        yield model.Violation("access_private_ip_2", "is the same as access_private_ip_1", "two different addresses")
    if first is None and second is None and len(_free_private(facts, allowed)) < ENDPOINTS:
        wrong = "no address is free to choose from"
        yield model.Violation("access_private_ip_1", wrong, f"two free addresses of {'-'.join(allowed)}")


def _check_private_address(
    field: str, given: str, facts: SiteFacts, allowed: tuple[str, str]
) -> Iterator[model.Violation]:
    """A refusal does not reveal who uses the address: another project, a device or this machine."""
    number = ipv4.parse_address(given)
    if number is None:
        yield model.Violation(field, f"{given!r} is not an IPv4 address", "such as 192.168.52.9")
    elif not ipv4.is_between(number, allowed):
        wrong = f"{given} is not among the network's addresses for gateways"
        yield model.Violation(field, wrong, f"an address of {'-'.join(allowed)}")
    elif facts.taken.get(given) is not None:
        yield model.Violation(field, f"{given} is used by VPN gateway {facts.taken[given]}", "an address that is free")
    elif not _is_free(given, facts):
        yield model.Violation(field, f"{given} is not free", "an address that is free")


def _is_free(address: str, facts: SiteFacts) -> bool:
    site = facts.site
    return address not in facts.taken and address not in site.machine_addresses | site.unavailable_addresses


def _access_network_id(request: model.GatewayRequest) -> str:
    """The network in which a private gateway has its addresses: the access VPC, or by default the network that the
    gateway serves.
    """
    served = request.er_id if _chosen(request, "attachment_type") == "er" else request.vpc_id
    return (request.access_vpc_id or served or "").lower()


def _free_private(facts: SiteFacts, allowed: tuple[str, str]) -> list[str]:
    """The two highest free addresses of a network's range."""
    first, last = (ipv4.parse_address(end) or 0 for end in allowed)
    free = (text for text in map(ipv4.render, range(last, first - 1, -1)) if _is_free(text, facts))
    return list(itertools.islice(free, ENDPOINTS))


def _check_public(request: model.GatewayRequest, facts: SiteFacts) -> Iterator[model.Violation]:
    for field, address in (
        ("access_private_ip_1", request.access_private_ip_1),
        ("access_private_ip_2", request.access_private_ip_2),
    ):
        if address is not None:
            yield model.Violation(field, "must not be filled if network_type is public", "leave it out")
    for new, old, given, older in (
        ("eip1", "master_eip", request.eip1, request.master_eip),
        ("eip2", "slave_eip", request.eip2, request.slave_eip),
    ):
        if given is not None and older is not None:
            yield model.Violation(old, f"is the older name of {new}, which is given too", "one of the two")
    requested = _eips(request)
    for field, eip in requested:
        if eip is not None:
            yield from _check_eip(field, eip, request, facts)
    (_, first), (field, second) = requested
    if (
        first is not None
        and second is not None
        and first.id is not None
        and first.id.lower() == (second.id or "").lower()
    ):
        yield model.Violation(f"{field}.id", "is the EIP of the other endpoint too", "two different EIPs")
    uplinks = {
        eip.uplink for eip in facts.site.eips for asks in (first, second) if asks and eip.id == (asks.id or "").lower()
    }
    if len(uplinks) > 1:
        yield model.Violation(
            f"{field}.id",
            "is attached to this site in another way than the other EIP",
            f"two EIPs on one of: {', '.join(sorted(uplinks))}",
        )
    lacking, free = (
        [field for field, eip in requested if eip is None or eip.id is None],
        len(_free_eips(request, facts)),
    )
    if free < len(lacking):
        left = "1 free one is" if free == 1 else f"{free} free ones are"
        wrong = f"a gateway takes 2 EIPs that are attached in the same way; {left} left for this project"
        yield model.Violation(lacking[free], wrong, "two for each gateway; the operator lists EIPs in the site file")


def _check_eip(
    field: str, eip: model.EipRequest, request: model.GatewayRequest, facts: SiteFacts
) -> Iterator[model.Violation]:
    if eip.id is not None:
        malformed = list(fields.check_uuid(f"{field}.id", eip.id, "an EIP"))
        yield from malformed
        if not malformed:
            yield from check_eip_use(f"{field}.id", eip.id, facts.site, facts.taken)
    yield from fields.check_value(f"{field}.charge_mode", eip.charge_mode, allowed_values.CHARGE_MODES)
    yield from fields.check_name(f"{field}.bandwidth_name", eip.bandwidth_name)
    yield from fields.check_name(f"{field}.type", eip.type)
    if eip.bandwidth_id is not None:
        yield from fields.check_uuid(f"{field}.bandwidth_id", eip.bandwidth_id, "a shared bandwidth")
    flavor = allowed_values.FLAVORS.get(_chosen(request, "flavor"))
    allowed = replace(allowed_values.BANDWIDTH, high=flavor.bandwidth) if flavor else allowed_values.BANDWIDTH
    if eip.bandwidth_size is not None and eip.bandwidth_size not in allowed:
        wrong = f"{eip.bandwidth_size} Mbit/s is out of range"
        yield model.Violation(f"{field}.bandwidth_size", wrong, f"{allowed} with this flavor")


def check_eip_use(
    field: str, eip_id: str, site: model.Site, taken: Taken, own: str | None = None
) -> Iterator[model.Violation]:
    """`own`: the gateway that may have the EIP already. An EIP of another project is refused as one that does not
    exist.
    """
    known = eip_id.lower()
    whose = taken.get(known)
    if all(eip.id != known for eip in site.eips) or (known in taken and whose is None):
        yield model.Violation(field, f"EIP {eip_id} does not exist or is not free", "a free EIP of the site")
    elif known in taken and whose != own:
        yield model.Violation(field, f"EIP {eip_id} is used by VPN gateway {whose}", "a free EIP of the site")


def _free_eips(request: model.GatewayRequest, facts: SiteFacts) -> list[model.Eip]:
    """Free EIPs of the pool with the same uplink: the uplink of the EIP that the request names, otherwise the first uplink with
    two free EIPs, otherwise the first uplink.
    """
    named = {eip.id.lower() for _, eip in _eips(request) if eip is not None and eip.id is not None}
    unused = [e for e in _usable(facts.site) if e.id not in facts.taken and e.id not in named]
    uplinks = [e.uplink for e in facts.site.eips if e.id in named] or [e.uplink for e in unused]
    uplink = next(
        (candidate for candidate in uplinks if named or uplinks.count(candidate) > 1), uplinks[0] if uplinks else None
    )
    return [e for e in unused if e.uplink == uplink]


def free(site: model.Site, taken: Taken) -> tuple[list[model.Network], list[model.Eip]]:
    """The networks and the EIPs that a new gateway can take."""
    networks = [network for network in site.networks if all(key not in taken for key in _vpc_link(network))]
    return networks, [eip for eip in _usable(site) if eip.id not in taken]


def _usable(site: model.Site) -> list[model.Eip]:
    """The EIPs that a gateway can have. An address of this machine needs `attach = "nat"`."""
    return [eip for eip in site.eips if eip.attach == "nat" or eip.address not in site.machine_addresses]


def complete(
    request: model.GatewayRequest, facts: SiteFacts, generated: fields.Generated, project_id: str
) -> model.VpnGateway:
    """The gateway with every default and with its endpoints. Call it only when `check` found no violation."""
    private = _chosen(request, "network_type") == "private"
    to_er = _chosen(request, "attachment_type") == "er"
    flavor = _chosen(request, "flavor")
    vpc_id = fields.lower_id(request.vpc_id)
    connect_subnet = fields.lower_id(request.connect_subnet)
    return model.VpnGateway(
        id=generated.id,
        project_id=project_id,
        name=request.name or f"{allowed_values.GATEWAY_NAME}{generated.suffix}",
        network_type="private" if private else "public",
        attachment_type="er" if to_er else "vpc",
        er_id=fields.lower_id(request.er_id),
        vpc_id=None if to_er else vpc_id,
        local_subnets=() if to_er else request.local_subnets or (),
        connect_subnet=connect_subnet,
        access_vpc_id=fields.lower_id(request.access_vpc_id) or vpc_id,
        access_subnet_id=fields.lower_id(request.access_subnet_id) or connect_subnet,
        bgp_asn=request.bgp_asn if request.bgp_asn is not None else allowed_values.GATEWAY_ASN,
        flavor=flavor,
        availability_zone_ids=request.availability_zone_ids or facts.site.zones[: allowed_values.ZONES.high],
        enterprise_project_id=(request.enterprise_project_id or allowed_values.ENTERPRISE_PROJECT).lower(),
        ha_mode="active-standby" if _chosen(request, "ha_mode") == "active-standby" else "active-active",
        endpoints=_private_endpoints(request, facts)
        if private
        else _public_endpoints(request, facts, generated, flavor),
        certificate_id=None,
        connection_number=facts.connection_limit or allowed_values.FLAVORS[flavor].connections,
        policy_template=template(flavor),
        tags=fields.tags(request.tags),
        created_at=generated.now,
        updated_at=generated.now,
    )


def _private_endpoints(request: model.GatewayRequest, facts: SiteFacts) -> tuple[model.Endpoint, model.Endpoint]:
    first, second = request.access_private_ip_1, request.access_private_ip_2
    if first is None or second is None:
        network = facts.site.network(_access_network_id(request))
        if network is None or network.gateway_addresses is None:
            raise ValueError("a private gateway without addresses should have been refused")
        first, second = _free_private(facts, network.gateway_addresses)
    return model.Endpoint(number=1, address=first), model.Endpoint(number=2, address=second)


def _public_endpoints(
    request: model.GatewayRequest, facts: SiteFacts, generated: fields.Generated, flavor: str
) -> tuple[model.Endpoint, model.Endpoint]:
    free = iter(_free_eips(request, facts))
    by_id = {e.id: e for e in facts.site.eips}

    def endpoint(number: Literal[1, 2], requested: model.EipRequest | None) -> model.Endpoint:
        given = requested or model.EipRequest()
        eip = by_id[given.id.lower()] if given.id is not None else next(free)
        return model.Endpoint(
            number=number,
            address=eip.address,
            eip_id=eip.id,
            type=given.type or allowed_values.EIP_TYPE,
            charge_mode=allowed_values.CHARGE_MODES.complete(given.charge_mode),
            bandwidth_id=fields.lower_id(given.bandwidth_id) or generated.other_ids[number - 1],
            bandwidth_name=given.bandwidth_name or f"vpngw-bandwidth-{generated.other_ids[number - 1][:4]}",
            bandwidth_size=given.bandwidth_size or allowed_values.FLAVORS[flavor].bandwidth,
        )

    (_, first), (_, second) = _eips(request)
    return endpoint(1, first), endpoint(2, second)
