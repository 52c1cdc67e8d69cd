"""Looks at input images: decodes or fetches them, and measures what they are."""

import base64
import contextlib
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from PIL import Image

from service.simulator.fetching import fetch
from service.simulator.sizes import Size

_MOST_BYTES = 20 * 1024 * 1024
_FETCH_SECONDS = 10.0
_IS_URL = re.compile("https?://", re.IGNORECASE)
_DATA_PREFIX = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)


@dataclass(frozen=True)
class Picture:
    """One input image as it was found; only one that was fetched has a URL and a time."""

    size: Size
    sha256: str
    url: str | None = None
    fetched_at: datetime | None = None

    def facts(self) -> dict[str, object]:
        """Return what the ledger keeps of it."""
        measured = {"width": self.size.width, "height": self.size.height, "sha256": self.sha256}
        if self.fetched_at is None:
            return {"source": "base64", **measured}
        fetched_at = self.fetched_at.isoformat()
        return {"source": "url", **measured, "url": self.url, "fetched_at": fetched_at}


def look(value: str, most_pixels: int, *, takes_url: bool) -> Picture:
    """Decode an image parameter, or fetch it if it is a URL, and measure it.

    Raises:
        ValueError: It is no whole JPEG, PNG or WebP file, or one that is too large; or it is a URL
            where none is taken, or one that cannot be fetched.
    """
    if not _IS_URL.match(value):
        data = _decoded(value)
        return Picture(_size(data, most_pixels), _sha256(data))
    if not takes_url:
        raise ValueError("Invalid image: base64 is expected here, not a URL")
    fetched_at = datetime.now(UTC)
    data = fetch(value, _MOST_BYTES, _FETCH_SECONDS)
    return Picture(_size(data, most_pixels), _sha256(data), value, fetched_at)


def _decoded(value: str) -> bytes:
    prefix = _DATA_PREFIX.match(value)
    try:
        return base64.b64decode(value[prefix.end() if prefix else 0 :], validate=True)
    except ValueError as problem:
        raise ValueError("Invalid image: not base64") from problem


def _size(data: bytes, most_pixels: int) -> Size:
    if len(data) > _MOST_BYTES:
        raise ValueError(f"Invalid image: more than {_MOST_BYTES} bytes")
    with _decoding():
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
    size = Size(*image.size)
    if size.pixels > most_pixels:
        raise ValueError(f"Invalid image: more than {most_pixels} pixels")
    with _decoding():
        image.load()
    return size


@contextlib.contextmanager
def _decoding() -> Iterator[None]:
    try:
        yield
    except Exception as problem:  # decoders raise whatever a broken file makes them stumble over
        raise ValueError("Invalid image: no whole JPEG, PNG or WebP file") from problem


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
