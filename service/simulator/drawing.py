"""Draws the images: a real file of the asked size with the prompt on it."""

import colorsys
import hashlib
import io
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

_GOLDEN_RATIO = 0.618034
_HUES = 1000  # a seed may be too large for a float
_MOST_CHARS_DRAWN = 400
_COM_PAYLOAD_BYTES = 65_533
# Level 1 and method 0 are the quickest; size matters to nobody here.
_OPTIONS: dict[str, dict[str, int]] = {
    "jpeg": {"quality": 85},
    "png": {"compress_level": 1},
    "webp": {"quality": 80, "method": 0},
}


@dataclass(frozen=True)
class Drawing:
    """All that decides the bytes of an image, so that it can be drawn again."""

    prompt: str
    width: int
    height: int
    output_format: str
    seed: int
    min_bytes: int = 0


@lru_cache(maxsize=128)
def draw(drawing: Drawing) -> bytes:
    """Encode the image; the same drawing always gives the same bytes.

    Only the images of late are kept: an older one costs another few milliseconds, not memory.
    """
    image = _gradient(drawing)
    _write(image, drawing.prompt)
    buffer = io.BytesIO()
    image.save(buffer, drawing.output_format, **_OPTIONS[drawing.output_format])
    data = buffer.getvalue()
    missing = drawing.min_bytes - len(data)
    if missing <= 0:
        return data
    padding = hashlib.shake_128(str(drawing.seed).encode()).digest(missing)
    return _PAD[drawing.output_format](data, padding, drawing)


def _gradient(drawing: Drawing) -> Image.Image:
    hue = drawing.seed % _HUES * _GOLDEN_RATIO % 1
    corners = [
        colorsys.hls_to_rgb((hue + turn) % 1, light, 0.55)
        for turn, light in ((0, 0.34), (0.06, 0.46), (0.1, 0.5), (0.16, 0.66))
    ]
    tiny = Image.new("RGB", (2, 2))
    for place, corner in enumerate(corners):
        red, green, blue = (round(255 * part) for part in corner)
        tiny.putpixel((place % 2, place // 2), (red, green, blue))
    size = drawing.width, drawing.height
    # From centre to centre of the four pixels, or half of the image would be flat.
    return tiny.resize(size, Image.Resampling.BILINEAR, box=(0.5, 0.5, 1.5, 1.5))


def _write(image: Image.Image, prompt: str) -> None:
    side = min(image.size)
    font, margin = _font(max(9, side // 18)), side // 14
    printable = "".join(c if c.isprintable() else " " for c in prompt[:_MOST_CHARS_DRAWN])
    text = _wrapped(printable, font, image.width - 2 * margin)
    canvas = ImageDraw.Draw(image)
    place = margin, image.height - margin
    canvas.multiline_text((place[0] + 1, place[1] + 1), text, (40, 40, 50), font, anchor="ld")
    canvas.multiline_text(place, text, (255, 255, 255), font, anchor="ld")


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines += _broken(word, font, width)
    return "\n".join(line for line in lines if line)


def _broken(word: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    pieces = [""]
    for char in word:
        if pieces[-1] and font.getlength(pieces[-1] + char) > width:
            pieces.append("")
        pieces[-1] += char
    return pieces


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType")
    return font


def _pad_jpeg(data: bytes, padding: bytes, _drawing: Drawing) -> bytes:
    (app0_bytes,) = struct.unpack(">H", data[4:6])
    after_app0 = 4 + app0_bytes
    pieces = [
        padding[start : start + _COM_PAYLOAD_BYTES]
        for start in range(0, len(padding), _COM_PAYLOAD_BYTES)
    ]
    comments = b"".join(b"\xff\xfe" + struct.pack(">H", len(p) + 2) + p for p in pieces)
    return data[:after_app0] + comments + data[after_app0:]


def _pad_png(data: bytes, padding: bytes, _drawing: Drawing) -> bytes:
    chunk = b"paDd" + padding
    framed = struct.pack(">I", len(padding)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:-12] + framed + data[-12:]


def _pad_webp(data: bytes, padding: bytes, drawing: Drawing) -> bytes:
    # Chunks beside the picture are for the extended form of the file, told by a VP8X chunk.
    sides = b"".join((side - 1).to_bytes(3, "little") for side in (drawing.width, drawing.height))
    padding += b"\0" * (len(padding) % 2)
    chunks = b"".join(
        (
            b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + sides,
            data[12:],
            b"PADD" + struct.pack("<I", len(padding)) + padding,
        )
    )
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


_PAD = {"jpeg": _pad_jpeg, "png": _pad_png, "webp": _pad_webp}
