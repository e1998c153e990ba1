"""``./run make-certificate``: a certificate for this machine's names and addresses, and an authority to sign it."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from fcntl import ioctl
from pathlib import Path

from storage import authority, config
from storage.certificates import AUTHORITY, FOLDER, PAIR, CertificateError, fingerprint, names_of
from storage.toml import ConfigError
from tracker.catalogue import PORTS

SIOCGIFADDR = 0x8915
_INET6 = Path("/proc/net/if_inet6")


def main(words: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        prog="./run make-certificate",
        description="Makes a certificate for this server, signed by an authority of your own that phones and computers "
        "install once. Run it again to renew it or to add names; the authority stays.",
    )
    parser.add_argument("name", nargs="*", help="names and addresses of this server besides those that it knows")
    given = parser.parse_args(words)
    os.umask(0o077)
    try:
        named = os.environ.get("GRIDBEAT_CONFIG")
        settings = config.read(Path(named), PORTS) if named else config.defaults(PORTS)
        folder = settings.data / FOLDER
        own = [name for name in this_machine() if _usable(name)]
        made = authority.make(folder, settings.city.name, [*given.name, *own], datetime.now(UTC))
    except ConfigError as error:
        print(f"The settings cannot be used:\n{error}", file=sys.stderr)
        return 1
    except (CertificateError, OSError) as error:
        print(f"make-certificate: {error}", file=sys.stderr)
        return 1
    print(f"{folder / PAIR}: until {made.certificate.not_valid_after_utc:%Y-%m-%d}, for")
    print("  " + ", ".join(names_of(made.certificate)))
    told = "made just now" if made.new else "as before, nothing to install anew"
    print(f"{folder / AUTHORITY}: the authority ({told}), until {made.authority.not_valid_after_utc:%Y-%m-%d}; SHA-256")
    print("  " + fingerprint(made.authority))
    if settings.tls.certificate is not None:
        print(f"The settings name another certificate ({settings.tls.certificate}); without [tls] this one is used.")
    elif made.new:
        print("Start the server again: console, field, handhelds' and phones' ports then speak TLS.")
        print("Phones and computers install the authority from http://…:8081/ca; the page /certificate of the console "
              "has the QR code.")  # fmt: skip
    else:
        print("A server that runs takes it within some seconds.")
    return 0


def this_machine() -> Iterator[str]:
    """The names and addresses by which others may know this machine."""
    name = socket.gethostname()
    yield from ("localhost", "127.0.0.1", "::1", name)
    with suppress(OSError):
        full = socket.getfqdn()
        if full != name:
            yield full
    yield from _addresses()


def _addresses() -> Iterator[str]:
    """Those of its network interfaces."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asked:
        for _, interface in socket.if_nameindex():
            with suppress(OSError):  # one without an address
                told = ioctl(asked.fileno(), SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
                yield socket.inet_ntoa(told[20:24])
    with suppress(OSError):
        for line in _INET6.read_text().splitlines():
            address = ipaddress.IPv6Address(int(line.split()[0], 16))
            if not address.is_link_local:
                yield str(address)


def _usable(name: str) -> bool:
    """Some machines have names that no certificate takes; theirs is then known by its address."""
    try:
        authority.name_or_address(name)
    except CertificateError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
