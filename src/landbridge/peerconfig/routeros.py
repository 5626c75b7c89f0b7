"""MikroTik RouterOS 7, as commands. Plain IPsec has no tunnel interface there: policies choose the traffic, and BGP
cannot be used.
"""

from collections.abc import Iterator

from landbridge.peerconfig.device import PRINTABLE, Abilities, Device, Family, Part, lines, psk_line
from landbridge.peerconfig.side import DeviceSide, Identity, Interface

_IKE_ENCRYPTION = {"aes-128": "aes-128", "aes-192": "aes-192", "aes-256": "aes-256", "3des": "3des"}
_ESP_ENCRYPTION = {
    "aes-128": "aes-128-cbc",
    "aes-192": "aes-192-cbc",
    "aes-256": "aes-256-cbc",
    "3des": "3des",
    "aes-128-gcm-16": "aes-128-gcm",
    "aes-256-gcm-16": "aes-256-gcm",
}
_IKE_AUTHENTICATION = {"md5": "md5", "sha1": "sha1", "sha2-256": "sha256", "sha2-384": "sha384", "sha2-512": "sha512"}
_ESP_AUTHENTICATION = {"md5": "md5", "sha1": "sha1", "sha2-256": "sha256", "sha2-512": "sha512"}
_GROUPS = {
    "group1": "modp768",
    "group2": "modp1024",
    "group5": "modp1536",
    "group14": "modp2048",
    "group15": "modp3072",
    "group16": "modp4096",
    "group19": "ecp256",
    "group20": "ecp384",
    "group21": "ecp521",
}
_EXCHANGE = {"v2": "ike2", "v1 main": "main", "v1 aggressive": "aggressive"}


def write(side: DeviceSide) -> list[Part]:
    """One command makes the identity and has the PSK in it. Without a PSK RouterOS would take an empty one, so the
    whole command is a comment.
    """
    tag, inner = side.tag, side.device_inner
    content = lines(
        f"/ip ipsec profile add name={tag} {_profile(side)}",
        f"/ip ipsec proposal add name={tag} {_proposal(side)}",
        f"/ip ipsec peer add name={tag} address={side.gateway_address}/32{_local(side)}"
        f" exchange-mode={_EXCHANGE[side.exchange]} profile={tag}",
        psk_line(
            side,
            "#",
            lambda psk: (
                f"/ip ipsec identity add peer={tag} auth-method=pre-shared-key {_ids(side)} secret={_quoted(psk)}"
            ),
        ),
        *(
            f"/ip ipsec policy add peer={tag} proposal={tag} tunnel=yes level=unique"
            f" src-address={pair.device} dst-address={pair.gateway}"
            for pair in side.pairs
        ),
        *(
            f"/ip firewall nat add chain=srcnat action=accept comment={tag}"
            f" src-address={pair.device} dst-address={pair.gateway}"
            for pair in side.pairs
        ),
        *([f"/interface bridge add name={tag}", _address(tag, inner)] if side.probed and inner else []),
    )
    return [Part(f"{tag}.rsc", content)]


def _address(tag: str, inner: Interface) -> str:
    """The address is on a bridge without ports, which works as a loopback. Plain IPsec has no interface for the address
    that the gateway probes.
    """
    return f"/ip address add interface={tag} address={inner.ip}/32"


def _profile(side: DeviceSide) -> str:
    policy = side.ike
    return (
        f"enc-algorithm={_IKE_ENCRYPTION[policy.encryption_algorithm]}"
        f" hash-algorithm={_IKE_AUTHENTICATION[policy.authentication_algorithm]}"
        f" dh-group={_GROUPS[policy.dh_group or '']} lifetime={policy.lifetime_seconds}s"
        f" dpd-interval={policy.dpd.interval}s dpd-maximum-failures=3 nat-traversal=yes"
    )


def _proposal(side: DeviceSide) -> str:
    policy = side.ipsec
    gcm = policy.is_gcm
    authentication = "null" if gcm else _ESP_AUTHENTICATION[policy.authentication_algorithm]
    return (
        f"enc-algorithms={_ESP_ENCRYPTION[policy.encryption_algorithm]} auth-algorithms={authentication}"
        f" pfs-group={_GROUPS.get(policy.pfs or '', 'none')} lifetime={policy.lifetime_seconds}s"
    )


def _local(side: DeviceSide) -> str:
    return f" local-address={side.device_address}" if side.device_address else ""


def _ids(side: DeviceSide) -> str:
    return f"my-id={_identity(side.device_identity)} remote-id={_identity(side.gateway_identity)} generate-policy=no"


def _identity(identity: Identity) -> str:
    return f"fqdn:{identity.text}" if identity.kind == "fqdn" else f"address:{identity.text}"


def _quoted(text: str) -> str:
    """A $ begins a variable, and ? asks for help on the console."""
    for sign in '\\"$?':
        text = text.replace(sign, f"\\{sign}")
    return f'"{text}"'


def _notes(side: DeviceSide) -> Iterator[str]:
    yield "move the srcnat rules above the masquerade rule."
    if side.dials:
        yield (
            "the gateway cannot dial, and traffic of this side starts the tunnel. For each pair, with a LAN address of the router"
            f' and a host behind the gateway: /system scheduler add name={side.tag} interval=10s on-event="/ping <HOST>'
            ' src-address=<LAN-ADDRESS> count=1"'
        )


FAMILY = Family(
    device=Device(
        id="routeros",
        vendor="MikroTik",
        kind="router",
        family="RouterOS",
        versions="7",
        format="Paste it into a terminal, or run: import file-name",
        proved=False,
        source="MikroTik documentation, RouterOS: IPsec",
        notes=(
            "RouterOS has no GCM in phase 1, no SHA2-384 in phase 2, and no tunnel interface of plain IPsec for BGP.",
            "beside a gateway on the kernel data plane prefer style policy: in style static that gateway asks for 0.0.0.0/0.",
        ),
    ),
    abilities=Abilities(
        interface=False,
        styles=frozenset({"static", "policy", "policy-template"}),
        ike_encryption=_IKE_ENCRYPTION,
        ike_authentication=_IKE_AUTHENTICATION,
        ike_groups=_GROUPS,
        esp_encryption=_ESP_ENCRYPTION,
        esp_authentication=_ESP_AUTHENTICATION,
        pfs=_GROUPS,
        psk=PRINTABLE,
    ),
    comment="#",
    write=write,
    notes=_notes,
)
