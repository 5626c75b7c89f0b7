"""The allowed values of a field of a request, independent of the other fields. Every bound, default and list is here, and nowhere else.

The rules check values against these tables, the OpenAPI document and the messages are made of them, and a test compares them with the pages
of `docs/reference`. `value in table.field` says whether a value is allowed, `str(table.field)` what is allowed. The source of each table is
named beside it. Patterns are those of JSON Schema: regular expressions that Python and ECMAScript read alike.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

from landbridge.model import connection, gateway

# -- kinds of values --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `values`. An absent value is the `default`."""

    values: tuple[str, ...]
    default: str

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return one_of(self.values)

    def complete(self, given: str | None) -> str:
        return self.default if given is None else given


@dataclass(frozen=True, slots=True)
class Range:
    """A number from `low` to `high`, both included. It bounds numbers, characters of a string and entries of a list."""

    low: int
    high: int

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low} {'or' if self.high == self.low + 1 else 'to'} {self.high}"


@dataclass(frozen=True, slots=True)
class Seconds(Range):
    """A duration. An absent value is the `default`. 0 is an absent value: one Terraform provider sends zeros for what
    is not set.
    """

    default: int

    def __contains__(self, value: object) -> bool:
        return value == 0 or Range.__contains__(self, value)

    def complete(self, given: int | None) -> int:
        return given or self.default


@dataclass(frozen=True)
class Pattern:
    """A string. `regex` describes it in full, `description` describes it for people."""

    regex: str
    description: str
    length: Range | None = None

    @functools.cached_property
    def _compiled(self) -> "re.Pattern[str]":
        return re.compile(self.regex, re.ASCII)

    def __contains__(self, value: str) -> bool:
        return self._compiled.fullmatch(value) is not None

    def __str__(self) -> str:
        return self.description


def one_of(values: tuple[str, ...]) -> str:
    return values[0] if len(values) == 1 else "one of " + ", ".join(values)


def _text(length: Range, characters: str, description: str, before: str = "") -> Pattern:
    """`characters`: the inside of a character class. `before`: a lookahead that the whole string must pass."""
    return Pattern(f"^{before}[{characters}]{{{length.low},{length.high}}}$", f"{length} {description}", length)


# -- texts ------------------------------------------------------------------------------------------------------------

NAME_LENGTH = Range(1, 64)
NAME = _text(NAME_LENGTH, "A-Za-z0-9_.-", "of letters, digits, _ - and .")
#: Beginnings of default names. Four hexadecimal digits follow.
CONNECTION_NAME, GATEWAY_NAME, DEVICE_NAME, CERTIFICATE_NAME = "vpn-", "vpngw-", "cgw-", "vpngw-cert-"
UUID = Pattern("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", "a UUID of 36 characters")
#: The id of an enterprise project. The default project has the id 0.
UUID_OR_ZERO = Pattern(f"^0$|{UUID.regex}", f"{UUID}, or 0")
ENTERPRISE_PROJECT = "0"
OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ADDRESS = rf"{OCTET}\.{OCTET}\.{OCTET}\.{OCTET}"
ADDRESS = Pattern(f"^{_ADDRESS}$", "an IPv4 address")
CIDR = Pattern(f"^{_ADDRESS}/(3[0-2]|[12]?[0-9])$", "an IPv4 CIDR block")
ENDPOINT = Pattern(f"{UUID.regex}|{ADDRESS.regex}", "an EIP id or an IPv4 address, as in vgw_ip")

#: Addresses of tunnel interfaces: the hosts of a /30 in this network, except one /24 (Table 3).
TUNNEL_NETWORK, TUNNEL_RESERVED_OCTET, TUNNEL_MASK = (169, 254), 195, 30
TUNNEL_EXAMPLE = "169.254.76.1/30"
_TUNNEL_PREFIX = ".".join(map(str, TUNNEL_NETWORK))
TUNNEL_ADDRESS = Pattern(
    rf"^{re.escape(_TUNNEL_PREFIX)}\.(?!{TUNNEL_RESERVED_OCTET}\.){OCTET}\.{OCTET}/{TUNNEL_MASK}$",
    f"a host address of a /{TUNNEL_MASK} in {_TUNNEL_PREFIX}.0.0/16 without {_TUNNEL_PREFIX}.{TUNNEL_RESERVED_OCTET}.0/24,"
    f" such as {TUNNEL_EXAMPLE}",
)

