"""A table of misconfigurations between a VPN gateway and a device, each with the cause that the diagnosis must have.

A row has the changes to the configuration of the device, to the path, or to the connection. It is run in several ways: with IKEv2, IKEv1
main mode and aggressive mode; with strongSwan and Libreswan as devices; with us, the device, or both as initiator. What the messages show
depends on the way: the responder sees the values of both sides, the initiator often only a refusal. `exact` are the ways in which the cause
must be exact; in the others it must be among the alternatives.

`lab.testbed.Testbed.words` has the values of the placeholders in braces: {device}, {gateway}, {lan} and so on.
"""

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lab import faults, testbed
from landbridge.status import cause_texts

Daemon = Literal["strongswan", "libreswan"]
Mode = Literal["v2", "main", "aggressive"]
Caller = Literal["we", "device", "both"]
Step = Callable[[testbed.RunningCase], None]

#: Code -> the sides that are right for it; without an entry, the device.
SIDES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("ike_proposal_mismatch", "esp_proposal_mismatch", "ike_version_mismatch", "ike_mode_mismatch"), ("either",)
    ),
    **dict.fromkeys(("psk_mismatch", "identity_or_psk_refused", "rekey_refused", "key_not_proved"), ("either",)),
    **dict.fromkeys(
        ("peer_id_mismatch", "local_id_mismatch", "dial_in_id_mismatch", "unknown_peer"), ("either", "device")
    ),
    **dict.fromkeys(("selectors_mismatch", "selectors_narrowed", "selectors_partly"), ("either",)),
    **dict.fromkeys(("wrong_endpoint", "new_psk_refused"), ("either", "device")),
    **dict.fromkeys(("no_answer", "udp_4500_blocked", "answer_lost", "peer_dead"), ("network", "device")),
    "nothing_comes_back": ("device", "network", "either"),
    "path_mtu": ("network",),
    "nqa_no_answer": ("device", "network"),
    "monitor_no_answer": ("network",),
    "our_firewall": ("operator",),
    "nothing_goes_out": ("operator", "connection", "network"),
    "duplicate_sa": ("device", "either"),
}

#: What a refused IKE_SA_INIT, or a refused first message, may mean.
PHASE_1_REFUSED = ("ike_proposal_mismatch", "no_connection_on_device", "ike_version_mismatch")
#: What a refused authentication may mean.
AUTHENTICATION_REFUSED = (
    "identity_or_psk_refused",
    "psk_mismatch",
    "psk_missing_on_device",
    "local_id_mismatch",
    "peer_id_mismatch",
    "authentication_method_mismatch",
    "ike_mode_mismatch",
)
SILENCE = ("no_answer", "answer_lost", "our_firewall", "udp_4500_blocked")
#: Codes of an observation without its reason. Each may be certain although the reason is another code.
CERTAIN_OBSERVATIONS = ("no_answer", "identity_or_psk_refused", "waiting_for_device")

#: Codes without a row: those of a cause that is not known, or not yet.
UNMADE = (
    "identity_or_psk_refused",
    "negotiating",
    "unknown_refusal",
    "key_not_proved",
    "daemon_restarted",
)
#: Codes of BGP sessions. The devices of the bench speak no BGP: tests/status/test_bgp_causes.py has rows for these codes.
OF_BGP = tuple(code for code in cause_texts.TEXTS if code.startswith("bgp_"))
#: Not a code: the tunnel is up, and there is no cause.
NOTHING = "nothing"
#: Seconds in which most causes are found.
SOON = 20.0

#: A connection with NQA, and the pairs of a device that has its inner address.
NQA = {"enable_nqa": True, "tunnel_local_address": "169.254.70.1/30", "tunnel_peer_address": "169.254.70.2/30"}
WITH_INNER = {"pairs": (("{lan}", "{vpc}"), (faults.INNER[1], faults.INNER[0]))}

IKE = "ikepolicy"
IPSEC = "ipsecpolicy"

