"""Connections to checked addresses. Whatever fails here, no byte of a request has left."""

import socket
import ssl
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address

from service.clients.outbound.addresses import Address
from service.clients.outbound.target import Target
from service.errors import NotSent

_MAX_ADDRESSES = 4  # a name with hundreds of addresses must not make us knock at hundreds of doors


def connect(
    target: Target, addresses: Sequence[Address], deadline: float, tls: ssl.SSLContext
) -> tuple[socket.socket, Address]:
    """Connect to one of `addresses`, in their order, and shake hands if the target is https.

    Each address gets an equal share of the time left until `deadline` (monotonic seconds).

    Raises:
        NotSent: none of them answered, or TLS failed; the message never names an address.
    """
    candidates = addresses[:_MAX_ADDRESSES]
    failure: OSError = TimeoutError()
    for place, address in enumerate(candidates):
        share_seconds = (deadline - time.monotonic()) / (len(candidates) - place)
        try:
            sock = _tcp(address, target.port, share_seconds)
        except OSError as error:
            failure = error
        else:
            if target.scheme == "https":
                sock = _tls(sock, target, deadline, tls)
            return sock, address
    words = "took too long" if isinstance(failure, TimeoutError) else failure.strerror
    raise NotSent(f"connecting to {target.origin} failed: {words}") from failure


def _tcp(address: Address, port: int, timeout_seconds: float) -> socket.socket:
    if timeout_seconds <= 0:
        raise TimeoutError
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect((str(address), port))
        if ip_address(sock.getpeername()[0]) != address:
            raise ConnectionAbortedError(None, "the peer is not the checked address")
    except OSError:
        sock.close()
        raise
    return sock


def _tls(
    sock: socket.socket, target: Target, deadline: float, tls: ssl.SSLContext
) -> socket.socket:
    try:
        # The handshake as a whole keeps to the socket's timeout, not each of its reads.
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        return tls.wrap_socket(sock, server_hostname=target.host)
    except (OSError, ValueError) as error:
        sock.close()
        raise NotSent(f"TLS with {target.origin} failed: {_tls_words(error)}") from error


def _tls_words(error: OSError | ValueError) -> str:
    match error:
        case TimeoutError():
            return "took too long"
        case ssl.SSLCertVerificationError():
            return f"the certificate is refused, {error.verify_message}"
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "HTTP_REQUEST" | "RECORD_LAYER_FAILURE"):
            return "no TLS is spoken there"
        case ssl.SSLError():
            return str(error.reason).replace("_", " ").lower()
        case OSError(strerror=str(words)):
            return words
        case _:
            return "the host name cannot be asked for"
