"""The authority of one's own: what it signs, for whom it may, and that running it again costs nobody anything."""

from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from storage.authority import CERTIFICATE_DAYS, make, name_or_address
from storage.certificates import CertificateError, fingerprint, names_of, read_pair
from storage.certificates import Files as Pems

NOW = datetime.now(UTC)
NAMES = ["map.city.lan", "192.168.1.20", "fd00::2", "localhost"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tls"


def verifies(authority: Path, certificate: Path, name: str) -> bool:
    """Whether OpenSSL takes it for a name or an address, by a handshake in memory."""
    client, server = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    here.load_cert_chain(certificate)
    trust = ssl.create_default_context(cafile=authority)
    ours = here.wrap_bio(client, server, server_side=True)
    theirs = trust.wrap_bio(server, client, server_hostname=name)
    for _ in range(4):
        for one in (theirs, ours):
            try:
                one.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError:
                return False
    return True


def test_it_is_good_for_its_names_and_for_no_others(folder: Path) -> None:
    made = make(folder, "栖桥市", NAMES, NOW)
    assert made.new
    assert set(names_of(made.certificate)) == set(NAMES)
    for name in NAMES:
        assert verifies(folder / "ca.crt", folder / "server.pem", name), name
    for name in ("bank.example", "192.168.1.21", "city.lan"):
        assert not verifies(folder / "ca.crt", folder / "server.pem", name), name


def test_what_phones_ask_of_it(folder: Path) -> None:
    """Apple's list: no more than 825 days, an alternative name, a server's usage, SHA-2, 256 bits of a curve."""
    made = make(folder, "Town", NAMES, NOW)
    certificate, authority = made.certificate, made.authority
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc < timedelta(days=CERTIFICATE_DAYS)
    assert certificate.not_valid_before_utc < NOW - timedelta(hours=23)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert x509.ExtendedKeyUsageOID.SERVER_AUTH in usage
    basics = authority.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basics.critical
    assert (basics.value.ca, basics.value.path_length) == (True, 0)
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
    certificate.verify_directly_issued_by(authority)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_files_are_for_their_owner_alone(folder: Path) -> None:
    make(folder, "Town", NAMES, NOW)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == dict.fromkeys(
        ("ca.crt", "ca.key", "server.pem"), 0o600
    )


def test_again_keeps_the_authority_and_the_names(folder: Path) -> None:
    first = make(folder, "Town", NAMES, NOW)
    again = make(folder, "Town", ["new.lan"], NOW + timedelta(days=700))
    assert not again.new
    assert fingerprint(again.authority) == fingerprint(first.authority)
    assert set(names_of(again.certificate)) == {*NAMES, "new.lan"}
    assert again.certificate.not_valid_after_utc > first.certificate.not_valid_after_utc
    pair = read_pair(Pems(folder / "server.pem", folder / "server.pem"))
    assert [fingerprint(one) for one in pair.chain] == [fingerprint(again.certificate), fingerprint(first.authority)]


def test_nothing_outlives_the_authority(folder: Path) -> None:
    first = make(folder, "Town", NAMES, NOW)
    late = make(folder, "Town", [], NOW + timedelta(days=3500))
    assert not late.new
    assert late.certificate.not_valid_after_utc <= first.authority.not_valid_after_utc
    new = make(folder, "Town", [], NOW + timedelta(days=3640))
    assert new.new


def test_a_public_name_has_to_be_there_when_the_authority_is_made(folder: Path) -> None:
    make(folder, "Town", ["map.example", "203.0.113.9", "192.168.1.1"], NOW)
    assert verifies(folder / "ca.crt", folder / "server.pem", "map.example")
    assert verifies(folder / "ca.crt", folder / "server.pem", "203.0.113.9")
    make(folder, "Town", ["sub.map.example", "10.9.9.9", "other.lan"], NOW)
    for beyond in ("other.example", "203.0.113.10", "2001:db8::1", "xmap.example"):
        with pytest.raises(CertificateError, match="may not sign for"):
            make(folder, "Town", [beyond], NOW)


def test_its_key_in_wrong_hands_signs_for_no_other_site(folder: Path) -> None:
    """The name constraints, as OpenSSL and so browsers read them."""
    make(folder, "Town", NAMES, NOW)
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    (authority,) = x509.load_pem_x509_certificates((folder / "ca.crt").read_bytes())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    own = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bank.example")])
    forged = (
        x509.CertificateBuilder(
            authority.subject, subject, own.public_key(), 7, NOW - timedelta(days=1), NOW + timedelta(days=9)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("bank.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + forged.public_bytes(serialization.Encoding.PEM)
    (folder / "forged.pem").write_bytes(pem)
    assert not verifies(folder / "ca.crt", folder / "forged.pem", "bank.example")


@pytest.mark.parametrize(
    "word", ["", " ", "a b", "a/b", "http://a", "1.2.3", "256.1.1.1", "-a", "a..b", "a" * 300, "*"]
)
def test_what_is_no_name(word: str) -> None:
    with pytest.raises(CertificateError, match="is no name and no address"):
        name_or_address(word)


@pytest.mark.parametrize(
    ("word", "name"),
    [("Map.Lan.", "map.lan"), ("[::1]", "::1"), ("FD00::0:2", "fd00::2"), ("*.city.lan", "*.city.lan"), ("vm", "vm")],
)
def test_names_have_one_form(word: str, name: str) -> None:
    assert name_or_address(word) == name


def test_a_damaged_authority_is_not_replaced_unasked(folder: Path) -> None:
    make(folder, "Town", NAMES, NOW)
    (folder / "ca.crt").write_text("damaged")
    with pytest.raises(CertificateError, match="cannot be read"):
        make(folder, "Town", NAMES, NOW)
    other = folder.with_name("other")
    make(other, "Town", NAMES, NOW)
    (folder / "ca.crt").write_bytes((other / "ca.crt").read_bytes())
    with pytest.raises(CertificateError, match="do not belong together"):
        make(folder, "Town", NAMES, NOW)


def test_openssl_finds_nothing_strange_in_it(folder: Path) -> None:
    make(folder, "栖桥市", NAMES, NOW)
    told = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", folder / "ca.crt", folder / "server.pem"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stdout.endswith("server.pem: OK\n"), told.stderr
