"""The product's own sender in a world where every address is a canary."""

import json
import os
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Run the canary world once; without the right to make namespaces the tests fail."""
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    world = Path(__file__).with_name("canary_world.py")
    done = subprocess.run(
        [
            *unshare,
            sys.executable,
            "-W",
            "error",
            str(world),
            str(Path("/proc/self/ns/net").readlink()),
        ],
        cwd=ROOT,
        env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_the_canaries_sing_when_they_are_reached(report: dict[str, Any]) -> None:
    assert report["control"] == [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "fd00::1",
        "64:ff9b::a9fe:a9fe",
    ]


@pytest.mark.parametrize(
    "world",
    [
        "blocked, names public",
        "blocked, names as the system says",
        "blocked, names are loopback, one address allowed",
    ],
)
def test_no_blocked_url_opens_a_connection_to_anywhere(report: dict[str, Any], world: str) -> None:
    results = report[world]["results"]

    assert len(results) > 150
    assert set(results.values()) == {"AddressForbidden"}
    assert report[world]["opened"] == 0
    assert report["called by the blocked"] == []


@pytest.mark.parametrize(
    ("world", "resolved"),
    [("allowed, IPv4", "8.8.8.8"), ("allowed, IPv6", "2606:4700:4700::1111")],
)
def test_every_allowed_url_opens_one_connection_to_the_checked_address(
    report: dict[str, Any], world: str, resolved: str
) -> None:
    assert len(report[world]) > 20
    for url, called in report[world].items():
        host = urlsplit(url).hostname or ""
        try:
            expected = str(ip_address(host))
        except ValueError:
            expected = resolved
        assert called == [expected], url


def test_names_lead_only_to_sets_of_public_addresses(report: dict[str, Any]) -> None:
    lines = (ROOT / "tests/vectors/outbound_names.jsonl").read_text().splitlines()
    for row in map(json.loads, lines):
        expected = [row["connects_to"]] if row["connects_to"] else []
        assert report["names"][row["url"]] == expected, row


def test_an_allowed_address_is_reached_on_any_port(report: dict[str, Any]) -> None:
    assert report["sink"] == "Answer"
