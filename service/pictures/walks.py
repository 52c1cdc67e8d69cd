"""Walks through image files, chunk by chunk: their size, and whether they are whole.

Pillow would tell the same, but some files cost it far more time or memory than they are long. What
a walk raises besides ResultInvalid is in `UNREADABLE`. However long a file is, a walk holds 64 KiB.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from service.errors import ResultInvalid

#: Largest result that is kept, bytes.
MAX_IMAGE_BYTES = 25_000_000
_READ_BYTES = 65_536
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: A file of the largest size in chunks of 8 KiB, as encoders write them, has 3,000.
MAX_PNG_CHUNKS = 20_000
JPEG_START = b"\xff\xd8\xff"
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
#: Profile, pixels, transparency and metadata are six; animations are refused.
MAX_WEBP_CHUNKS = 1_000
_ANIMATED = 0x02
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = 0x2F
_LAST_PROFILE = 3
_SIDE_BITS = 14
_SIDE = (1 << _SIDE_BITS) - 1

#: What a damaged file makes a walk stumble over.
UNREADABLE = (OSError, ValueError, struct.error)


def walk_png(file: BinaryIO) -> None:
    """Go through a PNG's chunks, from behind its signature to its end."""
    has_pixels = False
    for _ in range(MAX_PNG_CHUNKS):
        length, name = struct.unpack(">I4s", file.read(8))
        if length > MAX_IMAGE_BYTES:
            raise ResultInvalid("a PNG chunk is longer than any file that we keep")
        if _checksum(name, file, length) != struct.unpack(">I", file.read(4))[0]:
            raise ResultInvalid("a PNG chunk is damaged")
        has_pixels |= name == b"IDAT"
        if name == b"IEND":
            if not has_pixels:
                raise ResultInvalid("the PNG has no pixels")
            return
    raise ResultInvalid(f"the PNG has more than {MAX_PNG_CHUNKS} chunks")


def _checksum(name: bytes, file: BinaryIO, length: int) -> int:
    checksum = zlib.crc32(name)
    while length and (piece := file.read(min(length, _READ_BYTES))):
        checksum = zlib.crc32(piece, checksum)
        length -= len(piece)
    return checksum


def walk_jpeg(file: BinaryIO) -> tuple[int, int]:
    """Return width and height from a JPEG's segments before its first scan (ITU T.81, annex B)."""
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


def walk_webp(file: BinaryIO) -> tuple[int, int]:
    """Return width and height of a WebP (RFC 9649), whose chunks must end within the file."""
    file_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    riff, declared, form = struct.unpack("<4sI4s", file.read(12))
    if (riff, form) != (b"RIFF", b"WEBP"):
        raise ValueError("no WebP")
    if declared + 8 > file_bytes:
        raise ResultInvalid("the WebP is cut short")
    canvas: tuple[int, int] | None = None
    for number in range(MAX_WEBP_CHUNKS):
        name, length = struct.unpack("<4sI", file.read(8))
        start = file.tell()
        if start + length > declared + 8:
            raise ResultInvalid("a WebP chunk is longer than its file")
        match name:
            case b"VP8X":
                canvas = _canvas(file.read(10))
            case b"VP8 " | b"VP8L":
                is_lossy = name == b"VP8 "
                size = _lossy(file.read(10), length) if is_lossy else _lossless(file.read(5))
                if canvas not in {None, size} or 0 in size:
                    raise ResultInvalid("the WebP does not say its size")
                return size
            case b"ANIM" | b"ANMF":
                raise ResultInvalid("the image is animated")
            case _ if number == 0:
                raise ValueError("no WebP")
        file.seek(start + length + length % 2)
    raise ResultInvalid(f"the WebP has more than {MAX_WEBP_CHUNKS} chunks")


def _canvas(head: bytes) -> tuple[int, int]:
    flags, *sides = struct.unpack("<B3xHBHB", head)
    if flags & _ANIMATED:
        raise ResultInvalid("the image is animated")
    width_low, width_high, height_low, height_high = sides
    return (width_low | width_high << 16) + 1, (height_low | height_high << 16) + 1


def _lossy(head: bytes, chunk_bytes: int) -> tuple[int, int]:
    """Read the head of a frame (RFC 6386, section 9.1); two bits of each side say its scale."""
    low, high, start, width, height = struct.unpack("<BH3sHH", head)
    tag = low | high << 8
    is_key, profile, is_shown, first_part_bytes = not tag & 1, tag >> 1 & 7, tag >> 4 & 1, tag >> 5
    is_usual = is_key and is_shown and profile <= _LAST_PROFILE and start == _LOSSY_START
    if not is_usual or first_part_bytes >= chunk_bytes:
        raise ResultInvalid("the WebP's pixels do not begin as they should")
    return width & _SIDE, height & _SIDE


def _lossless(head: bytes) -> tuple[int, int]:
    """Read the head of a lossless image (RFC 9649, section 3.4); its version is 0."""
    start, bits = struct.unpack("<BI", head)
    if start != _LOSSLESS_START or bits >> 29:
        raise ResultInvalid("the WebP's pixels do not begin as they should")
    return (bits & _SIDE) + 1, (bits >> _SIDE_BITS & _SIDE) + 1
