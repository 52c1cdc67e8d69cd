"""Which addresses are public, written out instead of asked of `ipaddress.is_global`.

`is_global` differs between Python releases and says True for addresses that lead inside: NAT64,
6to4, IPv4-compatible and site-local forms, all of multicast. IPv4 is public unless listed here;
IPv6 is public only inside the one block that IANA hands out, less the parts of it that tunnel,
document or serve.

Sources: IANA's IPv4 and IPv6 Special-Purpose Address Registries and Global Unicast Allocations.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_IPV4_NOT_PUBLIC = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private use, RFC 1918
        "100.64.0.0/10",  # shared by carriers, RFC 6598
        "127.0.0.0/8",  # loopback, RFC 1122
        "168.63.129.16/32",  # Azure's platform service; not in IANA's table
        "169.254.0.0/16",  # link-local, RFC 3927; the clouds' metadata services
        "172.16.0.0/12",  # private use, RFC 1918
        "192.0.0.0/24",  # protocol assignments, RFC 6890; refused whole
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # automatic multicast tunnels, RFC 7450
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private use, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation, RFC 5737
        "203.0.113.0/24",  # documentation, RFC 5737
        "224.0.0.0/4",  # multicast, RFC 5771
        "240.0.0.0/4",  # reserved and broadcast, RFC 1112
    )
)
_IPV6_PUBLIC = IPv6Network("2000::/3")
_IPV6_NOT_PUBLIC = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, RFC 2928: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4: any IPv4 address in disguise, RFC 3056
        "2620:4f:8000::/48",  # AS112, RFC 7534
        "3fff::/20",  # documentation, RFC 9637
    )
)


def is_public(address: Address) -> bool:
    """Tell whether a caller may name this address as the end of a request of ours."""
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _IPV4_NOT_PUBLIC)
    return address in _IPV6_PUBLIC and not any(address in block for block in _IPV6_NOT_PUBLIC)
