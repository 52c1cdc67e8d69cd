"""The tables of public addresses against IANA's registries, written down a second time."""

import random
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from service.clients.outbound.addresses import is_public


def expected_by_iana(address: IPv4Address | IPv6Address) -> bool:
    """Judge by IANA's registries as written down here, apart from the product's own table."""
    value = int(address)
    if address.version == 4:
        first, second, third = value >> 24, value >> 16 & 255, value >> 8 & 255
        return not (
            first in {0, 10, 127}
            or first >= 224
            or (first == 100 and 64 <= second < 128)
            or (first, second) in {(169, 254), (192, 168), (198, 18), (198, 19)}
            or (first == 172 and 16 <= second < 32)
            or (first, second, third)
            in {(192, 0, 0), (192, 0, 2), (192, 31, 196), (192, 52, 193), (192, 88, 99)}
            | {(192, 175, 48), (198, 51, 100), (203, 0, 113)}
            or str(address) == "168.63.129.16"
        )
    return (
        value >> 125 == 1
        and not (value >> 112 == 0x2001 and value >> 105 & 0x7F == 0)
        and value >> 96 != 0x20010DB8
        and value >> 112 != 0x2002
        and value >> 108 != 0x3FFF0
        and value >> 80 != 0x2620004F8000
    )


def test_random_ipv4_addresses_are_public_exactly_where_iana_says(rounds: int) -> None:
    dice = random.Random(20261122)  # noqa: S311 - a test's choice, no secret
    special = [10 << 24, 127 << 24, 0xA9FE0000, 0xC0000000, 0xC6330000, 0xCB007100, 0x64400000]
    values = [dice.getrandbits(32) for _ in range(20_000 * rounds)]
    values += [block + dice.getrandbits(17) for block in special for _ in range(500 * rounds)]

    wrong = [a for a in map(IPv4Address, values) if is_public(a) != expected_by_iana(a)]

    assert wrong == []


def test_random_ipv6_addresses_are_public_exactly_where_iana_says(rounds: int) -> None:
    dice = random.Random(20261122)  # noqa: S311 - a test's choice, no secret
    heads = [0x2001, 0x2002, 0x2620, 0x3FFF, 0x2000, 0x64, 0, 0xFE80, 0xFC00, 0x5F00, 0xFF02]
    values = [dice.getrandbits(128) for _ in range(5_000 * rounds)]
    values += [head << 112 | dice.getrandbits(112) for head in heads for _ in range(500 * rounds)]
    values += [0x20010DB8 << 96 | dice.getrandbits(96), 0x2620004F8000 << 80 | dice.getrandbits(80)]

    wrong = [a for a in map(IPv6Address, values) if is_public(a) != expected_by_iana(a)]

    assert wrong == []


def edges() -> Iterator[IPv4Address | IPv6Address]:
    blocks = (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 "
        "192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 "
        "192.175.48.0/24 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 2000::/3 2001::/23 "
        "2001:db8::/32 2002::/16 3fff::/20 2620:4f:8000::/48"
    )
    for block in map(ip_network, blocks.split()):
        kind = IPv4Address if isinstance(block, IPv4Network) else IPv6Address
        first, last = int(block.network_address), int(block.broadcast_address)
        limit = int(IPv4Network("0.0.0.0/0").broadcast_address)
        limit = limit if kind is IPv4Address else int(IPv6Network("::/0").broadcast_address)
        for value in (first - 1, first, last, last + 1):
            if 0 <= value <= limit:
                yield kind(value)


def test_both_sides_of_every_edge_are_judged_as_iana_says() -> None:
    assert [a for a in edges() if is_public(a) != expected_by_iana(a)] == []
