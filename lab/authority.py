"""A private certificate authority, for tests of TLS: certificates that are good, expired, or of somebody else's key."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, slots=True)
class Pair:
    """The two files of a server."""

    certificate: Path
    key: Path


class Authority:
    """Its own certificate is `path`, which clients are told to trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name.from_rfc4514_string("CN=Landbridge test authority")
        self.path = folder / "authority.pem"
        self.path.write_bytes(_pem(self._sign(self._name, self._key.public_key(), [], days=30, is_authority=True)))

    def issue(self, name: str, *, host: str = "127.0.0.1", days: int = 30, begins: int = 0) -> Pair:
        """A pair of files called `name`, valid for so many days from the day `begins` on (today is 0)."""
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        key = ec.generate_private_key(ec.SECP256R1())
        kind = x509.DNSName(host) if host[-1].isalpha() else x509.IPAddress(ip_address(host))
        subject = x509.Name.from_rfc4514_string(f"CN={name}")
        pair.certificate.write_bytes(_pem(self._sign(subject, key.public_key(), [kind], days=days, begins=begins)))
        pair.key.touch(mode=0o600)
        pair.key.write_bytes(_private(key))
        return pair

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        names: list[x509.GeneralName],
        *,
        days: int,
        begins: int = 0,
        is_authority: bool = False,
    ) -> x509.Certificate:
        start = datetime.now(UTC) + timedelta(days=begins, minutes=-5)
        own = self._key.public_key()
        built = (
            x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(_usage(is_authority=is_authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False)
        )
        if names:
            built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return built.sign(self._key, hashes.SHA256())


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    """RFC 5280, 4.2.1.3. Since Python 3.13 clients refuse an authority that does not say that it signs certificates."""
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