#: Printable ASCII without the space and without & < > [ ] \, in an IKE identity. charon reads a leading `*` as anybody and
#: a leading `#` as hex digits.
_identity = functools.partial(
    _text,
    characters="!-%'-;=?-Z^-~",
    description="letters, digits and special characters except & < > [ ] \\ and the space; not * or # first",
    before="(?![*#])",
)
IDENTITY_LENGTH = Range(1, 255)
IDENTITY = _identity(IDENTITY_LENGTH)
#: The identity of a customer gateway, which is shorter.
DEVICE_IDENTITY_LENGTH = Range(1, 128)
DEVICE_IDENTITY = _identity(DEVICE_IDENTITY_LENGTH)

PSK_LENGTH = Range(8, 128)
PSK_SPECIALS = "~!@#$%^()-_+={ },./:;"
_PSK_KINDS = ("A-Z", "a-z", "0-9", PSK_SPECIALS.replace("-", r"\-"))
#: The characters of a PSK, as the inside of a character class.
PSK_CHARACTERS = "".join(_PSK_KINDS)
PSK_KINDS_NEEDED = 3
#: At least three of the four kinds: any of them may be missing.
PSK = _text(
    PSK_LENGTH,
    PSK_CHARACTERS,
    f"capitals, small letters, digits and {PSK_SPECIALS} (the space counts), at least three of these four kinds",
    "(" + "|".join("".join(f"(?=.*[{k}])" for k in _PSK_KINDS if k != missing) for missing in _PSK_KINDS) + ")",
)

#: What a tag may have beside letters, marks and digits of any script.
TAG_SPECIALS = "_.:=+-@ "
TAG_CHARACTERS = "letters and digits of any script, spaces and _ . : = + - @"
#: ASCII letters, digits and the specials, and everything beyond ASCII: whether a character is a letter of some script is more than a
#: pattern can say in every language.
TAG_TEXT = Pattern(r"^[A-Za-z0-9_.:=+\-@ \u0080-\uffff]*$", TAG_CHARACTERS)
TAG_KEY_LENGTH, TAG_VALUE_LENGTH = Range(1, 128), Range(0, 255)
TAG_LIMIT = 20
#: The kinds of resources that have tags, as the paths of tags write them.
TAGGED = ("vpn-gateway", "customer-gateway", "vpn-connection")
#: The field that a search by tags may match too.
TAG_MATCH = "resource_name"
#: Values of a key that a search may name.
TAG_VALUES_LIMIT = 20

#: Why a request with IPv6 is refused.
NO_IPV6 = "IPv6 is not carried yet"

# -- numbers and lengths of lists -------------------------------------------------------------------------------------

ASN = Range(1, 4294967295)
#: The ASN of a gateway whose request names none.
GATEWAY_ASN = 64512
#: The ASN of a customer gateway with an address, whose request names none. With a name (fqdn) it has no ASN then.
DEVICE_ASN = 65000
#: Blocks of a list of subnets.
SUBNETS = Range(1, 50)
#: Rules of a connection of style policy.
RULES = Range(1, 5)
RULE_INDEX = Range(0, 50)
#: The index of the first rule whose request names none.
FIRST_RULE_INDEX = 1
ZONES = Range(1, 2)
#: Connections of one batch. The page allows two.
BATCH = Range(1, 50)
CERTIFICATE_LENGTH = Range(1, 8192)

# -- gateways: "Creating a VPN Gateway", Tables 3 and 4, and the product's specifications ------------------------------


@dataclass(frozen=True, slots=True)
class Flavor:
    """`connections`: how many a gateway may have. `bandwidth`: the widest EIP in Mbit/s."""

    connections: int
    bandwidth: int


#: Two connections make a connection group; Basic has 10 groups, the others 100.
FLAVORS: Mapping[str, Flavor] = {
    "Basic": Flavor(20, 100),
    "Professional1": Flavor(200, 300),
    "Professional2": Flavor(200, 1000),
    "Professional1-NonFixedIP": Flavor(200, 300),
    "Professional2-NonFixedIP": Flavor(200, 1000),
    "GM": Flavor(200, 500),
    "V300": Flavor(200, 300),
    "V1G": Flavor(200, 1000),
}
#: The end of the names of flavors for devices without a fixed address. Only these flavors have a policy template.
NON_FIXED_IP = "-NonFixedIP"
#: Mbit/s of an EIP on the widest flavor.
BANDWIDTH = Range(1, max(flavor.bandwidth for flavor in FLAVORS.values()))
EIP_TYPE = "5_bgp"


