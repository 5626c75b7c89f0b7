"""Every combination of algorithms that the API offers, and what swanctl calls them.

The values are the rules' own; swanctl's words are written down here a second time, so that a slip in the engine's mapping makes a
tunnel fail. Pure.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from landbridge import model
from landbridge.model import allowed_values
from landbridge.rules import policies

MODES = ("IKEv1 main", "IKEv1 aggressive", "IKEv2")
ENCRYPTION = {
    "aes-256-gcm-16": "aes256gcm16",
    "aes-128-gcm-16": "aes128gcm16",
    "aes-256": "aes256",
    "aes-192": "aes192",
    "aes-128": "aes128",
    "3des": "3des",
}
AUTHENTICATION = {"sha2-512": "sha512", "sha2-384": "sha384", "sha2-256": "sha256", "sha1": "sha1", "md5": "md5"}
GROUP = {
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


class Combination(NamedTuple):
    """One connection's choices, in the API's words."""

    mode: str
    ike_encryption: str = "aes-128"
    ike_authentication: str = "sha2-256"
    ike_group: str = "group19"
    esp_encryption: str = "aes-128"
    esp_authentication: str = "sha2-256"
    pfs: str = "group19"

    @property
    def version(self) -> str:
        return "v2" if self.mode == "IKEv2" else "v1"

    @property
    def negotiation_mode(self) -> str | None:
        return None if self.version == "v2" else self.mode.removeprefix("IKEv1 ")

    @property
    def ike(self) -> str:
        """swanctl's word. With GCM the authentication algorithm is the one of the PRF."""
        prf = "prf" if _is_gcm(self.ike_encryption) else ""
        words = (ENCRYPTION[self.ike_encryption], prf + AUTHENTICATION[self.ike_authentication], GROUP[self.ike_group])
        return "-".join(words)

    @property
    def esp(self) -> str:
        """swanctl's word. GCM authenticates by itself; without PFS there is no group."""
        words = [ENCRYPTION[self.esp_encryption]]
        words += [] if _is_gcm(self.esp_encryption) else [AUTHENTICATION[self.esp_authentication]]
        return "-".join([*words, *([] if self.pfs == "disable" else [GROUP[self.pfs]])])

    @property
    def dh(self) -> str | None:
        """The group that a CHILD_SA must show once it was rekeyed, as charon spells it."""
        return None if self.pfs == "disable" else GROUP[self.pfs].replace("modp", "MODP_").replace("ecp", "ECP_")


def _is_gcm(encryption: str) -> bool:
    return "gcm" in encryption


#: The values of every field of a combination, as the rules allow them.
AXES: tuple[tuple[str, ...], ...] = (
    MODES,
    allowed_values.IKE.encryption_algorithm.values,
    allowed_values.IKE.authentication_algorithm.values,
    allowed_values.IKE.dh_group.values,
    allowed_values.IPSEC.encryption_algorithm.values,
    allowed_values.IPSEC.authentication_algorithm.values,
    allowed_values.IPSEC.pfs.values,
)


def refusal(combination: Combination) -> str | None:
    """Why the rules do not let a request have it."""
    ask = model.IkePolicyRequest(
        version=combination.version,
        negotiation_mode=combination.negotiation_mode,
        encryption_algorithm=combination.ike_encryption,
        authentication_algorithm=combination.ike_authentication,
        dh_group=combination.ike_group,
    )
    found = policies.check_ike(ask, policies.Ends(gm=False, endpoint=None, peer=None))
    return next((violation.wrong for violation in found), None)


def ike_matrix(mode: str) -> list[Combination]:
    """Every IKE policy, each with the same IPsec policy."""
    return [Combination(mode, *values) for values in itertools.product(*AXES[1:4])]


def esp_matrix(mode: str) -> list[Combination]:
    """Every IPsec policy, each with the same IKE policy."""
    usual = Combination(mode)[1:4]
    return [Combination(mode, *usual, *values) for values in itertools.product(*AXES[4:])]


#: The number of a field and one of its values.
Place = tuple[int, str]
Pair = tuple[Place, Place]


def pairwise() -> list[Combination]:
    """Few combinations that have every pair of values of two fields, but for the pairs that the rules refuse.

    Greedy: each begins with a pair that is missing still, and takes for every other field what brings the most missing ones.
    """
    allowed = frozenset(pair for pair in pairs_of(AXES) if not _is_refused(pair))
    missing = set(allowed)
    found = []
    while missing:
        row = _complete(dict(min(missing)), allowed, missing)
        missing -= set(itertools.combinations(row, 2))
        found.append(Combination(*(value for _, value in row)))
    return found


def _complete(row: dict[int, str], allowed: frozenset[Pair], missing: set[Pair]) -> list[Place]:
    for axis, values in enumerate(AXES):
        if axis not in row:
            places = ((axis, value) for value in values)
            row.update([max(places, key=lambda new: _worth(row, new, allowed, missing))])
    return sorted(row.items())


def pairs_of(axes: Sequence[Sequence[str]]) -> Iterator[Pair]:
    """Every two values of different axes."""
    for (one, ones), (other, others) in itertools.combinations(enumerate(axes), 2):
        for first, second in itertools.product(ones, others):
            yield (one, first), (other, second)


def _is_refused(pair: Pair) -> bool:
    """A pair alone decides: what the rules refuse is a mode with a cipher."""
    usual = dict(enumerate(Combination("IKEv2")))
    return refusal(Combination(*(usual | dict(pair)).values())) is not None


def _worth(row: Mapping[int, str], new: Place, allowed: frozenset[Pair], missing: set[Pair]) -> int:
    """How many missing pairs a value brings to a row; less than none when the rules would refuse the row."""
    pairs = [(min(new, place), max(new, place)) for place in row.items()]
    return sum(pair in missing for pair in pairs) if allowed.issuperset(pairs) else -1
