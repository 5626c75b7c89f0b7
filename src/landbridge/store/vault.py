"""Encryption at rest: AES-256-GCM under a master key that lives outside the database.

A sealed value is a 12-byte nonce and the ciphertext; what it belongs to (a connection's id, an access key) is bound in
as associated data, so that one row's value cannot be moved into another.
"""

import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from landbridge import errors

KEY_BYTES = 32
_NONCE_BYTES = 12


class Vault:
    """Seals and opens values under one master key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._digest_key = hmac.digest(key, b"digest", "sha256")

    def seal(self, value: bytes, belongs_to: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, belongs_to.encode())

    def digest(self, value: bytes) -> str:
        """A fingerprint that tells nothing of `value` to whoever lacks the master key: a body may hold a PSK."""
        return hmac.digest(self._digest_key, value, "sha256").hex()

    def open(self, sealed: bytes, belongs_to: str) -> bytes:
        """Raises ConfigError under another master key than the one that sealed."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], belongs_to.encode())
        except InvalidTag:
            raise errors.ConfigError("the master key does not fit this database") from None


def read_key(path: Path) -> bytes:
    """The master key of a file; a new one, mode 0600, where there is no file yet."""
    if not path.exists():
        key = os.urandom(KEY_BYTES)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        return key
    if path.stat().st_mode & 0o077:
        raise errors.ConfigError(f"{path}: a master key must be readable by its owner only (chmod 600)")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise errors.ConfigError(f"{path}: a master key has {KEY_BYTES} bytes, this file has {len(key)}")
    return key
