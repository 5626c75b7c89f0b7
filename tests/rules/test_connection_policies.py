"""ikepolicy, dpd and ipsecpolicy: Tables 5, 6 and 7, for GM gateways and for the others."""

from typing import Any

import pytest

from landbridge import model

GROUPS = ("group1", "group2", "group5", "group14", "group15", "group16", "group19", "group20", "group21")
AUTHENTICATION = ("sha2-512", "sha2-384", "sha2-256", "sha1", "md5")
ENCRYPTION = ("aes-256-gcm-16", "aes-128-gcm-16", "aes-256", "aes-192", "aes-128", "3des")

#: place, flavor, what the page allows there, what it does not
CHOICES = [
    ("ikepolicy.ike_version", "any", ("v1", "v2"), ("v3", "V2", "", "2")),
    ("ikepolicy.ike_version", "GM", ("v1",), ("v2",)),
    ("ikepolicy.phase1_negotiation_mode", "any", ("main", "aggressive"), ("quick", "Main", "")),
    ("ikepolicy.phase1_negotiation_mode", "GM", ("main",), ("aggressive",)),
    ("ikepolicy.authentication_algorithm", "any", AUTHENTICATION, ("sm3", "sha2_256", "sha256", "SHA1", "")),
    ("ikepolicy.authentication_algorithm", "GM", ("sm3",), (*AUTHENTICATION, "sm4")),
    ("ikepolicy.encryption_algorithm", "any", ENCRYPTION, ("sm4", "aes-192-gcm-16", "des", "AES-128", "")),
    ("ikepolicy.encryption_algorithm", "GM", ("sm4",), (*ENCRYPTION, "sm3")),
    ("ikepolicy.dh_group", "any", GROUPS, ("group3", "group17", "group22", "group31", "disable", "15", "")),
    ("ikepolicy.dh_group", "GM", GROUPS, ("group3",)),
    ("ikepolicy.authentication_method", "any", ("pre-share",), ("digital-envelope-v2", "psk", "")),
    ("ikepolicy.authentication_method", "GM", ("digital-envelope-v2",), ("pre-share",)),
    ("ikepolicy.local_id_type", "any", ("ip",), ("dn", "IP", "")),
    ("ikepolicy.local_id_type", "GM", ("ip", "fqdn"), ("dn",)),
    ("ikepolicy.peer_id_type", "any", ("ip",), ("dn", "IP", "")),
    ("ikepolicy.peer_id_type", "GM", ("ip", "fqdn"), ("dn",)),
    ("ikepolicy.dpd.msg", "any", ("seq-hash-notify", "seq-notify-hash"), ("hash-notify", "")),
    ("ipsecpolicy.authentication_algorithm", "any", AUTHENTICATION, ("sm3", "none", "")),
    ("ipsecpolicy.authentication_algorithm", "GM", ("sm3",), AUTHENTICATION),
    ("ipsecpolicy.encryption_algorithm", "any", ENCRYPTION, ("sm4", "null", "")),
    ("ipsecpolicy.encryption_algorithm", "GM", ("sm4",), ENCRYPTION),
    ("ipsecpolicy.pfs", "any", (*GROUPS, "disable"), ("group3", "group22", "off", "")),
    ("ipsecpolicy.pfs", "GM", (*GROUPS, "disable"), ("group3",)),
    ("ipsecpolicy.transform_protocol", "any", ("esp",), ("ah", "ah-esp", "ESP", "")),
    ("ipsecpolicy.encapsulation_mode", "any", ("tunnel",), ("transport", "")),
]
#: place, lowest, highest
RANGES = [
    ("ikepolicy.lifetime_seconds", 60, 604800),
    ("ikepolicy.dpd.interval", 10, 3600),
    ("ikepolicy.dpd.timeout", 2, 60),
    ("ipsecpolicy.lifetime_seconds", 30, 604800),
]


def _at(place: str, value: Any) -> dict[str, Any]:
    """`a.b.c` and a value -> the changes of a request."""
    outer, *inner = place.split(".")
    return {outer: _at(".".join(inner), value) if inner else value}


