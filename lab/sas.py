"""The SAs of a charon, as `list-sas` of VICI tells them, and the words that it has for the algorithms of the API.

The words are written down here a second time, after strongSwan's keywords, so that a slip in the engine's mapping makes a scenario fail.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import vici

from lab.algorithms import GROUP, Combination

_ENCRYPTION = {
    "aes-256-gcm-16": "AES_GCM_16 256",
    "aes-128-gcm-16": "AES_GCM_16 128",
    "aes-256": "AES_CBC 256",
    "aes-192": "AES_CBC 192",
    "aes-128": "AES_CBC 128",
    "3des": "3DES_CBC",
}
_INTEGRITY = {
    "sha2-512": "HMAC_SHA2_512_256",
    "sha2-384": "HMAC_SHA2_384_192",
    "sha2-256": "HMAC_SHA2_256_128",
    "sha1": "HMAC_SHA1_96",
    "md5": "HMAC_MD5_96",
}
_PRF = {
    "sha2-512": "PRF_HMAC_SHA2_512",
    "sha2-384": "PRF_HMAC_SHA2_384",
    "sha2-256": "PRF_HMAC_SHA2_256",
    "sha1": "PRF_HMAC_SHA1",
    "md5": "PRF_HMAC_MD5",
}


def ike_suite(wanted: Combination) -> str:
    """Encryption, integrity (none with GCM), PRF and group."""
    encryption, authentication = wanted.ike_encryption, wanted.ike_authentication
    return " ".join([_cipher(encryption, authentication), _PRF[authentication], group(wanted.ike_group)])


def esp_suite(wanted: Combination) -> str:
    """Encryption and integrity (none with GCM)."""
    return _cipher(wanted.esp_encryption, wanted.esp_authentication)


def group(name: str) -> str:
    return GROUP[name].replace("modp", "MODP_").replace("ecp", "ECP_")


def _cipher(encryption: str, authentication: str) -> str:
    integrity = "" if "gcm" in encryption else _INTEGRITY[authentication]
    return f"{_ENCRYPTION[encryption]} {integrity}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Child:
    """A CHILD_SA. `suite`: encryption and integrity. `group`: of its own key exchange, "" when it had none. `encap`: ESP is in UDP."""

    name: str
    state: str
    mode: str
    protocol: str
    encap: bool
    suite: str
    group: str
    local_ts: tuple[str, ...]
    remote_ts: tuple[str, ...]
    spis: frozenset[str]

    @property
    def is_up(self) -> bool:
        return self.state == "INSTALLED"


@dataclass(frozen=True, kw_only=True)
class Sa:
    """An IKE_SA that is established. `suite`: encryption, integrity, PRF and group. `children`: those that are installed; `replaced`: those that a rekey of
    IKEv1 has replaced, which stay until their lifetime ends. `ike_spis`: the initiator's and the responder's.
    """

    name: str
    unique_id: str
    ike_spis: tuple[str, str]
    version: int
    is_initiator: bool
    local: tuple[str, int]
    remote: tuple[str, int]
    local_id: str
    remote_id: str
    suite: str
    children: tuple[Child, ...]
    replaced: tuple[Child, ...] = ()

    @property
    def spis(self) -> frozenset[str]:
        return frozenset(spi for child in self.children for spi in child.spis)


def read(uri: str) -> list[Sa]:
    """The established IKE_SAs, in the order of their unique ids."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(uri.removeprefix("unix://"))
        listed = [one for each in vici.Session(connection).list_sas() for one in each.items()]
    found = [_sa(name, sa) for name, sa in listed if sa["state"] == b"ESTABLISHED"]
    return sorted(found, key=lambda sa: int(sa.unique_id))


def _sa(name: str, sa: Mapping[str, Any]) -> Sa:
    children = [_child(one) for one in sa["child-sas"].values()]
    return Sa(
        name=name,
        unique_id=_text(sa, "uniqueid"),
        ike_spis=(_text(sa, "initiator-spi"), _text(sa, "responder-spi")),
        version=int(sa["version"]),
        is_initiator=_text(sa, "initiator") == "yes",
        local=(_text(sa, "local-host"), int(sa["local-port"])),
        remote=(_text(sa, "remote-host"), int(sa["remote-port"])),
        local_id=_text(sa, "local-id"),
        remote_id=_text(sa, "remote-id"),
        suite=_words(sa, "encr-alg", "encr-keysize", "integ-alg", "prf-alg", "dh-group"),
        children=tuple(child for child in children if child.is_up),
        replaced=tuple(child for child in children if child.state == "REKEYED"),
    )


def _child(child: Mapping[str, Any]) -> Child:
    return Child(
        name=_text(child, "name"),
        state=_text(child, "state"),
        mode=_text(child, "mode"),
        protocol=_text(child, "protocol"),
        encap=_text(child, "encap") == "yes",
        suite=_words(child, "encr-alg", "encr-keysize", "integ-alg"),
        group=_text(child, "dh-group"),
        local_ts=tuple(one.decode() for one in child.get("local-ts", ())),
        remote_ts=tuple(one.decode() for one in child.get("remote-ts", ())),
        spis=frozenset({_text(child, "spi-in"), _text(child, "spi-out")}),
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    return str(values.get(name, b"").decode())


def _words(values: Mapping[str, Any], *names: str) -> str:
    return " ".join(word for word in (_text(values, name) for name in names) if word)
