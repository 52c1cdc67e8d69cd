"""One reading of a URL: characters are judged before anything is parsed, then one pattern cuts it.

Two parsers that disagree about a URL are how a checked host becomes another connected host, so what
could be read in two ways is refused here, and nothing after this reads the URL again.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from service.clients.outbound.addresses import Address
from service.errors import AddressForbidden

MAX_URL_CHARACTERS = 2083  # what upstream takes as a webhook URL too
_MAX_NAME_CHARACTERS = 253  # RFC 1035, without the root's dot
_MAX_PORT = 65535
_PORTS = frozenset({80, 443, 8080, 8443})
_DEFAULT_PORTS = {"http": 80, "https": 443}

_PRINTABLE = re.compile(r"[!-\[\]-~]*")  # ASCII without space, controls and the backslash
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?.*)?", re.IGNORECASE
)
_AUTHORITY = re.compile(
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LAST_LABEL = re.compile(r"[a-z]+|xn--[a-z0-9-]+")

# IANA's Special-Use Domain Names, and the suffixes that inner networks commonly give themselves.
_SPECIAL_USE = frozenset(
    {"alt", "arpa", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local"}
    | {"localdomain", "localhost", "onion", "private", "test"}
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: a URL that was read once and is never parsed again.

    `address` is set when the URL names an address instead of a name. `restriction` says why this
    target passes only inside the operator's allowed networks, or is None.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None
    restriction: str | None

    @property
    def authority(self) -> str:
        """Return the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Return what may be shown of the URL: path and query may be a secret (presigned URLs)."""
        return f"{self.scheme}://{self.authority}"


def parse_target(url: str, own_names: Collection[str]) -> Target:
    """Read `url`, or refuse it; says nothing yet about the addresses behind it.

    Args:
        url: what a caller or upstream named.
        own_names: host names of this service, lower-case; restricted like special-use names.

    Raises:
        AddressForbidden: the URL breaks a rule of form; the message names the rule.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise AddressForbidden(f"a URL may have at most {MAX_URL_CHARACTERS} characters")
    if not _PRINTABLE.fullmatch(url):
        raise AddressForbidden(
            "a URL may hold printable ASCII only, without spaces and backslashes; "
            "write other characters percent-encoded and names as punycode"
        )
    if "#" in url:
        raise AddressForbidden("a URL with a fragment (#) cannot be requested")
    parts = _URL.fullmatch(url)
    if parts is None:
        raise AddressForbidden("a URL must begin with http:// or https://")
    authority = parts["authority"]
    if "@" in authority:
        raise AddressForbidden("user name and password (@) do not belong in a URL")
    if "%" in authority:
        raise AddressForbidden("the host of a URL may not hold % (escapes, zones)")
    cut = _AUTHORITY.fullmatch(authority)
    if cut is None:
        raise AddressForbidden("the URL has no readable host and port")
    scheme = parts["scheme"].lower()
    port = int(cut["port"] or _DEFAULT_PORTS[scheme])
    if port > _MAX_PORT:
        raise AddressForbidden(f"a port is at most {_MAX_PORT}")
    host, address = _ipv6(cut["ipv6"]) if cut["ipv6"] else _name_or_ipv4(cut["host"].lower())
    return Target(
        scheme=scheme,
        host=host,
        port=port,
        path=(parts["path"] or "/") + (parts["query"] or ""),
        address=address,
        restriction=_restriction(host, address, port, own_names),
    )


def _ipv6(text: str) -> tuple[str, Address]:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise AddressForbidden("the host in brackets is no IPv6 address") from None
    return str(address), address


def _name_or_ipv4(host: str) -> tuple[str, Address | None]:
    try:
        return host, IPv4Address(host)
    except ValueError:
        pass
    name = host.removesuffix(".")
    labels = name.split(".")
    if len(name) > _MAX_NAME_CHARACTERS or not all(map(_LABEL.fullmatch, labels)):
        raise AddressForbidden("the host is no valid DNS name (letters, digits, inner hyphens)")
    # The C library reads 127.1, 0x7f.1 and 2130706433 as addresses; no public name ends so.
    if not _LAST_LABEL.fullmatch(labels[-1]):
        raise AddressForbidden(
            "the host ends like a number: write an IPv4 address as four decimal numbers "
            "without leading zeros"
        )
    return name, None


def _restriction(
    host: str, address: Address | None, port: int, own_names: Collection[str]
) -> str | None:
    """Say which rule keeps this target to the allowed networks, if any does."""
    if address is None:
        if host in own_names:
            return "a request of this service may not go to the service itself"
        labels = host.split(".")
        if len(labels) == 1 or labels[-1] in _SPECIAL_USE:
            return "the host is a local or special-use name; give a public name"
    if port not in _PORTS:
        return f"port {port} is not served; use one of {', '.join(map(str, sorted(_PORTS)))}"
    return None
