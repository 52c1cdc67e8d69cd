"""Fetches input images as upstream does, but only from this machine."""

import contextlib
import time
from ipaddress import ip_address

import certifi
import urllib3
from urllib3.util import Url, parse_url

_CHUNK_BYTES = 65_536


def fetch(url: str, most_bytes: int, within_seconds: float) -> bytes:
    """Return what stands behind a URL; no redirect is followed and no key goes along.

    Raises:
        ValueError: The URL leads off this machine, or what it names cannot be had within the time.
    """
    place = parse_url(url)
    if not _is_here(place):
        raise ValueError("the simulator fetches from loopback addresses only")
    deadline = time.monotonic() + within_seconds
    pool = urllib3.PoolManager(retries=False, timeout=within_seconds, ca_certs=certifi.where())
    try:
        with (
            pool,
            contextlib.closing(
                pool.request("GET", place.url, redirect=False, preload_content=False)
            ) as response,
        ):
            if response.status != 200:  # noqa: PLR2004 - OK
                raise ValueError(f"the URL answered {response.status}")
            data = bytearray()
            while chunk := response.read1(_CHUNK_BYTES):
                data += chunk
                if len(data) > most_bytes:
                    raise ValueError(f"more than {most_bytes} bytes")
                if time.monotonic() > deadline:
                    raise ValueError(f"not complete within {within_seconds:g} s")
    except (urllib3.exceptions.HTTPError, OSError) as problem:
        raise ValueError(f"the URL cannot be fetched ({type(problem).__name__})") from problem
    return bytes(data)


def _is_here(place: Url) -> bool:
    # A name is not even looked up: that question alone would leave the machine.
    host = (place.host or "").strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
