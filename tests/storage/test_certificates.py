"""Certificates: which files are taken, what is said of the others, and what happens when they change."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.task import Clock

from storage import authority
from storage.certificates import (
    LOOK_SECONDS,
    CertificateError,
    Certificates,
    Files,
    Trouble,
    context_of,
    files_of,
    fingerprint,
    read_pair,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY_MS = 86_400_000


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


class Place:
    """A data folder with a certificate, on a clock that is moved by hand."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.folder = data / "tls"
        self.clock = Clock()
        self.now = NOW

    def make(self, *names: str, at: datetime = NOW) -> authority.Made:
        return authority.make(self.folder, "Town", names or ["127.0.0.1"], at)

    @property
    def files(self) -> Files:
        found = files_of(self.data, None, None)
        assert found is not None
        return found

    def open(self, files: Files | None = None) -> Certificates:
        made = Certificates(files or self.files, self.data, self.clock, lambda: ms(self.now))
        made.start()
        return made

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(LOOK_SECONDS)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def shown(certificates: Certificates) -> str:
    """Over a handshake in memory: the fingerprint that a client sees."""
    server = certificates.serverConnectionForTLS(None)
    client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            with suppress(SSL.WantReadError):
                one.do_handshake()
            with suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(1 << 16))
    seen = client.get_peer_certificate(as_cryptography=True)
    assert seen is not None
    return fingerprint(seen)


def test_the_settings_go_before_the_data_folder(place: Place) -> None:
    assert files_of(place.data, None, None) is None
    place.make()
    own = place.folder / "server.pem"
    assert files_of(place.data, None, None) == Files(own, own)
    given = Path("/a"), Path("/b")
    assert files_of(place.data, *given) == Files(*given)
    assert files_of(place.data, Path("/a"), None) == Files(Path("/a"), Path("/a"))


def test_what_is_taken_is_shown(place: Place) -> None:
    made = place.make("127.0.0.1", "map.lan")
    certificates = place.open()
    assert shown(certificates) == fingerprint(made.certificate)
    assert certificates.pair.names == ["map.lan", "127.0.0.1"]
    assert certificates.authority is not None
    assert fingerprint(certificates.authority) == fingerprint(made.authority)
    assert certificates.troubles(ms(NOW)) == []


def test_anothers_certificate_is_not_private(place: Place, tmp_path: Path) -> None:
    place.make()
    elsewhere = Place(tmp_path / "elsewhere")
    elsewhere.make()
    assert place.open().private
    assert not place.open(elsewhere.files).private


def other_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def locked_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )


@pytest.mark.parametrize(
    ("certificate", "key", "told"),
    [
        (None, b"", "holds no private key in PEM"),
        (None, other_key, "is not that of the first certificate"),
        (None, locked_key, "has a password; store it without one"),
        (b"", None, "holds no certificate in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None, "holds no certificate in PEM"),
        (b"\xff" * (1 << 20 | 1), None, "is larger than 1 MB"),
    ],
)
def test_what_cannot_be_used_is_refused(
    place: Place, certificate: bytes | None, key: bytes | Callable[[], bytes] | None, told: str
) -> None:
    place.make()
    whole = place.files.certificate.read_bytes()
    files = Files(place.data / "cert.pem", place.data / "key.pem")
    files.certificate.write_bytes(whole if certificate is None else certificate)
    files.key.write_bytes(whole if key is None else key() if callable(key) else key)
    with pytest.raises(CertificateError, match=told):
        read_pair(files)


def test_what_is_not_there_is_named(place: Place) -> None:
    missing = place.data / "none.pem"
    with pytest.raises(CertificateError, match=r"none\.pem: no such file or directory"):
        read_pair(Files(missing, missing))


def test_a_chain_is_sent_along(place: Place) -> None:
    place.make()
    pair = read_pair(place.files)
    assert "CN=Gridbeat server" in pair.chain[0].subject.rfc4514_string()
    assert len(pair.chain) == 2
    context_of(pair)


def test_new_files_are_taken(place: Place) -> None:
    place.make()
    certificates = place.open()
    before = shown(certificates)
    made = place.make("127.0.0.1", "new.lan")
    assert shown(certificates) == before, "not before it has looked"
    place.look()
    assert shown(certificates) == fingerprint(made.certificate) != before
    certificates.stop()
    place.make()
    place.look(3)
    assert shown(certificates) == fingerprint(made.certificate)


def test_a_bad_one_changes_nothing_and_is_told(place: Place) -> None:
    place.make()
    certificates = place.open()
    before, good = shown(certificates), place.files.certificate.read_bytes()
    files = place.files
    files.certificate.write_bytes(b"bad")
    place.look()
    assert certificates.troubles(ms(NOW)) == [], "it may be half written"
    place.look()
    (trouble,) = certificates.troubles(ms(NOW))
    assert trouble.what == "refused"
    assert "holds no certificate" in trouble.reason
    assert shown(certificates) == before
    files.certificate.unlink()
    place.look()
    assert "no such file" in certificates.troubles(ms(NOW))[0].reason
    files.certificate.write_bytes(good)
    place.look()
    assert certificates.troubles(ms(NOW)) == []


def test_a_pair_that_is_exchanged_file_by_file_is_taken_when_both_are_there(place: Place) -> None:
    place.make()
    files = Files(place.data / "cert.pem", place.data / "key.pem")
    for path in files:
        path.write_bytes(place.files.certificate.read_bytes())
    certificates = place.open(files)
    made = place.make()
    files.certificate.write_bytes(place.files.certificate.read_bytes())
    place.look()
    files.key.write_bytes(place.files.certificate.read_bytes())
    place.look()
    assert certificates.troubles(ms(NOW)) == []
    assert shown(certificates) == fingerprint(made.certificate)


def test_the_same_bytes_written_again_are_nothing_new(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.make()
    certificates = place.open()
    read = []
    monkeypatch.setattr("storage.certificates.read_pair", lambda files: read.append(files))
    place.look(5)
    assert read == []
    os.utime(place.files.certificate)
    monkeypatch.undo()
    before = shown(certificates)
    place.look()
    assert shown(certificates) == before


def test_its_end_is_told_in_time(place: Place) -> None:
    made = place.make()
    ends = ms(made.certificate.not_valid_after_utc)
    certificates = place.open()
    assert certificates.troubles(ends - 31 * DAY_MS) == []
    assert certificates.troubles(ends - 29 * DAY_MS) == [Trouble("ends", at=ends)]
    assert certificates.troubles(ends + DAY_MS) == [Trouble("ends", at=ends)]
    begins = ms(made.certificate.not_valid_before_utc)
    assert certificates.troubles(begins - DAY_MS) == [Trouble("begins", at=begins)]


def test_one_that_has_ended_replaces_none_that_has_not(place: Place) -> None:
    place.make()
    good = place.files.certificate.read_bytes()
    certificates = place.open()
    before = shown(certificates)
    old = Place(place.data / "old")
    made = old.make(at=NOW - timedelta(days=1000))
    place.files.certificate.write_bytes(old.files.certificate.read_bytes())
    place.look(2)
    assert "has ended" in certificates.troubles(ms(NOW))[0].reason
    assert shown(certificates) == before
    # When there is no good one any more, the newest is as good as the other; and a start takes what there is.
    place.now = NOW + timedelta(days=900)
    place.look()
    assert shown(certificates) == fingerprint(made.certificate)
    assert shown(place.open()) == fingerprint(made.certificate)
    place.files.certificate.write_bytes(good)
