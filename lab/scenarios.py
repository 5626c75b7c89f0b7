"""The scenarios of strongSwan's own test suite (`testing/tests` in its repository) that are replayed, each under its original's name.

Three things are translated in all of them. Certificates become PSKs. Curve 25519, which the API does not have, becomes group19 (ECP_256). A
roadwarrior has a network behind it, since `peer_subnets` of the API are the networks behind a device. What an original checks with `list-sas` is
checked with `list-sas` of both charons, and in the API besides.
"""

from collections.abc import Iterator
from typing import Any

from lab import replay_steps as steps
from lab.algorithms import Combination
from lab.replay import USUAL, Peer, Plane, Scenario

BOTH: tuple[Plane, ...] = ("userland", "kernel")
KERNEL: tuple[Plane, ...] = ("kernel",)
UP = (steps.tunnels_are_up,)
_UP = "both SAs exact on both sides; pings both ways; ESP both ways"
_EACH = "of each peer: " + _UP
V1 = USUAL._replace(mode="IKEv1 main")
AGGRESSIVE = USUAL._replace(mode="IKEv1 aggressive")
#: The shortest timers of the API: 10 s of silence, then three requests 2 s apart.
DPD = {"ikepolicy": {"dpd": {"interval": 10, "timeout": 2}}}
MOON = "moon.strongswan.org"
CAROL = Peer(name="carol", psk="Carol-Key-2026")
DAVE = Peer(name="dave", psk="Dave-Key-2026")
CAROL_BY_ID = Peer(name="carol", psk="Carol-Key-2026", id="carol@strongswan.org")
DAVE_BY_ID = Peer(name="dave", psk="Dave-Key-2026", id="dave@strongswan.org")
ALICE = Peer(name="alice", psk="Alice-Key-2026", id="alice@strongswan.org", dials_in=True)
VENUS = Peer(name="venus", psk="Venus-Key-2026", id="venus.strongswan.org", dials_in=True)


def _net2net() -> Iterator[Scenario]:
    yield Scenario(name="ikev2/net2net-psk", shows=_UP, steps=UP, planes=BOTH)
    yield Scenario(name="ikev1/net2net-psk", shows=_UP, steps=UP, suite=V1)
    wrong = (Peer(name="sun", device_psk="Another-Horse-8"),)
    yield Scenario(
        name="ikev2/net2net-psk-fail",
        shows="the responder's MAC does not match; the API names the PSK; no CHILD_SA on either side",
        steps=(
            steps.is_refused("psk_mismatch", "identity_or_psk_refused"),
            steps.device_log_has("tried 1 shared key for .* but MAC mismatched"),
            steps.gateway_log_has("received AUTHENTICATION_FAILED notify error"),
        ),
        peers=wrong,
    )
    yield Scenario(
        name="ikev1/net2net-psk-fail",
        shows="neither side can decrypt; the API names the PSK; no CHILD_SA on either side",
        steps=(
            steps.is_refused("psk_mismatch"),
            steps.device_log_has("invalid ID_V1 payload length, decryption failed"),
        ),
        peers=wrong,
        suite=V1,
    )
    yield Scenario(
        name="ikev2/net2net-rekey",
        shows="the lifetime of 30 s ends: a new CHILD_SA with a key exchange, the old SPIs gone, pings before and after",
        steps=(*UP, steps.rekeys_by_itself, steps.gateway_log_has("CREATE_CHILD_SA re.* N\\(REKEY_SA\\)")),
        body={"ipsecpolicy": {"lifetime_seconds": 30}},
        planes=BOTH,
    )
    yield Scenario(
        name="ikev2/net2net-start",
        shows="the device starts the tunnel by itself; " + _UP,
        steps=UP,
        peers=(Peer(name="sun", start=True),),
        caller="device",
    )
    yield Scenario(
        name="ikev2/start-action-start",
        shows="a new name keeps the SAs, a new value of either policy replaces these, a DELETE ends these",
        steps=(*UP, steps.a_change_makes_new_sas_and_a_name_does_not),
    )
    yield Scenario(
        name="ikev2/net2net-childless",
        shows="the IKE_SA first, the CHILD_SA by CREATE_CHILD_SA with a group of its own (RFC 6023)",
        steps=(*UP, steps.child_has_a_key_exchange),
        peers=(Peer(name="sun", edits=(("mobike = no", "mobike = no\n    childless = force"),)),),
        caller="device",
    )


