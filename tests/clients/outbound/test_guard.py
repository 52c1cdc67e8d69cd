"""Which URLs the address guard lets pass, without a network."""

import json
import random
import socket
import string
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

from service.clients.outbound import AddressGuard, Target
from service.errors import AddressForbidden, NameNotResolved

VECTORS = Path(__file__).parents[2] / "vectors"


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (VECTORS / name).read_text().splitlines()]


def public(_name: str) -> list[str]:
    return ["8.8.8.8", "2606:4700:4700::1111"]


def guard(
    *networks: str, lookup: Callable[[str], Sequence[str]] = public, own_names: Sequence[str] = ()
) -> AddressGuard:
    return AddressGuard([ip_network(n) for n in networks], own_names=own_names, lookup=lookup)


def refused(subject: AddressGuard, url: str) -> bool:
    try:
        subject.resolve(subject.parse(url), 1.0)
    except AddressForbidden:
        return True
    return False


@pytest.mark.parametrize("networks", [[], ["127.0.0.9/32"]], ids=["none allowed", "one allowed"])
def test_no_blocked_url_passes_although_every_name_is_public(networks: list[str]) -> None:
    subject = guard(*networks, own_names=["flux.self-host.com"])
    blocked = [row["url"] for row in rows("outbound_urls.jsonl") if row["expect"] == "blocked"]

    assert len(blocked) > 150
    assert [url for url in blocked if not refused(subject, url)] == []


def test_no_allowed_url_is_refused() -> None:
    subject = guard(own_names=["flux.self-host.com"])
    allowed = [row["url"] for row in rows("outbound_urls.jsonl") if row["expect"] == "allowed"]

    assert len(allowed) > 20
    assert [url for url in allowed if refused(subject, url)] == []


def test_allowing_one_loopback_address_opens_no_spelling_of_another() -> None:
    subject = guard("127.0.0.2/32", lookup=lambda _name: ["127.0.0.1"])
    blocked = [row["url"] for row in rows("outbound_urls.jsonl") if row["expect"] == "blocked"]

    passed = [url for url in blocked if not refused(subject, url)]

    assert passed == ["http://127.0.0.2/"]
    assert subject.parse("http://127.0.0.2:54321/").port == 54321
    for spelling in ("[::ffff:127.0.0.2]", "127.2", "0x7f000002", "2130706434", "127.0.0.2."):
        with pytest.raises(AddressForbidden):
            subject.parse(f"http://{spelling}/")


def test_a_special_name_passes_only_if_all_its_addresses_are_allowed() -> None:
    def lookup(name: str) -> list[str]:
        return {"localhost": ["127.0.0.1", "::1"], "sink": ["10.1.2.3"]}[name]

    url = "http://localhost:9000/cb"
    assert refused(guard(lookup=lookup), url)
    assert refused(guard("127.0.0.0/8", lookup=lookup), url)
    assert not refused(guard("127.0.0.0/8", "::1/128", lookup=lookup), url)
    assert not refused(guard("10.0.0.0/8", lookup=lookup), "http://sink:9000/cb")


def test_an_odd_port_passes_only_inside_allowed_networks() -> None:
    assert refused(guard("10.0.0.0/8"), "http://example.com:22/")
    assert refused(guard("10.0.0.0/8"), "http://8.8.8.8:22/")
    assert not refused(guard("10.0.0.0/8"), "http://10.0.0.7:22/")
    assert not refused(guard("8.0.0.0/8", "2606::/16"), "http://example.com:22/")


def test_our_own_name_is_refused_in_every_case_and_with_the_roots_dot() -> None:
    subject = guard(own_names=["Flux.self-host.com"])

    for host in ("flux.self-host.com", "FLUX.SELF-HOST.COM", "flux.self-host.com."):
        assert refused(subject, f"https://{host}/webhooks/flux/x")
    assert not refused(subject, "https://other.self-host.com/")


def test_a_name_that_does_not_resolve_is_accepted_at_enqueue_a_forbidden_one_is_not() -> None:
    def fails(name: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    guard(lookup=fails).check("https://not-yet.partner.com/")
    subject = guard(lookup=fails)
    target = subject.parse("https://not-yet.partner.com/")
    with pytest.raises(NameNotResolved):
        subject.resolve(target, 1.0)
    with pytest.raises(AddressForbidden):
        guard("10.0.0.0/8", lookup=fails).check("https://not-yet.internal/")
    with pytest.raises(AddressForbidden):
        guard(lookup=lambda _name: ["10.0.0.1"]).check("https://inside.partner.com/")


def test_an_address_written_out_is_judged_without_dns() -> None:
    def lookup(name: str) -> list[str]:
        raise AssertionError(name)

    subject = guard(lookup=lookup)

    subject.check("https://8.8.8.8/")
    with pytest.raises(AddressForbidden):
        subject.check("https://[::1]/")


def test_the_refusal_names_the_rule_and_never_the_address_behind_a_name() -> None:
    subject = guard(lookup=lambda _name: ["10.77.66.55"])

    with pytest.raises(AddressForbidden, match="not public") as refusal:
        subject.check("https://inside.partner.com/?signature=hidden")

    assert "10.77" not in str(refusal.value)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("ftp://example.com/", "http://"),
        ("https://me:hidden@example.com/", "password"),
        ("https://[fe80::1%25eth0]/", "%"),
        ("https://example.com/a\\b", "backslash"),
        ("https://example.com/a#b", "fragment"),
        ("https://example.com:99999/", "65535"),
        ("https://example.com:22/", "80, 443, 8080, 8443"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://redis/", "public name"),
        ("https://192.168.1.1/", "192.168.1.1 is not a public address"),
    ],
)
def test_a_refusal_says_what_to_change(url: str, rule: str) -> None:
    with pytest.raises(AddressForbidden) as refusal:
        guard().parse(url)

    assert rule in str(refusal.value)
    assert "hidden" not in str(refusal.value)


