"""The sandbox's own keys: made once in its folder and kept through every reset."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Keys:
    """Paths of PEM files."""

    ca: Path
    certificate: Path  # for localhost, 127.0.0.1 and ::1, signed by `ca`
    certificate_key: Path
    salesforce_private_key: Path
    """What the portal signs its assertions with: RSA 2048, PKCS 8."""

    salesforce_public_key: Path


def keys_in(folder: Path) -> Keys:
    """The keys in this folder (`Settings.folder`); makes what is missing, which takes a moment the first time."""
    keys = Keys(
        ca=folder / "ca.pem",
        certificate=folder / "localhost.pem",
        certificate_key=folder / "localhost.key",
        salesforce_private_key=folder / "salesforce.key",
        salesforce_public_key=folder / "salesforce.pub",
    )
    folder.mkdir(parents=True, exist_ok=True)
    # The file that is written last says that its set is whole: a start that was killed half-way starts over.
    if not keys.salesforce_public_key.exists():
        _make_salesforce_pair(keys)
    if not keys.certificate.exists():
        _make_certificate(keys)
    return keys


def _make_salesforce_pair(keys: Keys) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_private(keys.salesforce_private_key, private)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    keys.salesforce_public_key.write_bytes(public)


def _make_certificate(keys: Keys) -> None:
    """A certificate authority and one certificate of it. The authority's own key is not kept: nothing else to sign."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key)
    server = _certificate("localhost", authority.subject, server_key, authority_key, _server_extensions(authority_key))
    keys.ca.write_bytes(authority.public_bytes(Encoding.PEM))
    _write_private(keys.certificate_key, server_key)
    keys.certificate.write_bytes(server.public_bytes(Encoding.PEM))


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("Portico sandbox")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    extensions = [x509.BasicConstraints(ca=True, path_length=0), usage, _subject_key(key)]
    return _certificate("Portico sandbox", name, key, key, extensions)


def _server_extensions(authority_key: ec.EllipticCurvePrivateKey) -> list[x509.ExtensionType]:
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    return [
        x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses]),
        x509.BasicConstraints(ca=False, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
    ]


def _certificate(
    subject: str,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signing_key: ec.EllipticCurvePrivateKey,
    extensions: list[x509.ExtensionType],
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=3650))
    )
    for extension in extensions:
        critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signing_key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _subject_key(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
