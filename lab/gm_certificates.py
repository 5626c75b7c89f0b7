"""Certificates of a GM gateway, made with OpenSSL for tests: a CA, and one to sign and one to encrypt with."""

import subprocess
from pathlib import Path

#: GM/T 0009, the signer where nothing else was agreed; OpenSSL 3.0 would leave it empty.
SIGNER = ("-sigopt", "distid:1234567812345678")


def gateway(folder: Path, **usages: str) -> dict[str, str]:
    """The body of a create. `usages`: key usage of `certificate` or `enc_certificate`, where it is to be another one."""
    authority(folder)
    usual = {"certificate": "digitalSignature", "enc_certificate": "keyEncipherment"} | usages
    body = {"certificate_chain": (folder / "ca.pem").read_text()}
    for field, key_field in (("certificate", "private_key"), ("enc_certificate", "enc_private_key")):
        body[field], body[key_field] = issued(folder, field, usual[field])
    return body


def authority(folder: Path, name: str = "ca") -> None:
    key(folder, name)
    extensions = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    subject = ("-subj", f"/C=DE/O=Lab/CN={name}")
    signed = ("-sm3", *SIGNER, "-days", "30", *subject, *extensions)
    _openssl(folder, "req", "-new", "-x509", "-key", f"{name}.key", "-out", f"{name}.pem", *signed)


def issued(folder: Path, name: str, usage: str, by: str = "ca") -> tuple[str, str]:
    """(certificate, private key)."""
    key(folder, name)
    subject = ("-subj", f"/C=DE/O=Lab/CN={name}")
    _openssl(folder, "req", "-new", "-key", f"{name}.key", "-sm3", *SIGNER, *subject, "-out", f"{name}.csr")
    (folder / "extensions").write_text(f"keyUsage=critical,{usage}\n")
    asked = ("-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial", "-out", f"{name}.pem")
    signed = ("-sm3", *SIGNER, "-vfyopt", "distid:1234567812345678", "-days", "20", "-extfile", "extensions")
    _openssl(folder, "x509", "-req", *asked, *signed)
    return (folder / f"{name}.pem").read_text(), (folder / f"{name}.key").read_text()


def key(folder: Path, name: str) -> None:
    _openssl(folder, "genpkey", "-algorithm", "SM2", "-out", f"{name}.key")


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")
