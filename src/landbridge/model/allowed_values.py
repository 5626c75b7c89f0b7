"""What one field of a request may hold, whatever stands in the others. The rules enforce it, and the document shows it.

Patterns are those of JSON Schema: regular expressions that Python and ECMAScript read alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True)
class Range:
    """Inclusive bounds in seconds. 0 counts as not given: one Terraform provider sends zeros for what is not set."""

    low: int
    high: int
    default: int


Table = Mapping[str, Choice | Range]

# -- texts ------------------------------------------------------------------------------------------------------------

NAME = "^[A-Za-z0-9_.-]{1,64}$"
UUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
#: Of an enterprise project, whose default is 0.
UUID_OR_ZERO = f"^0$|{UUID}"
OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ADDRESS = rf"{OCTET}\.{OCTET}\.{OCTET}\.{OCTET}"
ADDRESS = f"^{_ADDRESS}$"
CIDR = f"^{_ADDRESS}/(3[0-2]|[12]?[0-9])$"
ENDPOINT = f"{UUID}|{ADDRESS}"
TUNNEL_ADDRESS = rf"^169\.254\.(?!195\.){OCTET}\.{OCTET}/30$"
#: Printable ASCII without the space and without & < > [ ] \, in an IKE identity. charon reads a leading `*` as anybody and
#: a leading `#` as hex digits.
IDENTITY = r"^(?![*#])[!-%'-;=?-Z^-~]{1,255}$"
DEVICE_IDENTITY = IDENTITY.replace("255", "128")
PSK_SPECIALS = "~!@#$%^()-_+={ },./:;"
_PSK_KINDS = ("(?=.*[A-Z])", "(?=.*[a-z])", "(?=.*[0-9])", r"(?=.*[~!@#$%^()\-_+={ },./:;])")
#: At least three of the four kinds: any of them may be missing.
PSK = (
    "^("
    + "|".join("".join(kind for kind in _PSK_KINDS if kind != missing) for missing in _PSK_KINDS)
    + r")[A-Za-z0-9~!@#$%^()\-_+={ },./:;]{8,128}$"
)
#: Beside letters, marks and digits of any script.
TAG_SPECIALS = "_.:=+-@ "
#: No ASCII but letters, digits and the specials. That the rest is of a script is more than a pattern says everywhere.
TAG_TEXT = r"^[A-Za-z0-9_.:=+\-@ \u0080-\uffff]*$"
TAG_KEY_LIMIT, TAG_VALUE_LIMIT = 128, 255
TAG_LIMIT = 20
#: The kinds of resources that have tags, as the paths of tags write them.
TAGGED = ("vpn-gateway", "customer-gateway", "vpn-connection")
#: Values of a key that a search may name.
TAG_VALUES_LIMIT = 20

# -- numbers and lengths of lists -------------------------------------------------------------------------------------

ASN = (1, 4294967295)
#: Of a gateway that is given none.
GATEWAY_ASN = 64512
SUBNET_LIMIT = 50
RULE_LIMIT = 5
RULE_INDEX = (0, 50)
ZONE_LIMIT = 2
CERTIFICATE_LIMIT = 8192
#: Mbit/s of an EIP on the widest flavor.
BANDWIDTH = (1, 1000)

# -- words ------------------------------------------------------------------------------------------------------------

STYLES = Choice(("policy", "static", "bgp", "policy-template"), "static")
HA_ROLES = Choice(("master", "slave"), "master")
GROUPS = ("group1", "group2", "group5", "group14", "group15", "group16", "group19", "group20", "group21")
AUTHENTICATION = ("sha2-512", "sha2-384", "sha2-256", "sha1", "md5")
ENCRYPTION = ("aes-256-gcm-16", "aes-128-gcm-16", "aes-256", "aes-192", "aes-128", "3des")
ID_TYPES = Choice(("ip", "fqdn"), "ip")
IKE: Table = {
    "ike_version": Choice(("v1", "v2"), "v2"),
    "phase1_negotiation_mode": Choice(("main", "aggressive"), "main"),
    "authentication_algorithm": Choice(AUTHENTICATION, "sha2-256"),
    "encryption_algorithm": Choice(ENCRYPTION, "aes-128"),
    "dh_group": Choice(GROUPS, "group15"),
    "authentication_method": Choice(("pre-share",), "pre-share"),
    "lifetime_seconds": Range(60, 604800, 86400),
    "local_id_type": ID_TYPES,
    "peer_id_type": ID_TYPES,
}
IKE_GM: Table = {
    **IKE,
    "ike_version": Choice(("v1",), "v1"),
    "phase1_negotiation_mode": Choice(("main",), "main"),
    "authentication_algorithm": Choice(("sm3",), "sm3"),
    "encryption_algorithm": Choice(("sm4",), "sm4"),
    "authentication_method": Choice(("digital-envelope-v2",), "digital-envelope-v2"),
}
DPD: Table = {
    "interval": Range(10, 3600, 30),
    "timeout": Range(2, 60, 15),
    "msg": Choice(("seq-hash-notify", "seq-notify-hash"), "seq-hash-notify"),
}
IPSEC: Table = {
    "authentication_algorithm": Choice(AUTHENTICATION, "sha2-256"),
    "encryption_algorithm": Choice(ENCRYPTION, "aes-128"),
    "pfs": Choice((*GROUPS, "disable"), "group15"),
    "transform_protocol": Choice(("esp",), "esp"),
    "lifetime_seconds": Range(30, 604800, 3600),
    "encapsulation_mode": Choice(("tunnel",), "tunnel"),
}
IPSEC_GM: Table = {
    **IPSEC,
    "authentication_algorithm": Choice(("sm3",), "sm3"),
    "encryption_algorithm": Choice(("sm4",), "sm4"),
}
GATEWAY: Mapping[str, Choice] = {
    "network_type": Choice(("public", "private"), "public"),
    "attachment_type": Choice(("vpc", "er"), "vpc"),
    "ip_version": Choice(("ipv4",), "ipv4"),
    "flavor": Choice(
        (
            "Basic",
            "Professional1",
            "Professional2",
            "Professional1-NonFixedIP",
            "Professional2-NonFixedIP",
            "GM",
            "V300",
            "V1G",
        ),
        "Professional1",
    ),
    "ha_mode": Choice(("active-active", "active-standby"), "active-active"),
}
CHARGE_MODES = Choice(("bandwidth", "traffic"), "bandwidth")
ROUTE_MODES = Choice(("static", "bgp"), "bgp")
UPGRADE_ACTIONS = ("start", "finish", "rollback")