def _kernel() -> Iterator[Scenario]:
    yield Scenario(
        name="ikev2/net2net-route",
        shows="the device has a trap: no SA until a host behind it sends a packet; then " + _UP,
        steps=(steps.a_ping_sets_the_trap_off, *UP),
        peers=(Peer(name="sun", start=True, edits=(("start_action = start", "start_action = trap"),)),),
        caller="device",
        planes=KERNEL,
    )


def _dead_peers() -> Iterator[Scenario]:
    for version, suite, line in (
        ("ikev2", USUAL, "retransmit 2 of request"),
        ("ikev1", V1, "DPD check timed out, enforcing DPD action"),
    ):
        yield Scenario(
            name=f"{version}/dpd-clear",
            shows="the device hears nothing: DPD, no SA on the gateway, the connection is DOWN",
            steps=(*UP, steps.device_hears_nothing, steps.gateway_log_has("sending DPD request", line)),
            suite=suite,
            body=DPD,
        )
        yield Scenario(
            name=f"{version}/dpd-restart",
            shows="the path is cut and mended: the SA is cleared, and a new tunnel comes by itself; then " + _UP,
            steps=(*UP, steps.path_is_cut_and_mended, steps.gateway_log_has("sending DPD request", line)),
            suite=suite,
            body=DPD,
        )


def _several_peers() -> Iterator[Scenario]:
    each: dict[str, Any] = {"steps": (*UP, steps.each_peer_has_its_own), "caller": "device"}
    shows = "{} with PSKs of their own; " + _EACH
    yield Scenario(name="ikev2/rw-psk-ipv4", shows=shows.format("two addresses"), peers=(CAROL, DAVE), **each)
    named: dict[str, Any] = {"gateway_id": MOON, "peers": (CAROL_BY_ID, DAVE_BY_ID)}
    yield Scenario(name="ikev2/rw-psk-fqdn", shows=shows.format("two identities"), **named, **each)
    yield Scenario(name="ikev1/rw-psk-fqdn", shows=shows.format("two identities"), suite=V1, **named, **each)
    no_idr = [Peer(**vars(one) | {"remote_id": "fqdn:*.strongswan.org"}) for one in (CAROL_BY_ID, DAVE_BY_ID)]
    looked = steps.gateway_log_has("looking for peer configs matching .*\\[%any\\]\\.\\.\\.{device}\\[")
    yield Scenario(
        name="ikev2/rw-psk-no-idr",
        shows="the devices send no IDr; two identities with PSKs of their own; " + _EACH,
        gateway_id=MOON,
        peers=no_idr,
        steps=(*UP, steps.each_peer_has_its_own, looked),
        caller="device",
    )
    yield Scenario(
        name="ikev1/rw-psk-aggressive",
        shows="aggressive mode; two identities with PSKs of their own; " + _EACH,
        suite=AGGRESSIVE,
        steps=(*UP, steps.each_peer_has_its_own, steps.device_log_has("initiating Aggressive Mode IKE_SA")),
        caller="device",
        **named,
    )


def _addresses() -> Iterator[Scenario]:
    behind: dict[str, Any] = {"gateway_id": "sun.strongswan.org", "nat": "devices", "caller": "device"}
    behind |= {"steps": (*UP, steps.esp_is_in_udp, steps.peers_have_ports_of_their_own)}
    shows = "two devices behind one address, with PSKs of their own; port 4500; " + _EACH
    yield Scenario(name="ikev2/nat-rw-psk", shows=shows, peers=(ALICE, VENUS), planes=BOTH, **behind)
    yield Scenario(name="ikev1/nat-rw", shows=shows, peers=(ALICE, VENUS), suite=AGGRESSIVE, **behind)
    for version, suite in (("ikev2", USUAL), ("ikev1", V1)):
        yield Scenario(
            name=f"{version}/double-nat-net",
            shows="both sides behind a NAT; port 4500; " + _UP,
            steps=(*UP, steps.esp_is_in_udp),
            peers=(ALICE,),
            suite=suite,
            gateway_id="bob@strongswan.org",
            nat="both",
            caller="device",
        )
    yield Scenario(
        name="ikev2/force-udp-encap",
        shows="the path drops ESP, and the device forces UDP: port 4500; " + _UP,
        steps=(*UP, steps.esp_is_in_udp),
        peers=(Peer(name="alice", edits=(("mobike = no", "mobike = no\n    encap = yes"),)),),
        caller="device",
        planes=BOTH,
        rules="chain path { type filter hook forward priority 0; ip protocol esp drop; }",
    )
    for version, suite in (("ikev2", USUAL), ("ikev1", V1)):
        yield Scenario(
            name=f"{version}/dynamic-initiator",
            shows="the device comes back from another address without a DELETE: its old SA is replaced; then " + _UP,
            steps=(*UP, steps.comes_back_from_another_address),
            peers=(Peer(name="carol", id="carol@strongswan.org", dials_in=True),),
            suite=suite,
            gateway_id=MOON,
            caller="device",
        )
    yield Scenario(
        name="ikev2/reauth-mbb",
        shows="the device reauthenticates: a new IKE_SA before the old one goes, and 40 of 40 pings pass meanwhile",
        steps=(*UP, steps.reauthenticates_without_a_loss),
        peers=(CAROL_BY_ID,),
        gateway_id=MOON,
        caller="device",
    )


