"""Proposals as charon's log writes them, in the words of the API.

Pure. An algorithm that the API does not have keeps charon's word. Source: `proposal_get_chunk` and the names of transforms in
strongSwan (libstrongswan/crypto), the same in 5.9 and 6.0.
"""

import re

from landbridge.model import negotiation

_ENCRYPTION = {
    "AES_CBC_128": "aes-128",
    "AES_CBC_192": "aes-192",
    "AES_CBC_256": "aes-256",
    "3DES_CBC": "3des",
    "AES_GCM_16_128": "aes-128-gcm-16",
    "AES_GCM_16_256": "aes-256-gcm-16",
}
_INTEGRITY = {
    "HMAC_MD5_96": "md5",
    "HMAC_SHA1_96": "sha1",
    "HMAC_SHA2_256_128": "sha2-256",
    "HMAC_SHA2_384_192": "sha2-384",
    "HMAC_SHA2_512_256": "sha2-512",
}
_PRF = {
    "PRF_HMAC_MD5": "md5",
    "PRF_HMAC_SHA1": "sha1",
    "PRF_HMAC_SHA2_256": "sha2-256",
    "PRF_HMAC_SHA2_384": "sha2-384",
    "PRF_HMAC_SHA2_512": "sha2-512",
}
_GROUPS = {
    "MODP_NONE": "none",
    "MODP_768": "group1",
    "MODP_1024": "group2",
    "MODP_1536": "group5",
    "MODP_2048": "group14",
    "MODP_3072": "group15",
    "MODP_4096": "group16",
    "ECP_256": "group19",
    "ECP_384": "group20",
    "ECP_521": "group21",
}
_WORDS = {
    word: (kind, ours)
    for kind, words in (("encryption", _ENCRYPTION), ("integrity", _INTEGRITY), ("prf", _PRF), ("groups", _GROUPS))
    for word, ours in words.items()
}
#: Algorithms that the API does not have, by the beginnings of their names. What fits none is an encryption algorithm.
_OTHERS = (
    ("prf", re.compile("PRF_")),
    ("groups", re.compile("MODP_|ECP_|CURVE_|ML_KEM|KE_|NTRU|NEWHOPE|FRODO|KYBER")),
    ("integrity", re.compile("HMAC_|AES_XCBC_96|AES_CMAC_96|KEYED_MD5|DES_MAC|.*_GMAC|CAMELLIA_XCBC_96|AUTH_")),
)
_SEQUENCE_NUMBERS = frozenset({"EXT_SEQ", "NO_EXT_SEQ"})
#: Proposals that are kept of one message. IKEv1 has one for each combination, and a hostile peer may send hundreds.
KEPT = 32


def group(word: str) -> str:
    """`MODP_3072` -> `group15`."""
    return _GROUPS.get(word, word)


def parse(text: str) -> tuple[negotiation.Proposal, ...]:
    """`IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_3072, IKE:…`. The first `KEPT` of them."""
    return tuple(_proposal(proposal) for proposal in text.split(", ", KEPT)[:KEPT])


def _proposal(text: str) -> negotiation.Proposal:
    kinds: dict[str, list[str]] = {"encryption": [], "integrity": [], "prf": [], "groups": []}
    for word in text.rpartition(":")[2].split("/"):
        if word and word not in _SEQUENCE_NUMBERS:
            kind, ours = _WORDS.get(word) or (_kind(word), word)
            kinds[kind].append(ours)
    return negotiation.Proposal(**{kind: tuple(words) for kind, words in kinds.items()})


def _kind(word: str) -> str:
    return next((kind for kind, pattern in _OTHERS if pattern.match(word)), "encryption")