#: A policy-template, and the ways in which its device calls.
TEMPLATE: Mapping[str, Any] = {
    "customer_gateway": {"id_type": "fqdn", "id_value": "branch.example"},
    "body": {"style": "policy-template", IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
}
DEVICE_CALLS = ("strongswan/v2/device", "strongswan/main/device", "strongswan/aggressive/device")


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way in which a row is run. The patterns of `exact` and `--only` match its `str`: `strongswan/v2/device`."""

    daemon: Daemon
    mode: Mode
    caller: Caller

    def __str__(self) -> str:
        return f"{self.daemon}/{self.mode}/{self.caller}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One misconfiguration. `code`: its cause. `equivalent`: codes that are also right. `acceptable`: codes that the answer may have where the
    messages do not show the cause. `ours`, `theirs`: values that the answer must have where the messages show them.

    `body`, `customer_gateway`: fields of the requests. `device`: fields of `sites.Tunnel`. `edits`: replacements in the configuration that
    these make. `more`: further tunnels of the device. `pluto`: lines of Libreswan's conn. `before` runs before the connection is created,
    `after` when it is there. `with_values`: the ways in which the messages have both values, if they are not those of `exact`. `look`: the
    resource whose diagnosis must have the cause. `device_off`: there is no device. `seconds`: the limit for the right answer, from the first
    attempt or from the fault. `stays`: for how many seconds the answer must not change. `calls`: seconds between attempts of the device.
    """

    name: str
    code: str
    ways: Sequence[str]
    exact: Sequence[str] = ("*",)
    equivalent: Sequence[str] = ()
    acceptable: Sequence[str] = ()
    differs: Sequence[str] = ()
    sides: Sequence[str] = ()
    ours: str = ""
    theirs: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    customer_gateway: Mapping[str, Any] = field(default_factory=dict)
    device: Mapping[str, Any] = field(default_factory=dict)
    edits: Sequence[tuple[str, str]] = ()
    more: Sequence[Mapping[str, Any]] = ()
    pluto: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[Step] = ()
    after: Step | None = None
    look: Literal["connection", "gateway"] = "connection"
    device_off: bool = False
    seconds: float = SOON
    stays: float = 2.0
    calls: float = testbed.CALL_AGAIN
    with_values: Sequence[str] = ()
    quick: bool = True


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row in one way."""

    row: Row
    way: Way

    @property
    def name(self) -> str:
        return f"{self.row.name} {self.way}"

    def __str__(self) -> str:
        return self.name

    @property
    def is_exact(self) -> bool:
        return _matches(self.way, self.row.exact)

    @property
    def has_values(self) -> bool:
        return _matches(self.way, self.row.with_values or self.row.exact)

    @property
    def right(self) -> tuple[str, ...]:
        return (self.row.code, *self.row.equivalent)

    @property
    def sides(self) -> tuple[str, ...]:
        return tuple(self.row.sides) or tuple({side for code in self.right for side in SIDES.get(code, ("device",))})

    @property
    def is_quick(self) -> bool:
        """Whether `make test` runs the case too: in its first way, each row with a short limit, and one row of each code that has no such row."""
        is_first = str(self.way) == self.row.ways[0]
        return is_first and (_is_short(self.row) or self.row.name in _ONLY_OF_THEIR_CODES)


def _is_short(row: Row) -> bool:
    return row.quick and row.seconds <= SOON


def _matches(way: Way, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(str(way), pattern) for pattern in patterns)


V2 = ("strongswan/v2/device", "strongswan/v2/we")
V1 = ("strongswan/main/device", "strongswan/main/we")
AGGRESSIVE = ("strongswan/aggressive/device", "strongswan/aggressive/we")
BOTH = ("strongswan/v2/both",)
LIBRESWAN = ("libreswan/v2/device", "libreswan/v2/we")
LIBRESWAN_V1 = ("libreswan/main/device", "libreswan/main/we")
ANSWERING = ("*/device", "*/both")

ROWS: tuple[Row, ...] = (
    # -- phase 1 --------------------------------------------------------------------------------------------------------
    Row(
        name="ike-encryption",
        code="ike_proposal_mismatch",
        ways=(*V2, *V1, *AGGRESSIVE, *BOTH, *LIBRESWAN, *LIBRESWAN_V1),
        exact=ANSWERING,
        acceptable=(*PHASE_1_REFUSED, "no_answer"),
        differs=("encryption_algorithm",),
        ours="aes-128",
        theirs="aes-256",
        device={"proposals": "aes256-sha256-modp3072"},
        pluto={"ike": "aes256-sha2_256-dh15"},
    ),
    Row(
        name="ike-integrity",
        code="ike_proposal_mismatch",
        ways=(*V2, "strongswan/main/device", "libreswan/v2/device"),
        exact=ANSWERING,
        acceptable=PHASE_1_REFUSED,
        differs=("authentication_algorithm",),
        ours="sha2-256",
        theirs="sha2-512",
        device={"proposals": "aes128-sha512-modp3072"},
        pluto={"ike": "aes128-sha2_512-dh15"},
    ),
    Row(
        name="ike-prf",
        code="ike_proposal_mismatch",
        ways=V2,
        exact=ANSWERING,
        acceptable=PHASE_1_REFUSED,
        differs=("prf",),
        ours="sha2-256",
        theirs="sha2-384",
        device={"proposals": "aes128-sha256-prfsha384-modp3072"},
        sides=("device", "either"),
    ),
    Row(
        name="ike-group",
        code="ike_proposal_mismatch",
        ways=(*V2, *BOTH, *V1, *LIBRESWAN),
        exact=ANSWERING,
        acceptable=PHASE_1_REFUSED,
        differs=("dh_group",),
        ours="group15",
        theirs="group14",
        device={"proposals": "aes128-sha256-modp2048"},
        pluto={"ike": "aes128-sha2_256-dh14"},
    ),
    Row(
        name="ike-gcm",
        code="ike_proposal_mismatch",
        ways=V2,
        exact=ANSWERING,
        acceptable=PHASE_1_REFUSED,
        differs=("encryption_algorithm",),
        ours="aes-128",
        theirs="aes-128-gcm-16",
        device={"proposals": "aes128gcm16-prfsha256-modp3072"},
    ),
    Row(
        name="ike-everything",
        code="ike_proposal_mismatch",
        ways=V2,
        exact=ANSWERING,
        acceptable=PHASE_1_REFUSED,
        differs=("encryption_algorithm", "authentication_algorithm", "dh_group"),
        ours="aes-128",
        theirs="3des",
        device={"proposals": "3des-md5-modp1024"},
    ),
    Row(
        name="ike-version-of-device-is-1",
        code="ike_version_mismatch",
        differs=("ike_version",),
        ways=(*BOTH, "strongswan/v2/device", "strongswan/v2/we", "libreswan/v2/device", "libreswan/v2/we"),
        exact=ANSWERING,
        acceptable=PHASE_1_REFUSED,
        ours="v2",
        theirs="v1",
        device={"version": 1},
        pluto={"ikev2": "no"},
    ),
    Row(
        name="ike-version-of-device-is-2",
        code="ike_version_mismatch",
        differs=("ike_version",),
        ways=(*V1, "libreswan/main/device", "libreswan/main/we"),
        exact=ANSWERING,
        acceptable=(*PHASE_1_REFUSED, "no_answer"),
        ours="v1",
        theirs="v2",
        device={"version": 2},
        pluto={"ikev2": "yes"},
    ),
    Row(
        name="mode-of-device-is-aggressive",
        code="ike_mode_mismatch",
        differs=("phase1_negotiation_mode",),
        ways=(*V1, "strongswan/main/both"),
        exact=ANSWERING,
        acceptable=AUTHENTICATION_REFUSED,
        ours="main",
        theirs="aggressive",
        device={"aggressive": True},
    ),
    Row(
        name="mode-of-device-is-main",
        code="ike_mode_mismatch",
        differs=("phase1_negotiation_mode",),
        ways=(*AGGRESSIVE, "libreswan/aggressive/we"),
        exact=ANSWERING,
        acceptable=(*AUTHENTICATION_REFUSED, *PHASE_1_REFUSED, "no_answer"),
        ours="aggressive",
        theirs="main",
        device={"aggressive": False},
        pluto={"aggressive": "no"},
    ),
    Row(
        name="no-connection",
        code="no_connection_on_device",
        ways=("strongswan/v2/we", "strongswan/main/we", "libreswan/v2/we"),
        exact=(),
        acceptable=(*PHASE_1_REFUSED, "no_answer"),
        edits=(("remote_addrs = {gateway}", "remote_addrs = 192.0.2.1"),),
        pluto={"right": "192.0.2.1"},
    ),
    # -- keys and identities --------------------------------------------------------------------------------------------
    Row(
        name="psk",
        code="psk_mismatch",
        ways=(*V2, *V1, *AGGRESSIVE, *BOTH, "strongswan/main/both", *LIBRESWAN, *LIBRESWAN_V1),
        exact=("*/v2/device", "*/main/device", "*/both", "strongswan/main/we", "strongswan/aggressive/we"),
        acceptable=(*AUTHENTICATION_REFUSED, "answer_lost"),
        device={"psk": "Another-Horse-8"},
        pluto={"psk": "Another-Horse-8"},
    ),
    Row(
        name="psk-and-the-device-calls-once",
        code="psk_mismatch",
        ways=("strongswan/v2/device", "strongswan/main/device"),
        device={"psk": "Another-Horse-8"},
        calls=600,
        stays=40,
        quick=False,
    ),
    Row(
        name="psk-with-trailing-blank",
        code="psk_mismatch",
        ways=("strongswan/v2/device", "strongswan/main/device"),
        acceptable=AUTHENTICATION_REFUSED,
        device={"psk": "{psk} "},
    ),
    Row(
        name="psk-absent",
        code="psk_missing_on_device",
        ways=(*V2, *V1, *AGGRESSIVE, "libreswan/v2/we"),
        exact=("strongswan/main/*", "strongswan/aggressive/we"),
        acceptable=(*AUTHENTICATION_REFUSED, *SILENCE, "ike_proposal_mismatch"),
        edits=(("secrets {", "no_secrets {"),),
        pluto={"psk": ""},
        quick=False,
    ),
    Row(
        name="device-calls-itself-by-name",
        code="peer_id_mismatch",
        ways=(*V2, *BOTH, *V1, *AGGRESSIVE, *LIBRESWAN, *LIBRESWAN_V1),
        exact=(*ANSWERING, "*/main/we", "*/aggressive/we", "libreswan/v2/we"),
        acceptable=AUTHENTICATION_REFUSED,
        differs=("peer_id",),
        ours="{device}",
        theirs="branch.example",
        device={"local_id": "fqdn:branch.example"},
        pluto={"leftid": "@branch.example"},
    ),
    Row(
        name="device-calls-itself-by-another-name",
        code="peer_id_mismatch",
        ways=(*V2, *AGGRESSIVE, "libreswan/v2/device"),
        exact=(*ANSWERING, "*/aggressive/we"),
        acceptable=AUTHENTICATION_REFUSED,
        differs=("peer_id",),
        ours="branch.example",
        theirs="other.example",
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
        device={"local_id": "fqdn:other.example"},
        pluto={"leftid": "@other.example"},
    ),
    Row(
        name="id-is-a-key-id",
        code="peer_id_mismatch",
        ways=("strongswan/v2/device", "strongswan/v2/we", "strongswan/aggressive/device"),
        exact=ANSWERING,
        acceptable=AUTHENTICATION_REFUSED,
        differs=("peer_id_type",),
        theirs="branch.example",
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
        device={"local_id": "keyid:branch.example"},
    ),
    Row(
        name="id-is-an-e-mail",
        code="peer_id_mismatch",
        ways=("strongswan/v2/device", "strongswan/v2/we"),
        exact=ANSWERING,
        acceptable=AUTHENTICATION_REFUSED,
        differs=("peer_id_type",),
        theirs="vpn@branch.example",
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "vpn@branch.example"}},
        device={"local_id": "email:vpn@branch.example"},
    ),
    Row(
        name="id-is-the-name-of-an-address",
        code="peer_id_mismatch",
        ways=("strongswan/v2/device", "strongswan/main/we", "libreswan/v2/device"),
        exact=(*ANSWERING, "*/main/we"),
        acceptable=AUTHENTICATION_REFUSED,
        differs=("peer_id_type",),
        ours="{device}",
        theirs="{device}",
        device={"local_id": "fqdn:{device}"},
        pluto={"leftid": "@{device}"},
    ),
    Row(
        name="device-expects-a-name-of-us",
        code="local_id_mismatch",
        ways=(*V2, *BOTH, *V1, *AGGRESSIVE, "libreswan/v2/device", "libreswan/v2/we", "libreswan/main/we"),
        exact=("*/v2/device", "*/v2/both"),
        acceptable=(*AUTHENTICATION_REFUSED, "device_disconnects", "device_deleted"),
        differs=("local_id",),
        ours="{gateway}",
        theirs="hq.example",
        device={"remote_id": "fqdn:hq.example"},
        pluto={"rightid": "@hq.example"},
    ),
    Row(
        name="device-expects-another-address-of-us",
        code="local_id_mismatch",
        ways=V2,
        exact=("*/v2/device",),
        acceptable=AUTHENTICATION_REFUSED,
        differs=("local_id",),
        ours="{gateway}",
        theirs="10.9.9.9",
        device={"remote_id": "10.9.9.9"},
    ),
    Row(
        name="id-behind-nat",
        code="peer_id_mismatch",
        ways=("strongswan/v2/device", "strongswan/main/device"),
        exact=("*/v2/device",),
        acceptable=AUTHENTICATION_REFUSED,
        differs=("peer_id",),
        ours="{device}",
        theirs="{elsewhere}",
        device={"address": "{elsewhere}", "local_id": "{elsewhere}"},
        before=(faults.masquerades,),
    ),
    # -- methods --------------------------------------------------------------------------------------------------------
    Row(
        name="device-has-a-certificate",
        code="authentication_method_mismatch",
        ways=V2,
        exact=ANSWERING,
        acceptable=AUTHENTICATION_REFUSED,
        theirs="certificate",
        edits=(("local {\n      auth = psk", "local {\n      auth = pubkey\n      certs = device.pem"),),
        before=(faults.makes_a_certificate,),
    ),
    Row(
        name="device-asks-for-a-certificate",
        code="authentication_method_mismatch",
        ways=("strongswan/v2/we", "strongswan/main/we"),
        exact=(),
        acceptable=(*AUTHENTICATION_REFUSED, *PHASE_1_REFUSED),
        edits=(("remote {\n      auth = psk", "remote {\n      auth = pubkey"),),
    ),
    Row(
        name="device-has-eap",
        code="authentication_method_mismatch",
        ways=("strongswan/v2/device",),
        acceptable=AUTHENTICATION_REFUSED,
        theirs="EAP",
        edits=(("local {\n      auth = psk", "local {\n      auth = eap-md5\n      eap_id = branch"),),
    ),
    Row(
        name="device-asks-for-eap",
        code="authentication_method_mismatch",
        ways=("strongswan/v2/we",),
        exact=(),
        acceptable=AUTHENTICATION_REFUSED,
        edits=(("remote {\n      auth = psk", "remote {\n      auth = eap-md5"),),
    ),
    Row(
        name="device-has-xauth",
        code="authentication_method_mismatch",
        ways=("strongswan/main/device", "libreswan/main/device"),
        acceptable=(*AUTHENTICATION_REFUSED, "ike_proposal_mismatch"),
        theirs="XAuth",
        edits=(
            (
                "remote {\n      auth = psk",
                "local-2 {\n      auth = xauth\n      xauth_id = branch\n    }\n    remote {\n      auth = psk",
            ),
        ),
        pluto={"leftxauthclient": "yes", "leftusername": "branch"},
    ),
    Row(
        name="device-asks-for-xauth",
        code="authentication_method_mismatch",
        ways=("strongswan/main/we",),
        exact=(),
        acceptable=(*AUTHENTICATION_REFUSED, *PHASE_1_REFUSED),
        edits=(
            (
                "remote {\n      auth = psk",
                "remote-2 {\n      auth = xauth\n    }\n    remote {\n      auth = psk",
            ),
        ),
    ),
    # -- phase 2 --------------------------------------------------------------------------------------------------------
    Row(
        name="esp-encryption",
        code="esp_proposal_mismatch",
        ways=(*V2, *V1, *BOTH, *LIBRESWAN, "libreswan/main/device"),
        exact=ANSWERING,
        acceptable=("esp_proposal_mismatch",),
        differs=("encryption_algorithm",),
        ours="aes-128",
        theirs="aes-256",
        device={"esp_proposals": "aes256-sha256-modp3072"},
        pluto={"esp": "aes256-sha2_256-dh15"},
    ),
    Row(
        name="esp-integrity",
        code="esp_proposal_mismatch",
        ways=(*V2, "strongswan/main/device"),
        exact=ANSWERING,
        acceptable=("esp_proposal_mismatch",),
        differs=("authentication_algorithm",),
        ours="sha2-256",
        theirs="sha1",
        device={"esp_proposals": "aes128-sha1-modp3072"},
    ),
    Row(
        name="esp-gcm",
        code="esp_proposal_mismatch",
        ways=("strongswan/v2/device", "strongswan/main/device"),
        exact=ANSWERING,
        acceptable=("esp_proposal_mismatch",),
        differs=("encryption_algorithm",),
        ours="aes-128",
        theirs="aes-128-gcm-16",
        device={"esp_proposals": "aes128gcm16-modp3072"},
    ),
    Row(
        name="esp-gcm-here",
        code="esp_proposal_mismatch",
        ways=("strongswan/v2/device",),
        differs=("encryption_algorithm",),
        ours="aes-256-gcm-16",
        theirs="aes-128",
        body={IPSEC: {"encryption_algorithm": "aes-256-gcm-16"}},
    ),
    Row(
        name="pfs-off-on-device",
        code="esp_proposal_mismatch",
        ways=V1,
        exact=ANSWERING,
        acceptable=("esp_proposal_mismatch",),
        differs=("pfs",),
        ours="group15",
        theirs="disable",
        device={"esp_proposals": "aes128-sha256"},
    ),
    Row(
        name="pfs-off-here",
        code="esp_proposal_mismatch",
        ways=V1,
        exact=ANSWERING,
        acceptable=("esp_proposal_mismatch",),
        differs=("pfs",),
        ours="disable",
        theirs="group15",
        body={IPSEC: {"pfs": "disable"}},
    ),
    Row(
        name="pfs-group",
        code="esp_proposal_mismatch",
        ways=V1,
        exact=ANSWERING,
        acceptable=("esp_proposal_mismatch",),
        differs=("pfs",),
        ours="group15",
        theirs="group14",
        device={"esp_proposals": "aes128-sha256-modp2048"},
    ),
    Row(
        name="pfs-group-shows-at-the-first-rekey",
        code="esp_proposal_mismatch",
        ways=V2,
        equivalent=("rekey_refused",),
        differs=("pfs",),
        ours="group15",
        device={"esp_proposals": "aes128-sha256-modp2048"},
        seconds=45,
    ),
    Row(
        name="pfs-off-on-device-shows-at-the-first-rekey",
        code="esp_proposal_mismatch",
        ways=("strongswan/v2/we",),
        equivalent=("rekey_refused",),
        differs=("pfs",),
        ours="group15",
        device={"esp_proposals": "aes128-sha256"},
        seconds=45,
    ),
    Row(
        name="selectors-device-has-another-lan",
        code="selectors_mismatch",
        ways=(*V2, *V1, *BOTH, *LIBRESWAN),
        acceptable=("selectors_mismatch",),
        ours="{lan}",
        theirs="192.168.77.0/24",
        device={"pairs": (("192.168.77.0/24", "{vpc}"),)},
        pluto={"leftsubnet": "192.168.77.0/24"},
        with_values=ANSWERING,
    ),
    Row(
        name="selectors-device-asks-for-another-vpc",
        code="selectors_mismatch",
        ways=("strongswan/v2/device", "strongswan/main/device", "libreswan/v2/device"),
        ours="{vpc}",
        theirs="10.99.0.0/24",
        device={"pairs": (("{lan}", "10.99.0.0/24"),)},
        pluto={"rightsubnet": "10.99.0.0/24"},
    ),
    Row(
        name="selectors-narrowed",
        code="selectors_narrowed",
        ways=("strongswan/v2/device", "strongswan/v2/we"),
        equivalent=("selectors_partly",),
        ours="{lan}",
        theirs="{half_lan}",
        device={"pairs": (("{half_lan}", "{vpc}"),)},
    ),
    Row(
        name="selectors-one-of-two",
        code="selectors_partly",
        ways=("strongswan/v2/we", "strongswan/v2/device", "strongswan/main/we"),
        equivalent=("selectors_mismatch",),
        ours="{second_lan}",
        body={"peer_subnets": ["{lan}", "{second_lan}"]},
    ),
    Row(
        name="selectors-more-than-we-have",
        code="selectors_mismatch",
        ways=("strongswan/v2/device", "strongswan/main/device"),
        equivalent=("selectors_partly",),
        theirs="{second_lan}",
        device={"pairs": (("{lan}", "{vpc}"), ("{second_lan}", "{vpc}"))},
    ),
    Row(
        name="selectors-one-of-two-of-a-policy",
        code="selectors_partly",
        ways=("strongswan/v2/we", "strongswan/main/we"),
        equivalent=("selectors_mismatch",),
        ours="{second_lan}",
        body={
            "style": "policy",
            "peer_subnets": ["{lan}", "{second_lan}"],
            "policy_rules": [{"rule_index": 1, "source": "{vpc}", "destination": ["{lan}", "{second_lan}"]}],
        },
    ),
    Row(
        name="selectors-everything-at-a-policy",
        code="selectors_partly",
        ways=("strongswan/v2/device", "strongswan/main/device"),
        ours="{second_lan}",
        body={
            "style": "policy",
            "peer_subnets": ["{lan}", "{second_lan}"],
            "policy_rules": [{"rule_index": 1, "source": "{vpc}", "destination": ["{lan}", "{second_lan}"]}],
        },
        device={"pairs": (("0.0.0.0/0", "0.0.0.0/0"),)},
        quick=False,
    ),
    # -- the path -------------------------------------------------------------------------------------------------------
    Row(
        name="device-is-off",
        code="no_answer",
        ways=("strongswan/v2/we", "strongswan/main/we", "strongswan/aggressive/we"),
        acceptable=SILENCE,
        device_off=True,
    ),
    Row(
        name="udp-500-to-the-device",
        code="no_answer",
        ways=("strongswan/v2/we", "strongswan/main/we"),
        acceptable=SILENCE,
        before=(faults.drops("input", "udp dport 500"),),
    ),
    Row(
        name="udp-500-from-the-device",
        code="no_answer",
        ways=("strongswan/v2/we",),
        acceptable=SILENCE,
        before=(faults.drops("output", "udp dport 500"),),
    ),
    Row(
        name="udp-4500-to-the-device",
        code="udp_4500_blocked",
        ways=("strongswan/v2/we", "strongswan/main/we"),
        acceptable=("answer_lost", "no_answer"),
        before=(faults.drops("input", "udp dport 4500"),),
    ),
    Row(
        name="udp-4500-from-the-device",
        code="udp_4500_blocked",
        ways=("strongswan/v2/we", "strongswan/v2/device", "strongswan/main/we", "strongswan/main/device"),
        acceptable=("answer_lost", "no_answer"),
        before=(faults.drops("output", "udp dport 4500"),),
    ),
    Row(
        name="our-udp-4500-answers-are-lost",
        code="answer_lost",
        ways=("strongswan/v2/device", "strongswan/main/device"),
        equivalent=("udp_4500_blocked",),
        acceptable=("peer_dead", "nothing_comes_back"),
        before=(faults.drops("input", "udp dport 4500"),),
        quick=False,
    ),
    Row(
        name="our-own-firewall",
        code="our_firewall",
        ways=("strongswan/v2/we", "strongswan/main/we"),
        acceptable=SILENCE,
        before=(faults.our_firewall_drops,),
    ),
    Row(
        name="the-machines-firewall",
        code="our_firewall",
        ways=("strongswan/v2/we",),
        exact=(),
        acceptable=SILENCE,
        sides=("operator", "network", "device"),
        before=(faults.underlay_drops,),
    ),
    # -- who calls whom -------------------------------------------------------------------------------------------------
    Row(
        name="device-calls-the-other-endpoint",
        code="wrong_endpoint",
        ways=("strongswan/v2/device", "strongswan/v2/both", "strongswan/main/device"),
        theirs="{other_gateway}",
        device={"gateway": "{other_gateway}"},
    ),
    Row(
        name="device-calls-from-elsewhere",
        code="unknown_peer",
        ways=("strongswan/v2/device",),
        theirs="{elsewhere}",
        look="gateway",
        device={"address": "{elsewhere}"},
    ),
    Row(
        name="device-has-moved",
        code="unknown_peer",
        ways=("strongswan/v2/device",),
        exact=(),
        acceptable=SILENCE,
        theirs="{elsewhere}",
        device={"address": "{elsewhere}"},
    ),
    Row(
        name="dial-in-without-a-device",
        code="waiting_for_device",
        ways=("strongswan/v2/we",),
        customer_gateway={"id_type": "fqdn", "id_value": "branch.example"},
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
        device_off=True,
    ),
    Row(
        name="dial-in-calls-itself-otherwise",
        code="dial_in_id_mismatch",
        ways=("strongswan/v2/device", "strongswan/aggressive/device"),
        theirs="other.example",
        ours="branch.example",
        customer_gateway={"id_type": "fqdn", "id_value": "branch.example"},
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
        device={"local_id": "fqdn:other.example"},
    ),
    Row(
        name="dial-in-psk",
        code="psk_mismatch",
        ways=("strongswan/v2/device",),
        customer_gateway={"id_type": "fqdn", "id_value": "branch.example"},
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
        device={"local_id": "fqdn:branch.example", "psk": "Another-Horse-8"},
    ),
    Row(
        name="dial-in-encryption",
        code="ike_proposal_mismatch",
        ways=("strongswan/v2/device",),
        differs=("encryption_algorithm",),
        ours="aes-128",
        theirs="aes-256",
        customer_gateway={"id_type": "fqdn", "id_value": "branch.example"},
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
        device={"local_id": "fqdn:branch.example", "proposals": "aes256-sha256-modp3072"},
    ),
    Row(
        name="dial-in-expects-another-name-of-us",
        code="local_id_mismatch",
        ways=("strongswan/v2/device",),
        theirs="hq.example",
        ours="{gateway}",
        customer_gateway={"id_type": "fqdn", "id_value": "branch.example"},
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
        device={"local_id": "fqdn:branch.example", "remote_id": "fqdn:hq.example"},
    ),
    Row(
        name="dial-in-version",
        code="ike_version_mismatch",
        differs=("ike_version",),
        ways=("strongswan/v2/device",),
        exact=(),  # the gateway's own firewall drops first messages of IKEv1 where no such device is expected
        acceptable=("waiting_for_device",),
        ours="v2",
        theirs="v1",
        customer_gateway={"id_type": "fqdn", "id_value": "branch.example"},
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
        device={"local_id": "fqdn:branch.example", "version": 1, "aggressive": True},
        quick=False,
    ),
    Row(
        name="dial-in-calls-the-other-endpoint",
        code="wrong_endpoint",
        ways=("strongswan/v2/device",),
        theirs="{other_gateway}",
        customer_gateway={"id_type": "fqdn", "id_value": "branch.example"},
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
        device={"local_id": "fqdn:branch.example", "gateway": "{other_gateway}"},
    ),
    Row(
        name="template-another-id",
        code="dial_in_id_mismatch",
        ways=("strongswan/v2/device", "strongswan/aggressive/device"),
        theirs="other.example",
        ours="branch.example",
        **TEMPLATE,
        device={"local_id": "fqdn:other.example"},
    ),
    Row(
        name="template-psk",
        code="psk_mismatch",
        ways=("strongswan/v2/device", "strongswan/main/device"),
        **TEMPLATE,
        device={"local_id": "fqdn:branch.example", "psk": "Another-Horse-8"},
    ),
    Row(
        name="template-asks-outside",
        code="selectors_mismatch",
        ways=DEVICE_CALLS,
        ours="{lan}",
        theirs="{second_lan}",
        **TEMPLATE,
        device={"local_id": "fqdn:branch.example", "pairs": (("{second_lan}", "{vpc}"),)},
    ),
    Row(
        name="template-asks-outside-too",
        code="selectors_mismatch",
        ways=("strongswan/v2/device", "strongswan/main/device"),
        ours="{lan}",
        theirs="{second_lan}",
        **TEMPLATE,
        device={"local_id": "fqdn:branch.example", "pairs": (("{lan}", "{vpc}"), ("{second_lan}", "{vpc}"))},
    ),
    # -- after it was up ------------------------------------------------------------------------------------------------
    Row(
        name="device-deletes-at-once",
        code="device_disconnects",
        ways=("strongswan/v2/we", "strongswan/main/we", "strongswan/v2/device"),
        equivalent=("device_deleted",),
        after=faults.deletes_at_once,
    ),
    Row(
        name="device-disabled-later",
        code="device_disabled",
        ways=("strongswan/v2/we", "strongswan/main/we"),
        equivalent=("device_deleted",),
        acceptable=PHASE_1_REFUSED,
        after=faults.is_disabled,
    ),
    Row(
        name="device-moves-later",
        code="unknown_peer",
        ways=("strongswan/v2/we",),
        exact=(),
        acceptable=("device_disabled", "device_deleted"),
        theirs="{elsewhere}",
        after=faults.moves,
        quick=False,
    ),
    Row(
        name="group-changed-on-the-device-later",
        code="ike_proposal_mismatch",
        ways=("strongswan/v2/we",),
        acceptable=("device_disabled", "device_deleted"),
        differs=("dh_group",),
        ours="group15",
        theirs="group14",
        after=faults.changes_its_group,
        quick=False,
    ),
    Row(
        name="device-stopped",
        code="device_deleted",
        ways=("strongswan/v2/we",),
        equivalent=("device_disabled",),
        acceptable=("no_answer",),
        after=faults.stops,
    ),
    Row(
        name="device-died",
        code="peer_dead",
        ways=("strongswan/v2/we", "strongswan/main/we", "strongswan/v2/device"),
        acceptable=("no_answer",),
        body={IKE: {"dpd": {"interval": 10, "timeout": 2}}},
        after=faults.dies,
        seconds=60,
    ),
    Row(
        name="path-cut",
        code="peer_dead",
        ways=("strongswan/v2/we",),
        acceptable=("no_answer",),
        body={IKE: {"dpd": {"interval": 10, "timeout": 2}}},
        after=faults.path_is_cut,
        seconds=60,
    ),
    Row(
        name="rekey-refused",
        code="rekey_refused",
        ways=("strongswan/v2/we", "strongswan/v2/device"),
        equivalent=("esp_proposal_mismatch",),
        differs=("pfs",),
        ours="group15",
        body={IPSEC: {"lifetime_seconds": 30}},
        device={"esp_proposals": "aes128-sha256-modp2048"},
        seconds=50,
    ),
    Row(
        name="rekey-refused-after-a-change",
        code="rekey_refused",
        ways=("strongswan/main/we",),
        equivalent=("esp_proposal_mismatch",),
        body={IPSEC: {"lifetime_seconds": 30}},
        after=faults.changes_its_esp,
        seconds=50,
    ),
    Row(
        name="lifetime-ends-without-rekey",
        code="device_deleted",
        ways=("strongswan/v2/we",),
        equivalent=("device_disconnects",),
        edits=(("esp_proposals =", "life_time = 12s\n        rekey_time = 0s\n        esp_proposals ="),),
        seconds=30,
    ),
    Row(
        name="two-tunnels-of-one-peer",
        code="duplicate_sa",
        ways=("strongswan/v2/we",),
        edits=(("version = 2", "version = 2\n    unique = never"),),
        more=({"name": "copy", "proposals": "aes128-sha256-modp3072,aes256-sha256-modp3072"},),
        after=faults.two_tunnels_replace_each_other,
        seconds=60,
    ),
    Row(
        name="psk-changed-here",
        code="new_psk_refused",
        ways=("strongswan/v2/we", "strongswan/main/we"),
        acceptable=("psk_mismatch", "identity_or_psk_refused", "key_not_proved"),
        after=faults.gets_another_psk_from_us,
    ),
    # -- echoes have no answer ------------------------------------------------------------------------------------------
    Row(
        name="inner-address-is-silent",
        code="nqa_no_answer",
        ways=("strongswan/v2/we",),
        body=NQA,
        device=WITH_INNER,
        before=(faults.has_the_inner_address, faults.drops_echoes_to("169.254.70.2")),
    ),
    Row(
        name="path-of-a-probed-tunnel-is-cut",
        code="nqa_no_answer",
        ways=("strongswan/v2/we", "strongswan/main/we"),
        body=NQA,
        device=WITH_INNER,
        before=(faults.has_the_inner_address,),
        after=faults.path_is_cut,
    ),
    Row(
        name="outer-address-is-silent",
        code="monitor_no_answer",
        ways=("strongswan/v2/we",),
        body={"enable_health_check": True},
        before=(faults.drops_echoes_to("{device}"),),
    ),
    Row(
        name="our-tun-is-down",
        code="data_plane_failure",
        ways=("strongswan/v2/we", "strongswan/v2/device", "strongswan/main/we"),
        sides=("operator",),
        before=(faults.takes_the_tun_down,),
    ),
    # -- up, and traffic is lost ----------------------------------------------------------------------------------------
    Row(
        name="host-behind-the-device-is-silent",
        code="nothing_comes_back",
        ways=("strongswan/v2/we",),
        after=faults.pings_unanswered_host,
        seconds=75,
        quick=False,
    ),
    Row(
        name="device-forwards-nothing",
        code="nothing_comes_back",
        ways=("strongswan/v2/we",),
        after=faults.pings_without_route,
        seconds=75,
    ),
    Row(
        name="device-says-no-route",
        code="device_route_missing",
        ways=("strongswan/v2/we",),
        after=faults.pings_refused_by_the_device,
        seconds=75,
    ),
    Row(
        name="host-behind-the-device-is-off",
        code="device_route_missing",
        ways=("strongswan/v2/we",),
        exact=(),
        acceptable=("device_route_missing",),
        after=faults.pings_a_host_that_is_off,
        seconds=75,
        quick=False,
    ),
    Row(
        name="device-forbids",
        code="device_firewall",
        ways=("strongswan/v2/we",),
        after=faults.pings_forbidden_by_the_device,
        seconds=75,
    ),
    Row(
        name="esp-to-the-device-is-lost",
        code="nothing_comes_back",
        ways=("strongswan/v2/we",),
        after=faults.loses_esp_to_the_device,
        seconds=75,
    ),
    Row(
        name="esp-from-the-device-is-lost",
        code="nothing_comes_back",
        ways=("strongswan/v2/we",),
        after=faults.loses_esp_from_the_device,
        seconds=75,
    ),
    Row(
        name="nothing-behind-us-answers",
        code="nothing_goes_out",
        ways=("strongswan/v2/we",),
        after=faults.our_host_is_silent,
        seconds=75,
    ),
    Row(
        name="mtu-black-hole",
        code="path_mtu",
        ways=("strongswan/v2/we",),
        after=faults.loses_long_packets,
        seconds=75,
    ),
    # -- nothing is wrong, or no longer --------------------------------------------------------------------------------
    Row(
        name="nothing-is-wrong",
        code=NOTHING,
        ways=(*V2, *V1, *AGGRESSIVE, *BOTH),
        after=faults.traffic_passes,
        stays=15.0,
    ),
    Row(
        name="template-is-right-with-a-part",
        code=NOTHING,
        ways=DEVICE_CALLS,
        **TEMPLATE,
        device={"local_id": "fqdn:branch.example", "pairs": (("{half_lan}", "{vpc}"),)},
    ),
    Row(
        name="dial-in-is-right",
        code=NOTHING,
        ways=("strongswan/v2/device", "strongswan/aggressive/device"),
        customer_gateway={"id_type": "fqdn", "id_value": "branch.example"},
        body={IKE: {"peer_id_type": "fqdn", "peer_id": "branch.example"}},
        device={"local_id": "fqdn:branch.example"},
    ),
    Row(
        name="nat-is-right",
        code=NOTHING,
        ways=("strongswan/v2/device", "strongswan/main/device"),
        body={IKE: {"peer_id_type": "ip", "peer_id": "{elsewhere}"}},
        device={"address": "{elsewhere}", "local_id": "{elsewhere}"},
        before=(faults.masquerades,),
    ),
    Row(
        name="two-subnets-are-right",
        code=NOTHING,
        ways=(*V2, *V1),
        body={"peer_subnets": ["{lan}", "{second_lan}"]},
        device={"pairs": (("{lan}", "{vpc}"), ("{second_lan}", "{vpc}"))},
    ),
    Row(
        name="psk-was-mended-on-the-device",
        code=NOTHING,
        ways=("strongswan/v2/device", "strongswan/v2/we", "strongswan/main/device"),
        device={"psk": "Another-Horse-8"},
        after=faults.mends_the_psk,
    ),
    Row(
        name="encryption-was-mended-here",
        code=NOTHING,
        ways=V2,
        device={"proposals": "aes256-sha256-modp3072"},
        after=faults.mends_the_encryption_here,
    ),
    Row(
        name="psk-was-mended-and-esp-is-wrong",
        code="esp_proposal_mismatch",
        ways=("strongswan/v2/device", "strongswan/v2/we"),
        exact=ANSWERING,
        acceptable=("esp_proposal_mismatch",),
        differs=("encryption_algorithm",),
        ours="aes-128",
        theirs="aes-256",
        device={"psk": "Another-Horse-8", "esp_proposals": "aes256-sha256-modp3072"},
        after=faults.mends_the_psk,
    ),
    Row(
        name="psk-was-mended-and-the-device-is-off",
        code="no_answer",
        ways=("strongswan/v2/we",),
        acceptable=SILENCE,
        device={"psk": "Another-Horse-8"},
        after=faults.mends_the_psk_here_and_dies,
    ),
)


#: For each code whose rows take long or are not quick: the row with the shortest limit.
_ONLY_OF_THEIR_CODES = frozenset(
    min((row for row in ROWS if row.code == code), key=lambda row: row.seconds).name
    for code in {row.code for row in ROWS} - {row.code for row in ROWS if _is_short(row)}
)


def cases() -> Iterator[Case]:
    """Every row in each of its ways."""
    for row in ROWS:
        for way in row.ways:
            daemon, mode, caller = way.split("/")
            yield Case(row=row, way=Way(daemon=daemon, mode=mode, caller=caller))  # type: ignore[arg-type]