def _suite(mode: str, encryption: str, authentication: str, group: str) -> Combination:
    """The same for IKE and ESP."""
    return Combination(mode, *(encryption, authentication, group) * 2)


def _algorithms() -> Iterator[Scenario]:
    shows = "this very suite in IKE and ESP; " + _UP
    carol: dict[str, Any] = {"peers": (CAROL_BY_ID,), "gateway_id": MOON, "caller": "device", "steps": UP}
    for room, mode in (("ikev2-algs", "IKEv2"), ("ikev1-algs", "IKEv1 main")):
        for name, *words in (
            ("alg-3des-md5", "3des", "md5", "group2"),
            ("alg-sha256", "aes-128", "sha2-256", "group19"),
            ("alg-sha384", "aes-192", "sha2-384", "group19"),
            ("alg-sha512", "aes-256", "sha2-512", "group19"),
        ):
            yield Scenario(name=f"{room}/{name}", shows=shows, suite=_suite(mode, *words), **carol)
        yield _ecp(room, mode)
    gcm = Combination("IKEv2", "aes-128-gcm-16", esp_encryption="aes-128-gcm-16")
    yield Scenario(name="ikev2-algs/alg-aes-gcm", shows=shows, suite=gcm, **carol)
    yield Scenario(name="ikev1-algs/esp-alg-aes-gcm", shows=shows, suite=V1, **carol)
    userland: dict[str, Any] = {"steps": (*UP, steps.esp_is_in_udp)}
    shows = "ESP by charon itself, in UDP 4500; " + _UP
    yield Scenario(name="libipsec/net2net-cert", shows=shows, **userland)
    yield Scenario(
        name="libipsec/net2net-3des", shows=shows, suite=_suite("IKEv2", "3des", "sha1", "group14"), **userland
    )


def _ecp(room: str, mode: str) -> Scenario:
    """The devices prefer ECP_256, which the gateway does not take. In IKEv2 they send its key first (INVALID_KE_PAYLOAD)."""
    high = Combination(mode, "aes-192", "sha2-384", "group20", "aes-128-gcm-16", "sha2-256", "group20")
    higher = Combination(mode, "aes-256", "sha2-512", "group21", "aes-256-gcm-16", "sha2-256", "group21")
    usual = Combination(mode, esp_encryption="aes-128-gcm-16")
    peers = [
        Peer(**vars(one) | {"suite": suite, "proposals": (f"{usual.ike},{suite.ike}", f"{usual.esp},{suite.esp}")})
        for one, suite in ((CAROL_BY_ID, high), (DAVE_BY_ID, higher))
    ]
    told = (steps.device_log_has("ECP_256.*ECP_(384|521)"),) if mode == "IKEv2" else ()
    return Scenario(
        name=f"{room}/alg-ecp-high",
        shows="devices that prefer ECP_256 fall back to ECP_384 and ECP_521; " + _EACH,
        peers=peers,
        gateway_id=MOON,
        caller="device",
        steps=(*UP, steps.each_peer_has_its_own, *told),
    )


SCENARIOS = (*_net2net(), *_kernel(), *_dead_peers(), *_several_peers(), *_addresses(), *_algorithms())
#: Those that `make test` runs.
FEW = (
    "ikev2/net2net-psk",
    "ikev1/net2net-psk-fail",
    "ikev1/rw-psk-aggressive",
    "ikev2/nat-rw-psk",
    "ikev2/dynamic-initiator",
)
