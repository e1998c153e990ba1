"""How a command on this machine reaches the console of its settings, and whom it trusts there."""

from __future__ import annotations

import ipaddress
import ssl

from storage.certificates import AUTHORITY, FOLDER, CertificateError, files_of
from storage.config import Settings


def url_of(settings: Settings) -> str:
    """The console's address as this machine reaches it."""
    console = settings.console
    address = ipaddress.ip_address(console.bind)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    scheme = "https" if _speaks_tls(settings) else "http"
    return f"{scheme}://{address if address.version == 4 else f'[{address}]'}:{console.port}"


def trust_of(settings: Settings, url: str) -> ssl.SSLContext | None:
    """Whom to trust at ``url``; ``None`` without TLS. At our own address it is the very certificate of the settings,
    whatever names it has; elsewhere it is what the machine trusts, and our own authority. Raises
    :class:`CertificateError`."""
    if not url.startswith("https:"):
        return None
    context = ssl.create_default_context()
    files = files_of(settings.data, settings.tls.certificate, settings.tls.key)
    try:
        if files is not None and url == url_of(settings):
            context.check_hostname = False
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
            context.load_verify_locations(files.certificate)
        elif (authority := settings.data / FOLDER / AUTHORITY).is_file():
            context.load_verify_locations(authority)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(f"the certificate cannot be read: {error}") from None
    return context


def _speaks_tls(settings: Settings) -> bool:
    if settings.console.tls is not None:
        return settings.console.tls
    return files_of(settings.data, settings.tls.certificate, settings.tls.key) is not None