def _read(made: model.Connection, place: str) -> Any:
    policy = made.ike_policy if place.startswith("ikepolicy.") else made.ipsec_policy
    names = {"ike_version": "version", "phase1_negotiation_mode": "negotiation_mode"}
    value: Any = policy
    for part in place.split(".")[1:]:
        value = getattr(value, names.get(part, part))
    return value


def _flavor(word: str) -> str:
    return "GM" if word == "GM" else "Professional1"


@pytest.mark.parametrize(
    ("place", "flavor", "value"),
    [
        pytest.param(place, flavor, value, id=f"{place}-{flavor}-{value}")
        for place, flavor, values, _ in CHOICES
        for value in values
    ],
)
def test_every_listed_choice_is_taken(given: Any, place: str, flavor: str, value: str):
    changes = _at(place, value)
    if place.endswith("negotiation_mode"):
        changes["ikepolicy"]["ike_version"] = "v1"
    made = given.made(changes, flavor=_flavor(flavor))
    kept_back = flavor == "GM" and place.endswith(("dh_group", "pfs", "id_type"))
    assert _read(made, place) == (None if kept_back else value)


@pytest.mark.parametrize(
    ("place", "flavor", "value", "allowed"),
    [
        pytest.param(place, flavor, value, values[-1], id=f"{place}-{flavor}-{value or 'empty'}")
        for place, flavor, values, others in CHOICES
        for value in others
    ],
)
def test_a_choice_outside_the_list_is_refused_with_the_list(
    given: Any, place: str, flavor: str, value: str, allowed: str
):
    found = given.refusals(_at(place, value), flavor=_flavor(flavor))
    given.only(found, place, f"{value!r} is not a known value")
    assert allowed in found[0].split(" (", 1)[1]


@pytest.mark.parametrize(("place", "low", "high"), RANGES)
def test_both_ends_of_a_range_are_taken(given: Any, place: str, low: int, high: int):
    assert [low, high] == [_read(given.made(_at(place, value)), place) for value in (low, high)]


@pytest.mark.parametrize(("place", "low", "high"), RANGES)
@pytest.mark.parametrize("flavor", ["Professional1", "GM"])
def test_one_beyond_a_range_is_refused(given: Any, place: str, low: int, high: int, flavor: str):
    for value in (low - 1, high + 1, -1, 10**30):
        found = given.refusals(_at(place, value), flavor=flavor)
        given.only(found, place, f"{value} is out of range (wanted: {low} to {high})")


@pytest.mark.parametrize(
    ("place", "default"),
    [
        ("ikepolicy.lifetime_seconds", 86400),
        ("ikepolicy.dpd.interval", 30),
        ("ikepolicy.dpd.timeout", 15),
        ("ipsecpolicy.lifetime_seconds", 3600),
    ],
)
@pytest.mark.parametrize("value", [None, 0])
def test_zero_seconds_are_the_default(given: Any, place: str, default: int, value: int | None):
    assert default == _read(given.made(_at(place, value)), place)


DEFAULT_DPD = model.Dpd(interval=30, timeout=15, msg="seq-hash-notify")