@dataclass(frozen=True, kw_only=True)
class GatewayFields:
    network_type: Choice
    attachment_type: Choice
    ip_version: Choice
    flavor: Choice
    ha_mode: Choice


GATEWAY = GatewayFields(
    network_type=Choice(get_args(gateway.NetworkType), "public"),
    attachment_type=Choice(get_args(gateway.AttachmentType), "vpc"),
    ip_version=Choice(("ipv4",), "ipv4"),
    flavor=Choice(tuple(FLAVORS), "Professional1"),
    ha_mode=Choice(get_args(gateway.HaMode), "active-active"),
)
CHARGE_MODES = Choice(("bandwidth", "traffic"), "bandwidth")
ROUTE_MODES = Choice(("static", "bgp"), "bgp")
UPGRADE_ACTIONS = ("start", "finish", "rollback")

# -- connections: "Creating a VPN Connection", Tables 3, 5, 6 and 7 ----------------------------------------------------

STYLES = Choice(get_args(connection.Style), "static")
HA_ROLES = Choice(get_args(connection.HaRole), "master")
ID_TYPES = Choice(get_args(connection.IdType), "ip")
GROUPS = ("group1", "group2", "group5", "group14", "group15", "group16", "group19", "group20", "group21")
AUTHENTICATION = ("sha2-512", "sha2-384", "sha2-256", "sha1", "md5")
ENCRYPTION = ("aes-256-gcm-16", "aes-128-gcm-16", "aes-256", "aes-192", "aes-128", "3des")
#: Ciphers that IKEv1 cannot negotiate for its own messages.
GCM = frozenset(cipher for cipher in ENCRYPTION if "gcm" in cipher)
#: Values that the page asks to exercise caution with.
WEAK = frozenset({"sha1", "md5", "3des", "group1", "group2", "group5", "group14"})


@dataclass(frozen=True, kw_only=True)
class IkeFields:
    """Table 5. The names are the wire's."""

    ike_version: Choice
    phase1_negotiation_mode: Choice
    authentication_algorithm: Choice
    encryption_algorithm: Choice
    dh_group: Choice
    authentication_method: Choice
    lifetime_seconds: Seconds
    local_id_type: Choice
    peer_id_type: Choice


@dataclass(frozen=True, kw_only=True)
class DpdFields:
    """Table 6."""

    interval: Seconds
    timeout: Seconds
    msg: Choice


@dataclass(frozen=True, kw_only=True)
class IpsecFields:
    """Table 7."""

    authentication_algorithm: Choice
    encryption_algorithm: Choice
    pfs: Choice
    transform_protocol: Choice
    lifetime_seconds: Seconds
    encapsulation_mode: Choice


IKE = IkeFields(
    ike_version=Choice(get_args(connection.IkeVersion), "v2"),
    phase1_negotiation_mode=Choice(get_args(connection.NegotiationMode), "main"),
    authentication_algorithm=Choice(AUTHENTICATION, "sha2-256"),
    encryption_algorithm=Choice(ENCRYPTION, "aes-128"),
    dh_group=Choice(GROUPS, "group15"),
    authentication_method=Choice(("pre-share",), "pre-share"),
    lifetime_seconds=Seconds(60, 604800, 86400),
    local_id_type=ID_TYPES,
    peer_id_type=ID_TYPES,
)
IKE_GM = replace(
    IKE,
    ike_version=Choice(("v1",), "v1"),
    phase1_negotiation_mode=Choice(("main",), "main"),
    authentication_algorithm=Choice(("sm3",), "sm3"),
    encryption_algorithm=Choice(("sm4",), "sm4"),
    authentication_method=Choice(("digital-envelope-v2",), "digital-envelope-v2"),
)
DPD = DpdFields(
    interval=Seconds(10, 3600, 30),
    timeout=Seconds(2, 60, 15),
    msg=Choice(("seq-hash-notify", "seq-notify-hash"), "seq-hash-notify"),
)
IPSEC = IpsecFields(
    authentication_algorithm=Choice(AUTHENTICATION, "sha2-256"),
    encryption_algorithm=Choice(ENCRYPTION, "aes-128"),
    pfs=Choice((*GROUPS, "disable"), "group15"),
    transform_protocol=Choice(("esp",), "esp"),
    lifetime_seconds=Seconds(30, 604800, 3600),
    encapsulation_mode=Choice(("tunnel",), "tunnel"),
)
IPSEC_GM = replace(
    IPSEC,
    authentication_algorithm=Choice(("sm3",), "sm3"),
    encryption_algorithm=Choice(("sm4",), "sm4"),
)
