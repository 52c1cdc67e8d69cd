"""What an image file is, told without trusting it and without decoding its pixels."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from service.errors import ResultInvalid
from service.pictures import walks

#: Largest result that is kept, pixels.
MAX_IMAGE_PIXELS = 40_000_000
_TAIL_BYTES = 64

# Pillow warns from this size on and raises at twice the size. The warning becomes an error here,
# once: `catch_warnings` around each file would change the filters of all threads.
Image.MAX_IMAGE_PIXELS = MAX_IMAGE_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)

TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)
#: What Pillow and the walks raise for files that are none; Pillow has no error of its own.
UNREADABLE = (
    *walks.UNREADABLE,  # UnidentifiedImageError is an OSError
    SyntaxError,
    EOFError,
)

#: By Pillow's name.
KINDS = {
    "JPEG": ("image/jpeg", "jpg"),
    "PNG": ("image/png", "png"),
    "WEBP": ("image/webp", "webp"),
}
_EXTENSIONS = dict(KINDS.values())


@dataclass(frozen=True, slots=True)
class Picture:
    """What an image file is, told by its content."""

    content_type: str
    extension: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Spooled:
    """A result on this host: a small one in memory, any other on its disk."""

    content: Path | bytes
    sha256: str
    size_bytes: int

    def open(self) -> BinaryIO:
        """Give its content from the start."""
        return _open(self.content)


def extension_of(content_type: str) -> str:
    """Return how the name of a file of this type ends, without the dot."""
    return _EXTENSIONS.get(content_type, "bin")


def look_into(source: Path | bytes) -> Picture:
    """Say what a file, or its content, is, without decoding its pixels.

    Raises:
        ResultInvalid: no JPEG, PNG or WebP, too large, animated, or cut short.
    """
    try:
        with _open(source) as file:
            kind, width, height = _look(file)
    except TOO_LARGE as error:
        raise ResultInvalid(f"it has more than {MAX_IMAGE_PIXELS} pixels") from error
    except UNREADABLE as error:
        raise ResultInvalid("it is no JPEG, PNG or WebP, or it is damaged") from error
    if width * height > MAX_IMAGE_PIXELS:
        raise ResultInvalid(f"{width}x{height} is more than {MAX_IMAGE_PIXELS} pixels")
    content_type, extension = KINDS[kind]
    return Picture(content_type, extension, width, height)


def _open(content: Path | bytes) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _look(file: BinaryIO) -> tuple[str, int, int]:
    start = file.read(len(walks.PNG_SIGNATURE))
    if start.startswith(walks.JPEG_START):
        width, height = walks.walk_jpeg(file)
        file.seek(max(0, file.seek(0, io.SEEK_END) - _TAIL_BYTES))
        if b"\xff\xd9" not in file.read():
            raise ResultInvalid("the JPEG has no end marker")
        return "JPEG", width, height
    if start == walks.PNG_SIGNATURE:
        walks.walk_png(file)
        return "PNG", *_png_size(file)
    return "WEBP", *walks.walk_webp(file)


def _png_size(file: BinaryIO) -> tuple[int, int]:
    """Let Pillow read up to the pixels, whose chunks it does not open."""
    file.seek(0)
    with Image.open(file, formats=("PNG",)) as image:
        if getattr(image, "n_frames", 1) != 1:
            raise ResultInvalid("the image is animated")
        return image.size
