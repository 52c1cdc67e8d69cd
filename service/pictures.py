"""Looking into image bytes without trusting them, and drawing a small copy."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from service.errors import ResultInvalid

#: Largest result that is kept, bytes.
MAX_IMAGE_BYTES = 25_000_000
#: Largest result that is kept, pixels.
MAX_IMAGE_PIXELS = 40_000_000

THUMBNAIL_EDGE_PIXELS = 512
THUMBNAIL_CONTENT_TYPE = "image/webp"
_THUMBNAIL_QUALITY = 80
_TAIL_BYTES = 64

# Pillow warns from this size on and raises at twice the size. The warning becomes an error here,
# once: `catch_warnings` around each file would change the filters of all threads.
Image.MAX_IMAGE_PIXELS = MAX_IMAGE_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)

#: What Pillow and the walks below raise for files that are none; it has no error of its own.
_UNREADABLE = (
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    OSError,  # UnidentifiedImageError is one
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
)

_KINDS = {
    "JPEG": ("image/jpeg", "jpg"),
    "PNG": ("image/png", "png"),
    "WEBP": ("image/webp", "webp"),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What an image file is, told by its content."""

    content_type: str
    extension: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Spooled:
    """A result on this host's disk."""

    path: Path
    sha256: str
    bytes: int


def look_into(source: Path | bytes) -> Picture:
    """Say what a file, or its content, is, without decoding its pixels.

    Raises:
        ResultInvalid: no JPEG, PNG or WebP, too large, animated, or cut short.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            with Image.open(file, formats=tuple(_KINDS)) as image:
                # Pillow says MPO of a JPEG that carries more, such as a gain map; none is animated
                kind = "JPEG" if image.format == "MPO" else str(image.format)
                width, height = image.size
                frames = 1 if kind == "JPEG" else getattr(image, "n_frames", 1)
            _must_be_complete(kind, file, file.seek(0, io.SEEK_END))
    except _UNREADABLE as error:
        raise ResultInvalid(f"not an image that we keep ({type(error).__name__})") from error
    if width * height > MAX_IMAGE_PIXELS:
        raise ResultInvalid(f"{width}x{height} is more than {MAX_IMAGE_PIXELS} pixels")
    if frames != 1:
        raise ResultInvalid("the image is animated")
    content_type, extension = _KINDS[kind]
    return Picture(content_type, extension, width, height)


def thumbnail(data: bytes) -> bytes:
    """Return a WebP copy whose longer edge is at most THUMBNAIL_EDGE_PIXELS.

    Raises:
        ResultInvalid: the pixels cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(data), formats=tuple(_KINDS)) as image:
            image.draft("RGB", (THUMBNAIL_EDGE_PIXELS, THUMBNAIL_EDGE_PIXELS))
            image.thumbnail((THUMBNAIL_EDGE_PIXELS, THUMBNAIL_EDGE_PIXELS))
            small = image if image.mode in {"RGB", "RGBA"} else image.convert("RGBA")
            out = io.BytesIO()
            small.save(out, "WEBP", quality=_THUMBNAIL_QUALITY, method=4)
    except _UNREADABLE as error:
        raise ResultInvalid(f"the pixels cannot be decoded ({type(error).__name__})") from error
    return out.getvalue()


def _must_be_complete(kind: str, file: BinaryIO, size: int) -> None:
    if kind == "PNG":
        _walk_png(file)
    elif kind == "JPEG":
        file.seek(max(0, size - _TAIL_BYTES))
        if b"\xff\xd9" not in file.read():
            raise ResultInvalid("the JPEG has no end marker")
    else:
        file.seek(0)
        declared = struct.unpack("<4xI", file.read(8))[0]
        if declared + 8 > size:
            raise ResultInvalid("the WebP is cut short")


def _walk_png(file: BinaryIO) -> None:
    file.seek(8)
    while True:
        length, name = struct.unpack(">I4s", file.read(8))
        if length > MAX_IMAGE_BYTES:
            raise ResultInvalid("a PNG chunk is longer than any file that we keep")
        checksum = zlib.crc32(name + file.read(length))
        if struct.unpack(">I", file.read(4))[0] != checksum:
            raise ResultInvalid("a PNG chunk is damaged")
        if name == b"IEND":
            return
