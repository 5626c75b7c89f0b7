"""Encryption at rest: AES-256-GCM under a master key that lives outside the database.

A sealed value is a 12-byte nonce and the ciphertext; one key may seal 2^32 values (NIST SP 800-38D, 8.3). What a value belongs to (a
connection's id, an access key) is its associated data, so that the value of one row cannot be moved into another.
"""

import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from landbridge import errors

KEY_BYTES = 32
#: Names of sealed keys, which a rotation of the master key does not change. Before the first rotation there is no key of digests.
FINGERPRINT_KEY = "fingerprint-key"
DIGEST_KEY = "digest-key"
_NONCE_BYTES = 12


class Vault:
    """Seals and opens values under one master key.

    `digest_key` is derived from the master key until the first rotation. From then on the database keeps it, and whoever
    opens the database sets it here, so that a retry is recognised across a rotation. `fingerprint` names the master key
    and reveals nothing of it.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._markers = AESSIV(hmac.digest(key, b"marker", "sha512"))
        self.digest_key = hmac.digest(key, b"digest", "sha256")
        self.fingerprint = hmac.digest(key, b"fingerprint", "sha256").hex()[:16]

    def seal(self, value: bytes, belongs_to: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value, belongs_to.encode())

    def seal_marker(self, number: int, belongs_to: str) -> bytes:
        """Seals without a nonce (RFC 5297): the same number always gives the same marker, and any number of markers may be made."""
        return self._markers.encrypt(number.to_bytes(8, "big"), [belongs_to.encode()])

    def open_marker(self, sealed: bytes, belongs_to: str) -> int | None:
        """The number; None for bytes that `seal_marker` did not make for `belongs_to`."""
        try:
            return int.from_bytes(self._markers.decrypt(sealed, [belongs_to.encode()]), "big")
        except InvalidTag:
            return None

    def digest(self, value: bytes) -> str:
        """A fingerprint that reveals nothing of `value` without the master key, since a body may hold a PSK."""
        return hmac.digest(self.digest_key, value, "sha256").hex()

    def derive(self, name: str, size: int) -> bytes:
        """`size` bytes, always the same for a name, that nobody can compute without the master key (HKDF, RFC 5869)."""
        return HKDF(hashes.SHA256(), size, salt=None, info=name.encode()).derive(self.digest_key)

    def open(self, sealed: bytes, belongs_to: str) -> bytes:
        """Raises ConfigError for a value that another master key sealed."""
        value = self.try_open(sealed, belongs_to)
        if value is None:
            raise errors.ConfigError("the master key does not fit this database")
        return value

    def try_open(self, sealed: bytes, belongs_to: str) -> bytes | None:
        """None for what this master key did not seal."""
        if len(sealed) < _NONCE_BYTES:
            return None
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], belongs_to.encode())
        except InvalidTag:
            return None


def read_key(path: Path) -> bytes:
    """The master key of a file; a new one, mode 0600, where there is no file yet."""
    if not path.exists():
        return write_key(path)
    if path.stat().st_mode & 0o077:
        raise errors.ConfigError(f"{path}: a master key must be readable by its owner only (chmod 600)")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise errors.ConfigError(f"{path}: a master key has {KEY_BYTES} bytes, this file has {len(key)}")
    return key


def write_key(path: Path) -> bytes:
    """Writes a new master key to a new file, atomically and durably."""
    key = os.urandom(KEY_BYTES)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)  # a rename could replace the key that another process has just made
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)
    return key


def sync_folder(path: Path) -> None:
    """Makes the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
