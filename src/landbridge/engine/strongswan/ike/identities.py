"""Reads the ids that charon logs. Pure."""

import re

from landbridge.model import negotiation

_KINDS: dict[str, negotiation.IdKind] = {
    "ID_IPV4_ADDR": "ip",
    "ID_IPV6_ADDR": "ip",
    "ID_FQDN": "fqdn",
    "ID_RFC822_ADDR": "email",
    "ID_DER_ASN1_DN": "dn",
    "ID_KEY_ID": "key_id",
}


def identity(text: str, id_type: str | None = None) -> negotiation.Identity:
    """Parses an id. Without a type, which charon mostly leaves out, the kind is guessed from the text: an FQDN identity `10.1.2.3` looks
    like an address.
    """
    if id_type is not None:
        return negotiation.Identity(kind=_KINDS.get(id_type, "other"), value=text[:256])
    kind: negotiation.IdKind = "fqdn"
    if re.fullmatch(r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*|\d+(?:\.\d+){3}", text):
        kind = "ip"
    elif "=" in text:
        kind = "dn"
    elif "@" in text:
        kind = "email"
    return negotiation.Identity(kind=kind, value=text[:256])
