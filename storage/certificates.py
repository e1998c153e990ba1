"""The certificate that the listeners show: read from files, and read anew when these have changed.

New connections take the newest pair of certificate and key that is good; a bad one is told and changes nothing. A
server that starts without a good one does not start.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

FOLDER = "tls"
"""In the data folder: what ./run make-certificate makes, and what is used when the settings name nothing else."""
PAIR = "server.pem"
"""Key and certificate in one file, so that a new one takes its place in one step."""
AUTHORITY = "ca.crt"
AUTHORITY_KEY = "ca.key"
LOOK_SECONDS = 2.0
SOON_DAYS = 30
"""A certificate that ends within so many days is a problem that /healthz tells of."""
SIZE_LIMIT = 1 << 20
"""Bytes of a file: a chain has some 10 kB."""
CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secret and authenticated. All of TLS 1.3 are."""
DAY_MS = 86_400_000


class CertificateError(Exception):
    """Certificate or key cannot be used; the text says why."""


class Files(NamedTuple):
    """Where the pair is; both may be one file."""

    certificate: Path
    key: Path


def files_of(data: Path, certificate: Path | None, key: Path | None) -> Files | None:
    """The files that the settings name, else those that the data folder has, else ``None``."""
    if certificate is not None:
        return Files(certificate, key or certificate)
    own = data / FOLDER / PAIR
    return Files(own, own) if own.is_file() else None


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with those that it was issued by, its own first, and its key. Times in ms since 1970."""

    chain: tuple[x509.Certificate, ...]
    key: Any

    @property
    def begins(self) -> int:
        return max(_ms(one.not_valid_before_utc) for one in self.chain)

    @property
    def ends(self) -> int:
        """When the first of the chain ends."""
        return min(_ms(one.not_valid_after_utc) for one in self.chain)

    @property
    def names(self) -> list[str]:
        """The names and addresses that it is for."""
        return names_of(self.chain[0])


def read_pair(files: Files) -> Pair:
    """What the files hold. Raises :class:`CertificateError` if it is no certificate with its key."""
    try:
        chain = x509.load_pem_x509_certificates(_bytes(files.certificate))
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(f"{files.certificate} holds no certificate in PEM") from None
    written = _bytes(files.key)
    try:
        key = serialization.load_pem_private_key(written, None)
    except TypeError:
        raise CertificateError(f"the key in {files.key} has a password; store it without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(f"{files.key} holds no private key in PEM") from None
    if _public(key.public_key()) != _public(chain[0].public_key()):
        raise CertificateError(f"the key in {files.key} is not that of the first certificate in {files.certificate}")
    return Pair(tuple(chain), key)


def context_of(pair: Pair) -> SSL.Context:
    """What connections are made from: TLS 1.2 and 1.3. Raises :class:`CertificateError`."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    # An idle link keeps no buffers of 34 kB.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Sessions are resumed by tickets, which the device keeps.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(CIPHERS)
    try:
        context.use_certificate(pair.chain[0])
        for issuer in pair.chain[1:]:
            context.add_extra_chain_cert(issuer)
        context.use_privatekey(pair.key)
        context.check_privatekey()
    except SSL.Error as error:
        reasons = [str(one[-1]) for one in error.args[0]] if error.args else []
        raise CertificateError(f"OpenSSL refuses the certificate: {', '.join(reasons) or 'no reason told'}") from None
    return context


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256, as phones and computers show it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def names_of(certificate: x509.Certificate) -> list[str]:
    """The names and addresses that a certificate is for."""
    try:
        told = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*told.get_values_for_type(x509.DNSName), *map(str, told.get_values_for_type(x509.IPAddress))]


class Trouble(NamedTuple):
    """What is wrong with the certificate: ``refused`` (a new pair, ``reason`` says why), ``ends`` or ``begins`` at
    ``at``, ms since 1970."""

    what: str
    reason: str = ""
    at: int = 0


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """The pair in use. ``wall`` gives ms since 1970. Raises :class:`CertificateError` if there is none to begin with.

    A pair that was seen half exchanged, the certificate new and the key not yet, is read again at the next look and
    complained of only if it is still wrong then.
    """

    def __init__(self, files: Files, data: Path, reactor: Any, wall: Callable[[], int]) -> None:
        self.files = files
        self._authority = data / FOLDER / AUTHORITY
        self._wall = wall
        self._failures = 0
        self._reason = ""
        self._seen = self._mark()
        self.pair = self._read(None)
        self._context = context_of(self.pair)
        self.authority = self._issuer()
        self._looking = LoopingCall(self.look)
        self._looking.clock = reactor
        self._log = Logger(namespace="gridbeat.tls")

    @property
    def private(self) -> bool:
        """Whether it was issued by the authority in the data folder, which devices have to be told to trust."""
        return self.authority is not None

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """What Twisted asks for at every new connection."""
        return SSL.Connection(self._context, None)

    def start(self) -> None:
        """Begin to look for new files."""
        self._looking.start(LOOK_SECONDS, now=False)

    def stop(self) -> None:
        if self._looking.running:
            self._looking.stop()

    def look(self) -> None:
        """Take the files if they have changed and are good."""
        mark = self._mark()
        if mark == self._seen and not self._failures:
            return
        self._seen = mark
        try:
            pair = self._read(self.pair)
            context = context_of(pair)
        except CertificateError as error:
            self._failures += 1
            self._reason = str(error)
            if self._failures == 2:
                self._log.error("a new certificate is not used: {reason}", reason=self._reason)
            return
        if pair.chain != self.pair.chain:
            self._log.info("a new certificate is used: {names}, until {at}", names=pair.names,
                           at=pair.chain[0].not_valid_after_utc.isoformat())  # fmt: skip
        self.pair, self._context, self._failures = pair, context, 0
        self.authority = self._issuer()

    def troubles(self, now: int) -> list[Trouble]:
        """What a person has to see to."""
        found = []
        if self._failures > 1:
            found.append(Trouble("refused", self._reason))
        if self.pair.begins > now:
            found.append(Trouble("begins", at=self.pair.begins))
        elif self.pair.ends - now < SOON_DAYS * DAY_MS:
            found.append(Trouble("ends", at=self.pair.ends))
        return found

    def _read(self, before: Pair | None) -> Pair:
        pair = read_pair(self.files)
        now = self._wall()
        if before is not None and pair.ends <= now < before.ends:
            raise CertificateError(f"the certificate in {self.files.certificate} has ended")
        return pair

    def _mark(self) -> tuple[object, ...]:
        """Changes when a file does."""
        found: list[object] = []
        for path in (*self.files, self._authority):
            try:
                about = os.stat(path)
                found.append((about.st_mtime_ns, about.st_size, about.st_ino))
            except OSError:
                found.append(None)
        return tuple(found)

    def _issuer(self) -> x509.Certificate | None:
        """The authority of the data folder, if it has issued what is in use."""
        try:
            (authority,) = x509.load_pem_x509_certificates(self._authority.read_bytes())
            self.pair.chain[0].verify_directly_issued_by(authority)
        except (OSError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return None
        return authority


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise CertificateError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    if len(found) > SIZE_LIMIT:
        raise CertificateError(f"{path} is larger than {SIZE_LIMIT >> 20} MB, so no certificate")
    return found


def _public(key: Any) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(serialization.Encoding.DER, form))


def _ms(moment: Any) -> int:
    return int(moment.timestamp() * 1000)
