"""Looking into image bytes without trusting them, and drawing a small copy."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
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
_PNG = b"\x89PNG\r\n\x1a\n"
#: A file of the largest size in chunks of 8 KiB, as encoders write them, has 3,000.
MAX_PNG_CHUNKS = 20_000
_JPEG = b"\xff\xd8\xff"
#: Before the first scan: a colour profile has 255 at most, 10 MB of metadata 160; hardly more.
MAX_JPEG_SEGMENTS = 1_000
#: Of the markers themselves, and of filling between segments, which few files have at all.
MAX_JPEG_MARKER_BYTES = 65_536
#: ITU T.81, table B.1: start of a frame, by any of its processes; start of a scan.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA
#: The same table: markers that no segment follows.
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
_END = 0xD9
#: Begins every marker, and fills.
_FILL = 0xFF
#: Bits of a sample and number of components of the frames that decoders have in common.
_USUAL_FRAMES = frozenset({(8, 1), (8, 3), (8, 4)})

# Pillow warns from this size on and raises at twice the size. The warning becomes an error here,
# once: `catch_warnings` around each file would change the filters of all threads.
Image.MAX_IMAGE_PIXELS = MAX_IMAGE_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)

_TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)
#: What Pillow and the walks below raise for files that are none; it has no error of its own.
_UNREADABLE = (
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
            start = file.read(len(_PNG))
            if start.startswith(_JPEG):
                kind, frames, (width, height) = "JPEG", 1, _walk_jpeg(file)
            else:
                if start == _PNG:
                    # Pillow would walk through millions of empty chunks
                    _walk_png(file)
                file.seek(0)
                with Image.open(file, formats=("PNG", "WEBP")) as image:
                    kind, frames = str(image.format), getattr(image, "n_frames", 1)
                    width, height = image.size
            _must_be_complete(kind, file, file.seek(0, io.SEEK_END))
    except _TOO_LARGE as error:
        raise ResultInvalid(f"it has more than {MAX_IMAGE_PIXELS} pixels") from error
    except _UNREADABLE as error:
        raise ResultInvalid("it is no JPEG, PNG or WebP, or it is damaged") from error
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
    except (*_TOO_LARGE, *_UNREADABLE) as error:
        raise ResultInvalid("the pixels cannot be decoded") from error
    return out.getvalue()


def _must_be_complete(kind: str, file: BinaryIO, size: int) -> None:
    if kind == "JPEG":
        file.seek(max(0, size - _TAIL_BYTES))
        if b"\xff\xd9" not in file.read():
            raise ResultInvalid("the JPEG has no end marker")
    elif kind == "WEBP":
        file.seek(0)
        declared = struct.unpack("<4xI", file.read(8))[0]
        if declared + 8 > size:
            raise ResultInvalid("the WebP is cut short")


def _walk_png(file: BinaryIO) -> None:
    """Go through a PNG's chunks, from behind its signature to its end."""
    has_pixels = False
    for _ in range(MAX_PNG_CHUNKS):
        length, name = struct.unpack(">I4s", file.read(8))
        if length > MAX_IMAGE_BYTES:
            raise ResultInvalid("a PNG chunk is longer than any file that we keep")
        checksum = zlib.crc32(name + file.read(length))
        if struct.unpack(">I", file.read(4))[0] != checksum:
            raise ResultInvalid("a PNG chunk is damaged")
        has_pixels |= name == b"IDAT"
        if name == b"IEND":
            if not has_pixels:
                raise ResultInvalid("the PNG has no pixels")
            return
    raise ResultInvalid(f"the PNG has more than {MAX_PNG_CHUNKS} chunks")


def _walk_jpeg(file: BinaryIO) -> tuple[int, int]:
    """Return width and height from a JPEG's segments before its first scan (ITU T.81, annex B).

    Pillow would say them too, but some segments cost it far more time than their length.
    """
    file.seek(2)
    size = (0, 0)
    steps = iter(range(MAX_JPEG_MARKER_BYTES))
    for _ in range(MAX_JPEG_SEGMENTS):
        marker = _next_marker(file, steps)
        if marker in _BARE:
            continue
        if marker == _END:
            raise ResultInvalid("the JPEG ends before its pixels")
        length = struct.unpack(">H", file.read(2))[0] - 2
        segment = file.read(max(0, length))
        if len(segment) != length:
            raise ResultInvalid("a segment of the JPEG is damaged")
        if marker in _FRAMES:
            precision, height, width, components = struct.unpack(">BHHB", segment[:6])
            if (precision, components) not in _USUAL_FRAMES:
                raise ResultInvalid("the JPEG is of a kind that few can read")
            size = width, height
        elif marker == _SCAN:
            if 0 in size:
                raise ResultInvalid("the JPEG does not say its size")
            return size
    raise ResultInvalid(f"the JPEG has more than {MAX_JPEG_SEGMENTS} segments")


def _next_marker(file: BinaryIO, steps: Iterator[int]) -> int:
    """Return the next marker, past all that decoders pass over; each byte takes one of `steps`."""
    follows_ff = False
    for _ in steps:
        (byte,) = file.read(1)
        if follows_ff and byte not in {0x00, _FILL}:
            return byte
        follows_ff = byte == _FILL
    raise ResultInvalid(f"the JPEG has {MAX_JPEG_MARKER_BYTES} bytes beside its segments")
