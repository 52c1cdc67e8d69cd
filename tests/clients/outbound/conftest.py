"""An Outbound that may talk to loopback, and certificates of our own."""

import ssl
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme

from service.clients.outbound import AddressGuard, Outbound

LOOPBACK = ip_network("127.0.0.0/8")


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's side of TLS for 127.0.0.1 and for hooks.partner.com."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "hooks.partner.com").configure_cert(context)
    return context


@pytest.fixture(scope="session")
def outbound(ca_file: Path) -> Outbound:
    """Every name leads to 127.0.0.1, which is allowed."""
    guard = AddressGuard([LOOPBACK], lookup=lambda _name: ["127.0.0.1"])
    return Outbound(guard, ca_file=str(ca_file))