def test_the_default_policies(given: Any):
    made = given.made({})
    assert made.ike_policy == model.IkePolicy(
        version="v2",
        negotiation_mode=None,
        authentication_algorithm="sha2-256",
        encryption_algorithm="aes-128",
        dh_group="group15",
        authentication_method="pre-share",
        lifetime_seconds=86400,
        local_id_type="ip",
        local_id="203.0.113.1",
        peer_id_type="ip",
        peer_id="198.51.100.2",
        dpd=DEFAULT_DPD,
    )
    assert made.ipsec_policy == model.IpsecPolicy(
        authentication_algorithm="sha2-256",
        encryption_algorithm="aes-128",
        pfs="group15",
        transform_protocol="esp",
        lifetime_seconds=3600,
        encapsulation_mode="tunnel",
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="nothing-sent"),
        pytest.param(
            {
                "ikepolicy": {
                    "dh_group": "group19",
                    "local_id_type": "fqdn",
                    "local_id": "us.example",
                    "peer_id_type": "ip",
                    "peer_id": "192.0.2.9",
                },
                "ipsecpolicy": {"pfs": "disable"},
            },
            id="what-gm-has-not-is-sent",
        ),
        pytest.param({"ikepolicy": {"local_id_type": "fqdn", "peer_id_type": "fqdn"}}, id="fqdn-types-without-ids"),
    ],
)
def test_the_default_policies_of_gm(given: Any, changes: dict[str, Any]):
    made = given.made(changes, flavor="GM")
    assert made.ike_policy == model.IkePolicy(
        version="v1",
        negotiation_mode="main",
        authentication_algorithm="sm3",
        encryption_algorithm="sm4",
        dh_group=None,
        authentication_method="digital-envelope-v2",
        lifetime_seconds=86400,
        local_id_type=None,
        local_id=None,
        peer_id_type=None,
        peer_id=None,
        dpd=DEFAULT_DPD,
    )
    assert made.ipsec_policy == model.IpsecPolicy(
        authentication_algorithm="sm3",
        encryption_algorithm="sm4",
        pfs=None,
        transform_protocol="esp",
        lifetime_seconds=3600,
        encapsulation_mode="tunnel",
    )


@pytest.mark.parametrize(
    ("version", "asked", "kept"),
    [
        pytest.param("v1", None, "main", id="v1-default"),
        pytest.param("v1", "main", "main", id="v1-main"),
        pytest.param("v1", "aggressive", "aggressive", id="v1-aggressive"),
        pytest.param("v2", None, None, id="v2-none"),
        pytest.param("v2", "main", None, id="v2-main-not-stored"),
        pytest.param("v2", "aggressive", None, id="v2-aggressive-not-stored"),
        pytest.param(None, "aggressive", None, id="default-version-not-stored"),
    ],
)
def test_only_ikev1_has_a_negotiation_mode(given: Any, version: str | None, asked: str | None, kept: str | None):
    made = given.made({"ikepolicy": {"ike_version": version, "phase1_negotiation_mode": asked}})
    assert kept == made.ike_policy.negotiation_mode


@pytest.mark.parametrize("version", [None, "v1", "v2"])
@pytest.mark.parametrize("cipher", ENCRYPTION)
@pytest.mark.parametrize("policy", ["ikepolicy", "ipsecpolicy"])
def test_gcm_goes_with_everything_but_phase_1_of_ikev1(given: Any, version: str | None, cipher: str, policy: str):
    changes: dict[str, Any] = {"ikepolicy": {"ike_version": version}, "ipsecpolicy": {}}
    changes[policy]["encryption_algorithm"] = cipher
    found = given.refusals(changes)
    if policy == "ikepolicy" and version == "v1" and "gcm" in cipher:
        given.only(found, "ikepolicy.encryption_algorithm", f"{cipher} cannot be negotiated by IKEv1")
    else:
        assert found == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(("ikepolicy.authentication_algorithm", v) for v in ("sha1", "md5")),
        ("ikepolicy.encryption_algorithm", "3des"),
        *(("ikepolicy.dh_group", v) for v in ("group1", "group2", "group5", "group14")),
        *(("ipsecpolicy.authentication_algorithm", v) for v in ("sha1", "md5")),
        ("ipsecpolicy.encryption_algorithm", "3des"),
        *(("ipsecpolicy.pfs", v) for v in ("group1", "group2", "group5", "group14")),
    ],
)
def test_a_weak_choice_is_taken_and_warned_of(given: Any, place: str, value: str):
    assert [f"{place}: {value} is weak"] == [str(one) for one in given.warnings(given.made(_at(place, value)))]


@pytest.mark.parametrize("flavor", ["Professional1", "GM"])
def test_the_defaults_are_not_warned_of(given: Any, flavor: str):
    assert given.warnings(given.made({}, flavor=flavor)) == ()
