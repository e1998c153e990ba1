"""How commands of this machine find the console, with TLS and without."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import authority
from storage.certificates import CertificateError
from storage.config import Certificate, Settings, defaults
from storage.own_console import trust_of, url_of


def settings_of(data: Path, bind: str = "127.0.0.1", tls: bool | None = None) -> Settings:
    settings = defaults({})
    console = dataclasses.replace(settings.console, bind=bind, tls=tls)
    return dataclasses.replace(settings, data=data, console=console)


@pytest.mark.parametrize(
    ("bind", "host"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("10.0.0.5", "10.0.0.5")],
)
def test_its_address(tmp_path: Path, bind: str, host: str) -> None:
    assert url_of(settings_of(tmp_path, bind)) == f"http://{host}:8080"
    assert url_of(settings_of(tmp_path, bind, True)) == f"https://{host}:8080"
    authority.make(tmp_path / "tls", "Town", ["map.lan"], datetime.now(UTC))
    assert url_of(settings_of(tmp_path, bind)) == f"https://{host}:8080"
    assert url_of(settings_of(tmp_path, bind, False)) == f"http://{host}:8080"


def test_whom_it_trusts(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    assert trust_of(settings, url_of(settings)) is None
    authority.make(tmp_path / "tls", "Town", ["map.lan"], datetime.now(UTC))
    own, other = trust_of(settings, url_of(settings)), trust_of(settings, "https://map.lan:8080")
    assert own is not None
    assert other is not None
    assert not own.check_hostname, "it is the very certificate, whatever its names"
    assert other.check_hostname
    subjects = [dict(pair for part in one["subject"] for pair in part) for one in other.get_ca_certs()]
    assert any(one.get("organizationName") == "Gridbeat" for one in subjects)


def test_a_certificate_that_is_gone_is_named(tmp_path: Path) -> None:
    missing = Certificate(tmp_path / "none.pem", tmp_path / "none.pem")
    settings = dataclasses.replace(settings_of(tmp_path), tls=missing)
    with pytest.raises(CertificateError, match="cannot be read"):
        trust_of(settings, url_of(settings))
