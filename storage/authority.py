"""A private certificate authority for networks without the internet, and the certificates that it issues.

The authority may sign for private networks and for the names and addresses that it was made with, and for nothing else
(name constraints, RFC 5280, 4.2.1.10): a phone that trusts it trusts whoever takes its key no further than that.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from storage.certificates import AUTHORITY, AUTHORITY_KEY, PAIR, CertificateError, names_of
from storage.networks import PRIVATE

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 825
"""The most that iPhones and Macs take of an authority that was installed by hand."""
BACK = timedelta(days=1)
"""Certificates begin so long ago: the clocks of phones are not all right."""
RENEW_AUTHORITY_DAYS = 30
PRIVATE_NAMES = ("localhost", "local", "lan", "home.arpa", "internal", "intranet", "localdomain")
"""Ends of names that no public authority signs and that networks without the internet use."""
_NAME = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")

Key = ec.EllipticCurvePrivateKey


class Made(NamedTuple):
    """What there is now: the authority's certificate, whether it was made just now, and the server's."""

    authority: x509.Certificate
    new: bool
    certificate: x509.Certificate


def name_or_address(word: str) -> str:
    """A name or address as certificates write it. Raises :class:`CertificateError`."""
    try:
        return str(ipaddress.ip_address(word.strip("[]")))
    except ValueError:
        name = word.strip().rstrip(".").lower()
        if len(name) > 253 or not _NAME.fullmatch(name) or name.replace(".", "").isdigit():
            told = f"{word[:80]!r} is no name and no address of a server (map.example.lan, 192.168.1.20)"
            raise CertificateError(told) from None
        return name


def make(folder: Path, city: str, words: Iterable[str], now: datetime) -> Made:
    """Make the server's certificate for names and addresses, and the authority if ``folder`` has none or one that
    ends soon. Names that the present certificate has are kept. Raises :class:`CertificateError`."""
    names = list(dict.fromkeys([*map(name_or_address, words), *_present(folder)]))
    if not names:
        raise CertificateError("a certificate needs a name or an address")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = _authority(folder, now)
    if held is None:
        authority_key, authority = _new_authority(city, names, now)
        _write(folder / AUTHORITY_KEY, _pem(authority_key))
        _write(folder / AUTHORITY, authority.public_bytes(serialization.Encoding.PEM))
    else:
        authority_key, authority = held
        beyond = [name for name in names if not _allows(authority, name)]
        if beyond:
            raise CertificateError(
                f"the authority in {folder} may not sign for {', '.join(beyond)}. Leave that out, or move the folder "
                "away: then a new authority is made, which every phone and computer has to install anew"
            )
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _issue(authority_key, authority, key.public_key(), names, now)
    # Key and certificate in one file: a server that runs never sees one without the other.
    both = _pem(key) + certificate.public_bytes(serialization.Encoding.PEM)
    _write(folder / PAIR, both + authority.public_bytes(serialization.Encoding.PEM))
    return Made(authority, held is None, certificate)


def _new_authority(city: str, names: Sequence[str], now: datetime) -> tuple[Key, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"{city[:40]} CA {now:%Y-%m-%d}")
    own = [_general(name) for name in names if not _is_private(name)]
    trees = [*map(x509.DNSName, PRIVATE_NAMES), *map(x509.IPAddress, PRIVATE), *own]
    usage = _usage(key_cert_sign=True, crl_sign=True)
    built = (
        _builder(subject, subject, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=trees, excluded_subtrees=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return key, built.sign(key, hashes.SHA256())


def _issue(
    authority_key: Key, authority: x509.Certificate, public: ec.EllipticCurvePublicKey, names: Sequence[str],
    now: datetime,
) -> x509.Certificate:  # fmt: skip
    # Not a name in the subject: some take it for one that the constraints are for, address or not.
    subject = _subject("Gridbeat server")
    days = min(CERTIFICATE_DAYS, (authority.not_valid_after_utc - now + BACK).days)
    alternatives = [_alternative(name) for name in names]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    built = (
        _builder(subject, authority.subject, public, now, days)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    return built.sign(authority_key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    begin = now.replace(microsecond=0) - BACK
    # A second less: both ends count.
    end = begin + timedelta(days=days, seconds=-1)
    return x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number(), begin, end)


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature, key_cert_sign=key_cert_sign, crl_sign=crl_sign,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _subject(name: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.COMMON_NAME, name),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Gridbeat"),
    ])  # fmt: skip


def _authority(folder: Path, now: datetime) -> tuple[Key, x509.Certificate] | None:
    """The authority of the folder with its key; ``None`` if there is none or it ends soon."""
    try:
        key = serialization.load_pem_private_key((folder / AUTHORITY_KEY).read_bytes(), None)
        (certificate,) = x509.load_pem_x509_certificates((folder / AUTHORITY).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(f"the authority in {folder} cannot be read: {error}") from None
    if not isinstance(key, Key) or key.public_key() != certificate.public_key():
        raise CertificateError(f"{AUTHORITY_KEY} and {AUTHORITY} in {folder} do not belong together")
    ends_soon = certificate.not_valid_after_utc - now < timedelta(days=RENEW_AUTHORITY_DAYS)
    return None if ends_soon else (key, certificate)


def _present(folder: Path) -> list[str]:
    """The names of the certificate that is there."""
    try:
        return names_of(x509.load_pem_x509_certificates((folder / PAIR).read_bytes())[0])
    except (OSError, ValueError):
        return []


def _allows(authority: x509.Certificate, name: str) -> bool:
    """Whether an authority's constraints let it sign for a name or address."""
    trees = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        plain = name.removeprefix("*.")
        ends = [tree.value for tree in trees if isinstance(tree, x509.DNSName)]
        return any(plain == end or plain.endswith(f".{end}") for end in ends)
    networks = [tree.value for tree in trees if isinstance(tree, x509.IPAddress)]
    return any(address in network for network in networks)  # type: ignore[operator]


def _is_private(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name.rpartition(".")[2] in PRIVATE_NAMES or name.endswith(".home.arpa")
    return any(address in network for network in PRIVATE)


def _general(name: str) -> x509.GeneralName:
    """A name or address as a constraint."""
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name.removeprefix("*."))


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: Key) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    """A file for our user alone, in one step."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
