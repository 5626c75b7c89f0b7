"""The spellings of algorithms in strongSwan, for the engine and for devices that run strongSwan. Pure.

Source: strongSwan's list of IKEv1 and IKEv2 cipher suites. Every keyword was tried on 5.9.8 in all combinations, with a ping.
"""

from landbridge.model.connection import IkePolicy, IpsecPolicy

ENCRYPTION = {
    "aes-128": "aes128",
    "aes-192": "aes192",
    "aes-256": "aes256",
    "3des": "3des",
    "aes-128-gcm-16": "aes128gcm16",
    "aes-256-gcm-16": "aes256gcm16",
}
AUTHENTICATION = {"md5": "md5", "sha1": "sha1", "sha2-256": "sha256", "sha2-384": "sha384", "sha2-512": "sha512"}
GROUPS = {
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


def ike_proposal(policy: IkePolicy) -> str:
    """The proposal of phase 1. A GCM cipher has no integrity algorithm: the API's authentication algorithm becomes the PRF."""
    prefix = "prf" if policy.is_gcm else ""
    authentication = AUTHENTICATION[policy.authentication_algorithm]
    return f"{ENCRYPTION[policy.encryption_algorithm]}-{prefix}{authentication}-{GROUPS[policy.dh_group or '']}"


def esp_proposal(policy: IpsecPolicy) -> str:
    """The proposal of phase 2. With a GCM cipher the API's authentication algorithm has no meaning. `pfs` disable is no DH group."""
    parts = [ENCRYPTION[policy.encryption_algorithm]]
    if not policy.is_gcm:
        parts.append(AUTHENTICATION[policy.authentication_algorithm])
    if policy.pfs in GROUPS:
        parts.append(GROUPS[policy.pfs])
    return "-".join(parts)
