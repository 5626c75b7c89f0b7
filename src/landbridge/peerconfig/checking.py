"""Checks whether a device can do what a connection needs, and lists the timers that it cannot set exactly."""

from collections.abc import Iterator

from landbridge import model
from landbridge.peerconfig.device import Abilities, Family, Table, clamp
from landbridge.peerconfig.side import DeviceSide, Identity


def check(family: Family, side: DeviceSide) -> Iterator[model.Violation]:
    name = family.device.name
    if side.style == "bgp" and side.device_asn is None:
        yield model.Violation("bgp_asn", "the customer gateway has no BGP ASN", "a customer gateway with bgp_asn")
    if family.abilities is None:
        yield from _check_supported("style", side.style, frozenset({"bgp"}), name)
    else:
        yield from _check_tunnel(side, family.abilities, name)


def _check_tunnel(side: DeviceSide, able: Abilities, name: str) -> Iterator[model.Violation]:
    yield from _check_supported("style", side.style, able.styles, name)
    yield from _check_supported("ikepolicy.ike_version", side.exchange, able.exchanges, name)
    yield from _check_ike(side.ike, able, name)
    yield from _check_ipsec(side.ipsec, able, name)
    for identity in (side.device_identity, side.gateway_identity):
        yield from _check_identity(identity, able, name)
    if side.psk is not None and not able.psk.fullmatch(side.psk.reveal()):
        yield model.Violation(
            "psk", f"has characters that cannot be written for {name}", "another PSK, or another device"
        )
    if side.style == "bgp" and not side.routed and not able.bgp_through_pairs:
        yield model.Violation(
            "style",
            f"BGP of {name} needs 0.0.0.0/0 as traffic selectors, and the gateway has pairs of subnets (userland data plane)",
            "a gateway on the kernel data plane, or another device",
        )
    if side.style != "bgp" and not side.pairs:
        yield model.Violation("peer_subnets", "there is no pair of subnets to carry", "subnets on both sides")
    yield from able.limits(side)


def _check_ike(policy: model.IkePolicy, able: Abilities, name: str) -> Iterator[model.Violation]:
    yield from _check_supported(
        "ikepolicy.encryption_algorithm", policy.encryption_algorithm, able.ike_encryption, name
    )
    yield from _check_supported(
        "ikepolicy.authentication_algorithm", policy.authentication_algorithm, able.ike_authentication, name
    )
    yield from _check_supported("ikepolicy.dh_group", policy.dh_group, able.ike_groups, name)
    if policy.version == "v1" and policy.is_gcm:
        yield model.Violation("ikepolicy.encryption_algorithm", "IKEv1 cannot negotiate GCM", "ike_version v2")


def _check_ipsec(policy: model.IpsecPolicy, able: Abilities, name: str) -> Iterator[model.Violation]:
    """With GCM the authentication algorithm has no meaning."""
    yield from _check_supported(
        "ipsecpolicy.encryption_algorithm", policy.encryption_algorithm, able.esp_encryption, name
    )
    if not policy.is_gcm:
        yield from _check_supported(
            "ipsecpolicy.authentication_algorithm", policy.authentication_algorithm, able.esp_authentication, name
        )
    if policy.pfs != "disable":
        yield from _check_supported("ipsecpolicy.pfs", policy.pfs, able.pfs, name)


def _check_supported(
    field: str, value: str | None, known: Table | frozenset[model.Style] | frozenset[str], name: str
) -> Iterator[model.Violation]:
    if value not in known:
        yield model.Violation(field, f"{name} cannot do {value}", f"{' or '.join(sorted(known))}, or another device")


def _check_identity(identity: Identity, able: Abilities, name: str) -> Iterator[model.Violation]:
    if identity.kind == "fqdn" and not able.identity.fullmatch(identity.text):
        yield model.Violation(
            identity.field, f"{identity.text!r} cannot be written for {name}", "a plain name like branch.example"
        )


def clamped_timers(family: Family, side: DeviceSide) -> Iterator[str]:
    """Notes on timers that are outside the device's range: the text has the nearest value."""
    able, dpd = family.abilities, side.ike.dpd
    if able is None:
        return
    for timer, seconds, allowed in (
        ("ikepolicy.lifetime_seconds", side.ike.lifetime_seconds, able.ike_lifetime),
        ("ipsecpolicy.lifetime_seconds", side.ipsec.lifetime_seconds, able.ipsec_lifetime),
        ("ikepolicy.dpd.interval", dpd.interval, able.dpd_interval),
    ):
        near = clamp(seconds, allowed)
        if near != seconds:
            yield f"{timer} is {seconds}; this device takes {allowed}, so the text says {near}."
