"""The page from which phones and computers install the city's own certificate authority, and what a plain request to a
port of TLS is answered.

A phone cannot open an ``https://`` page of an authority that it does not know without a warning that nobody should
learn to pass. So the ports of TLS answer a plain request too: with this page and the authority's certificate, and with
nothing else. What is downloaded in the clear could be another's: that is what the fingerprint is compared for.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from storage.certificates import fingerprint

PAGE, FILE = "/ca", "/ca.crt"
HEAD_LIMIT = 8192
"""Bytes of a plain request that are looked at: those that came with the first of it."""
HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?")
_TARGET = re.compile(r"/[!-~]{0,2000}")
_REASONS = {200: "OK", 302: "Found", 307: "Temporary Redirect", 400: "Bad Request", 404: "Not Found"}
_SYSTEMS = (
    ("harmony", ("harmonyos", "openharmony", "arkweb")),
    ("iphone", ("iphone", "ipad", "macintosh")),
    ("android", ("android",)),
    ("windows", ("windows",)),
)
"""Which steps are open, by words of the browser's name; the first that fits."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class AuthorityPage:
    """``authority`` answers the certificate to be installed, ``None`` where there is none of our own; ``city`` its
    name."""

    def __init__(self, folder: Path, city: str, authority: Callable[[], x509.Certificate | None]) -> None:
        self._authority = authority
        self._city = city
        self._template = (folder / "authority.html").read_text("utf-8")
        style = _by_itself((folder / "tokens.css").read_text("utf-8"))
        self._style = f"{style}\n{(folder / 'authority.css').read_text('utf-8')}"
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self._policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )

    def answer(self, target: str, host: str, headers: Mapping[str, str]) -> Reply:
        """What is at ``target``, a path with its query; ``host`` is where it was asked. Header names in lower case."""
        parts, authority = urlsplit(target), self._authority()
        if authority is None or parts.path not in (PAGE, FILE):
            return _text(404, "nothing is here 此处没有内容\n")
        if parts.path == FILE:
            kind = {"content-type": "application/x-x509-ca-cert", "cache-control": "no-store"}
            return Reply(200, kind, authority.public_bytes(Encoding.DER))
        wanted = parse_qs(parts.query).get("lang", [""])[0] or headers.get("accept-language", "")
        language = "en" if wanted.lower().startswith("en") else "zh"
        body = self._page(authority, language, host, headers.get("user-agent", ""))
        return Reply(200, {
            "content-type": "text/html; charset=utf-8", "content-language": language, "cache-control": "no-store",
            "content-security-policy": self._policy, "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
        }, body.encode())  # fmt: skip

    def plain(self, data: bytes, address: str, port: int) -> bytes:
        """The whole answer to a plain request of which these are the first bytes, to this address of ours."""
        lines = data[:HEAD_LIMIT].partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        target = rest.partition(" ")[0]
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        host = headers.get("host", "")
        if not HOST.fullmatch(host):
            host = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        if method not in ("GET", "HEAD") or not _TARGET.fullmatch(target):
            reply = _text(400, f"This port speaks HTTPS 此端口使用 HTTPS: https://{host}/\n")
        elif self._authority() is None:
            reply = Reply(307, {"location": f"https://{host}{target}"})
        elif urlsplit(target).path in (PAGE, FILE):
            reply = self.answer(target, host, headers)
        elif "text/html" in headers.get("accept", ""):
            # An address typed without https, from a device that may not know the authority yet.
            reply = Reply(302, {"location": f"http://{host}{PAGE}", "cache-control": "no-store"})
        else:
            reply = _text(400, f"This port speaks HTTPS 此端口使用 HTTPS: https://{host}/\n")
        head = [f"HTTP/1.1 {reply.status} {_REASONS[reply.status]}", "connection: close"]
        head += [f"{name}: {value}" for name, value in reply.headers.items()]
        head += [f"content-length: {len(reply.body)}", "", ""]
        return "\r\n".join(head).encode("latin-1", "replace") + (b"" if method == "HEAD" else reply.body)

    def _page(self, authority: x509.Certificate, language: str, host: str, agent: str) -> str:
        other = "en" if language == "zh" else "zh"
        page = re.sub(rf"<!--{other}-->.*?<!--/{other}-->\n|<!--/?{language}-->\n", "", self._template, flags=re.DOTALL)
        shown = system_of(agent)
        values = {
            "lang": "en" if language == "en" else "zh-CN", "style": self._style, "city": escape(self._city),
            "name": escape(name_of(authority)), "link": escape(f"https://{host}/"),
            "fingerprint": "\n".join(rows(fingerprint(authority))),
        }  # fmt: skip
        values |= {system: "open" if system == shown else "" for system in (*(name for name, _ in _SYSTEMS), "other")}
        # In one pass: what was filled in is not looked at again.
        return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], page)


def system_of(agent: str) -> str:
    """The system that a browser says it runs on."""
    told = agent.lower()
    return next((system for system, words in _SYSTEMS if any(word in told for word in words)), "other")


def name_of(certificate: x509.Certificate) -> str:
    """What systems call a certificate: its common name."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def rows(print_: str) -> list[str]:
    """A fingerprint in rows of eight bytes: short enough for a phone, and to be compared by eye."""
    bytes_ = print_.split(":")
    return [" ".join(bytes_[at : at + 8]) for at in range(0, len(bytes_), 8)]


def _text(status: int, told: str) -> Reply:
    return Reply(status, {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}, told.encode())


def _by_itself(tokens: str) -> str:
    """The house's colours without the script that chooses between day and night: as the system has it."""
    night = re.search(r':root\[data-theme="dark"\] \{(.*?)\n\}', tokens, re.DOTALL)
    assert night is not None
    rest = tokens.replace(night[0], "")
    return f"{rest}\n@media (prefers-color-scheme: dark) {{ :root {{{night[1]}\n}} }}"
