"""The listening socket of the API, and its certificate.

Invariant: without TLS the service listens on loopback addresses only, unless the operator asks for more (`insecure_http`). Each handshake
checks the certificate's files, so renewing them needs no signal. When the files are invalid at that moment (only one of them is renewed),
the last certificate stays, and the log says so.
"""

import contextlib
import errno
import ipaddress
import logging
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from landbridge import config, errors

log = logging.getLogger(__name__)
#: The log warns of a certificate that ends within this time.
SOON = timedelta(days=14)


def resolve(serve: config.Serve) -> tuple[socket.AddressFamily, str, int]:
    """Family, address and port to listen on. Raises ConfigError, also for an address that needs TLS."""
    name, _, port = serve.listen.rpartition(":")
    family = socket.AF_INET6 if name.startswith("[") else socket.AF_INET
    try:
        addresses = socket.getaddrinfo(name.strip("[]"), int(port), family, socket.SOCK_STREAM)
    except OSError as error:
        raise errors.ConfigError(f"--listen {serve.listen}: {error.strerror}") from None
    host = str(addresses[0][4][0])
    if not (serve.tls_certificate or serve.insecure_http or ipaddress.ip_address(host).is_loopback):
        raise errors.ConfigError(
            f"--listen {serve.listen}: without TLS the service listens on loopback addresses only, since tokens and PSKs would"
            " cross the network in the clear (--tls-certificate and --tls-key, or --insecure-http behind a proxy with TLS)"
        )
    return family, host, int(port)


def open_socket(serve: config.Serve, *, shared: bool) -> socket.socket:
    """Opens the first socket. `shared`: other processes of this service will listen on the port too, by `open_another`.

    Raises ConfigError.
    """
    family, host, port = resolve(serve)
    try:
        if shared:  # a port that may be shared would be shared with another service too
            with socket.socket(family) as alone:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    alone.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                alone.bind((host, port))
        return socket.create_server((host, port), family=family, backlog=1024, reuse_port=shared)
    except OSError as error:
        hint = " (--listen HOST:PORT takes another one)" if error.errno == errno.EADDRINUSE else ""
        raise errors.ConfigError(f"--listen {serve.listen}: {error.strerror}{hint}") from None


def open_another(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    """One more socket on a shared port: the kernel spreads clients among the sockets."""
    return socket.create_server(address, family=family, backlog=1024, reuse_port=True)


def endpoint(address: tuple[str, int], certificate: "Certificate | None") -> str:
    """The URL for clients of a bound address. With a certificate it has a name that the certificate is for."""
    host, port = address
    host = host if certificate is None else certificate.host(host)
    scheme = "http" if certificate is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def configured_endpoint(serve: config.Serve) -> str | None:
    """The URL that the settings say; None where only a start can tell."""
    host, _, port = serve.listen.rpartition(":")
    with contextlib.suppress(errors.ConfigError):
        return endpoint((host.strip("[]"), int(port)), certificate(serve)) if int(port) else None
    return None


def certificate(serve: config.Serve) -> "Certificate | None":
    """None without TLS. Raises ConfigError with what is wrong with the files."""
    if not serve.tls_certificate:
        return None
    return Certificate(Path(serve.tls_certificate), Path(serve.tls_key))


class Certificate:
    """The newest good certificate of two files. `context` is for the listening server."""

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain, self._key = chain, key
        self._seen = self._look()
        self._leaf, self.context = _load(chain, key)
        self._newest = self.context
        self.context.sni_callback = self._choose

    def _look(self) -> tuple[Any, ...]:
        """A value that changes when a file is replaced or written."""
        try:
            looks = [path.stat() for path in (self._chain, self._key)]
        except OSError:
            return ()
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in looks)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called by every handshake, whether or not the client names a server."""
        current = self._look()
        if current != self._seen:
            self._seen = current
            try:
                self._leaf, self._newest = _load(self._chain, self._key)
            except errors.ConfigError as error:
                log.warning("the earlier certificate is kept: %s", error)
        connection.context = self._newest

    def host(self, bound: str) -> str:
        """The host for the service's URL: the bound address if the certificate has it, else the certificate's first name."""
        names = [name for name in _names(self._leaf) if "*" not in name]
        return bound if bound in names or not names else names[0]


def _load(chain: Path, key: Path) -> tuple[x509.Certificate, ssl.SSLContext]:
    leaf = _read_chain(chain)
    _check_key(key, leaf, chain)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(chain, key, password="")  # asks nobody, should the key be encrypted by now
    except OSError as error:  # ssl.SSLError among them
        raise errors.ConfigError(f"{chain}, {key}: {error}") from None
    end = leaf.not_valid_after_utc
    level = logging.WARNING if end - datetime.now(UTC) < SOON else logging.INFO
    log.log(level, "certificate of %s, valid until %s", ", ".join(_names(leaf)) or "nobody", end)
    return leaf, context


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.ConfigError(f"{path}: {error.strerror}") from None


def _read_chain(path: Path) -> x509.Certificate:
    try:
        leaf = x509.load_pem_x509_certificates(_read(path))[0]
    except ValueError:
        raise errors.ConfigError(f"{path}: has no certificate (PEM, the server's own first)") from None
    now = datetime.now(UTC)
    if now > leaf.not_valid_after_utc:
        raise errors.ConfigError(f"{path}: the certificate expired at {leaf.not_valid_after_utc}")
    if now < leaf.not_valid_before_utc:
        raise errors.ConfigError(f"{path}: the certificate is valid from {leaf.not_valid_before_utc} on")
    return leaf


def _check_key(path: Path, leaf: x509.Certificate, chain: Path) -> None:
    text = _read(path)
    if path.stat().st_mode & 0o007:
        raise errors.ConfigError(f"{path}: a TLS key may not be open to everybody (chmod 600)")
    try:
        key = serialization.load_pem_private_key(text, None)
    except TypeError:
        raise errors.ConfigError(f"{path}: the key is encrypted (a key without a passphrase)") from None
    except (ValueError, UnsupportedAlgorithm):
        raise errors.ConfigError(f"{path}: has no private key (PEM)") from None
    if _public(key.public_key()) != _public(leaf.public_key()):
        raise errors.ConfigError(f"{path}: is not the key of the certificate in {chain}")


def _public(key: Any) -> bytes:
    made: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return made


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [
        *alternatives.get_values_for_type(x509.DNSName),
        *map(str, alternatives.get_values_for_type(x509.IPAddress)),
    ]
