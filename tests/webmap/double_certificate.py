"""The certificate as the stand-in server tells it: an authority that is made up anew with each server."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography import x509

from storage import authority
from storage.certificates import fingerprint, names_of
from webmap.authority_page import AuthorityPage, name_of, rows
from webmap.page import STATIC
from webmap.phone_api import qr_svg


class Certificate:
    """``kind``: "private", "public", "none" or "local" (nothing but this machine reaches it)."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            names = ["map.qiqiao.lan", "192.168.1.20", "127.0.0.1"]
            self._made = authority.make(Path(folder), "栖桥", names, datetime(2026, 11, 23, tzinfo=UTC))
        self.kind = "private"
        self.page = AuthorityPage(STATIC, "栖桥", self.authority)

    def authority(self) -> x509.Certificate | None:
        return self._made.authority if self.kind in ("private", "local") else None

    def answer(self, query: str) -> dict[str, Any]:
        if self.kind == "none":
            return {"tls": False}
        ends = round(self._made.certificate.not_valid_after_utc.timestamp() * 1000)
        told: dict[str, Any] = {"tls": True, "names": names_of(self._made.certificate), "ends": ends}
        if self.kind == "public":
            return told | {"private": False}
        host = parse_qs(query)["host"][0]
        link = None if self.kind == "local" else f"http://{host}:8081/ca"
        return told | {
            "private": True, "name": name_of(self._made.authority), "link": link,
            "fingerprint": rows(fingerprint(self._made.authority)), "qr": link and qr_svg(link),
        }  # fmt: skip