def test_a_resolver_that_hangs_is_left_behind_in_time() -> None:
    release = threading.Event()

    def hangs(name: str) -> list[str]:
        release.wait(30)
        return []

    subject = guard(lookup=hangs)
    started = time.monotonic()
    with pytest.raises(NameNotResolved):
        subject.resolve(subject.parse("https://slow.partner.com/"), 0.2)

    assert time.monotonic() - started < 1.0
    release.set()


def test_hanging_look_ups_are_bounded_in_number_one_for_each_name() -> None:
    release = threading.Event()

    def hangs(name: str) -> list[str]:
        if name.startswith("slower"):
            release.wait(30)
        return ["8.8.8.8"]

    subject = guard(lookup=hangs)
    slow = [subject.parse(f"https://slower{number}.partner.com/") for number in range(40)]
    for _ in range(40):
        with pytest.raises(NameNotResolved, match="took longer"):
            subject.resolve(slow[0], 0.01)
    assert looking_up("slower") == 1
    quick = subject.parse("https://quick.partner.com/")
    assert subject.resolve(quick, 5.0) == [IPv4Address("8.8.8.8")]
    for target in slow[1:]:
        with pytest.raises(NameNotResolved):
            subject.resolve(target, 0.01)
    assert looking_up("slower") == 32

    release.set()
    for target in (*slow, quick):
        assert subject.resolve(target, 5.0) == [IPv4Address("8.8.8.8")]


def looking_up(beginning: str) -> int:
    """Return how many look-ups of such names are under way."""
    names = [thread.name for thread in threading.enumerate()]
    return sum(name.startswith(f"resolve {beginning}") for name in names)


def test_who_asks_for_a_name_that_is_being_looked_up_hears_the_same_answer() -> None:
    release, asked = threading.Event(), []

    def waits(name: str) -> list[str]:
        asked.append(name)
        release.wait(30)
        return ["8.8.8.8"]

    subject = guard(lookup=waits)
    target = subject.parse("https://partner.com/")
    with pytest.raises(NameNotResolved):
        subject.resolve(target, 0.01)
    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(subject.resolve, target, 5.0) for _ in range(4)]
        release.set()
        assert [one.result() for one in answers] == [[IPv4Address("8.8.8.8")]] * 4
    assert asked[0] == "partner.com"
    # whoever came after the answer asked anew
    assert len(asked) <= 5


def test_mutated_urls_have_the_host_that_other_parsers_see_or_are_refused(rounds: int) -> None:
    dice = random.Random(7)  # noqa: S311 - a test's choice, no secret
    seeds = [
        row["url"]
        for row in rows("outbound_urls.jsonl")
        for _ in range(6 if row["expect"] == "allowed" else 1)
        if len(row["url"]) < 100
    ]
    letters = string.printable + "@@@:://[[]]\\\\%%..##??\u2460\uff0e\u3002\x00"
    subject, accepted = guard(), 0
    for _ in range(20_000 * rounds):
        url = list(dice.choice(seeds))
        for _ in range(dice.randint(1, 3)):
            url.insert(dice.randint(0, len(url)), dice.choice(letters))
            if dice.random() < 0.5:
                url.pop(dice.randrange(len(url)))
        text = "".join(url)
        try:
            target = subject.parse(text)
        except AddressForbidden:
            continue
        accepted += 1
        assert_read_alike(target, text)
    assert accepted > 500 * rounds


def assert_read_alike(target: Target, url: str) -> None:
    theirs = urllib3.util.parse_url(url)
    host = (theirs.host or "").strip("[]").removesuffix(".")
    split = urlsplit(url)
    assert target.host == host == (split.hostname or "").removesuffix("."), url
    default = 443 if target.scheme == "https" else 80
    assert target.port == (theirs.port or default) == (split.port or default), url


def test_a_url_of_2083_characters_passes_and_one_more_does_not() -> None:
    longest = "https://example.com/" + "a" * (2083 - 20)

    assert guard().parse(longest).path.endswith("a")
    with pytest.raises(AddressForbidden, match="2083"):
        guard().parse(longest + "a")


@pytest.mark.parametrize("row", rows("outbound_names.jsonl"), ids=lambda row: row["url"])
def test_answers_of_dns_are_judged_as_a_set(row: dict[str, Any]) -> None:
    asked: list[str] = []
    release = threading.Event()

    def lookup(name: str) -> list[str]:
        answer = row["lookups"][len(asked)]
        asked.append(name)
        if answer == "TIMEOUT":
            release.wait(30)
        if isinstance(answer, str):
            raise socket.gaierror(socket.EAI_NONAME, answer)
        return list(answer)

    subject = guard(lookup=lookup)
    target = subject.parse(row["url"])
    *earlier, last = row["lookups"]
    for _ in earlier:  # accepted at enqueue, judged anew at each send
        subject.resolve(target, 0.2)
    if row["connects_to"]:
        assert str(subject.resolve(target, 0.2)[0]) == row["connects_to"]
    else:
        fails = isinstance(last, str) or not last
        with pytest.raises(NameNotResolved if fails else AddressForbidden):
            subject.resolve(target, 0.2)
    assert len(asked) == len(row["lookups"])
    release.set()
