"""Looking into image bytes without trusting them."""

import io
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fakes.pictures import drawn
from PIL import Image

from service.errors import ResultInvalid
from service.pictures import (
    MAX_JPEG_MARKER_BYTES,
    MAX_JPEG_SEGMENTS,
    MAX_PNG_CHUNKS,
    MAX_WEBP_CHUNKS,
    look_into,
    thumbnail,
)


def png_saying(width: int, height: int) -> bytes:
    """Return a small PNG whose head promises another size."""
    head = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    rest = drawn("PNG")[33:]
    crc = zlib.crc32(b"IHDR" + head)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + head
        + struct.pack(">I", crc)
        + rest
    )


def frames(kind: str) -> bytes:
    out = io.BytesIO()
    more = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    Image.new("RGB", (8, 8)).save(out, kind, save_all=True, append_images=more)
    return out.getvalue()


def much(kind: str, size_bytes: int) -> bytes:
    """Return a picture with so many bytes beside its pixels."""
    whole, more = drawn(kind), bytes(size_bytes)
    match kind:
        case "JPEG":
            parts = [b"\xff\xfe\xff\xff" + more[start : start + 65_533]
                     for start in range(0, size_bytes - 65_533, 65_533)]  # fmt: skip
            return whole[:2] + b"".join(parts) + whole[2:]
        case "PNG":
            chunk = b"paDd" + more
            framed = struct.pack(">I", size_bytes) + chunk + struct.pack(">I", zlib.crc32(chunk))
            return whole[:-12] + framed + whole[-12:]
        case _:
            body = whole[8:] + b"PADD" + struct.pack("<I", size_bytes) + more
            return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_without(marker: int) -> bytes:
    """Return a JPEG in which the segments of one marker are filling of applications."""
    return drawn("JPEG").replace(bytes([0xFF, marker, 0x00]), b"\xff\xef\x00")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "result"


@pytest.mark.parametrize(
    ("kind", "content_type", "extension"),
    [("JPEG", "image/jpeg", "jpg"), ("PNG", "image/png", "png"), ("WEBP", "image/webp", "webp")],
)
def test_a_picture_is_known_by_its_content(
    path: Path, kind: str, content_type: str, extension: str
) -> None:
    path.write_bytes(drawn(kind))
    found = look_into(path)
    assert look_into(path.read_bytes()) == found
    assert (found.content_type, found.extension) == (content_type, extension)
    assert (found.width, found.height) == (64, 48)


def test_bytes_after_the_end_do_no_harm(path: Path) -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        path.write_bytes(drawn(kind) + b"\0" * 16)
        assert look_into(path).width == 64


def test_a_jpeg_that_carries_a_second_picture_is_a_jpeg(path: Path) -> None:
    path.write_bytes(frames("MPO"))
    assert look_into(path).content_type == "image/jpeg"


REFUSED = {
    "nothing": b"",
    "a page": b"<!DOCTYPE html><title>x</title>",
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "GIF": drawn("GIF"),
    "TIFF": drawn("TIFF"),
    "BMP": drawn("BMP"),
    "PDF": b"%PDF-1.7\n",
    "a PNG's head only": drawn("PNG")[:40],
    "more pixels than are kept": png_saying(8000, 5001),
    "a bomb": png_saying(60_000, 60_000),
    "no pixels": png_saying(0, 0),
    "an animated PNG": frames("PNG"),
    "an animated WebP": frames("WEBP"),
    "a damaged PNG": drawn("PNG")[:-30] + b"x" + drawn("PNG")[-29:],
    "a PNG without pixels": drawn("PNG")[:33] + drawn("PNG")[-12:],
    "a JPEG without a size": jpeg_without(0xC0),
    "a JPEG without a scan": drawn("JPEG")[:2] + b"\xff\xe0\x00\x02\xff\xd9",
    "a JPEG segment shorter than its length": drawn("JPEG")[:2] + b"\xff\xe0\x00\x01\xff\xd9",
    "a JPEG of 12 bits": drawn("JPEG").replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
    "a JPEG without pixels": drawn("JPEG").replace(
        b"\xff\xc0\x00\x11\x08\x00\x30", b"\xff\xc0\x00\x11\x08\x00\x00"
    ),
    "a PNG chunk without end": drawn("PNG")[:33] + struct.pack(">I4s", 2**31 - 1, b"IDAT"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_kept_is_refused(path: Path, name: str) -> None:
    path.write_bytes(REFUSED[name])
    for source in (path, REFUSED[name]):
        with pytest.raises(ResultInvalid):
            look_into(source)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_file_cut_anywhere_is_refused(path: Path, kind: str) -> None:
    whole = drawn(kind)
    for cut in {1, 8, 30, len(whole) // 3, len(whole) // 2, len(whole) - 100, len(whole) - 3}:
        path.write_bytes(whole[:cut])
        with pytest.raises(ResultInvalid):
            look_into(path)


def test_many_threads_do_not_change_the_process_for_each_other(tmp_path: Path) -> None:
    good, bomb = tmp_path / "good", tmp_path / "bomb"
    good.write_bytes(drawn("PNG"))
    bomb.write_bytes(png_saying(8000, 5001))
    before = list(warnings.filters)

    def look(path: Path) -> bool:
        try:
            return look_into(path).width == 64
        except ResultInvalid:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(look, [good, bomb] * 200)) == [True, False] * 200
    assert warnings.filters == before


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB")],
)
def test_a_thumbnail_is_a_small_webp_of_the_same_shape(kind: str, mode: str) -> None:
    with Image.open(io.BytesIO(thumbnail(drawn(kind, (1024, 512), mode)))) as small:
        assert (small.format, small.size) == ("WEBP", (512, 256))


def test_a_small_picture_is_not_blown_up() -> None:
    with Image.open(io.BytesIO(thumbnail(drawn("PNG")))) as small:
        assert small.size == (64, 48)


@pytest.mark.parametrize("name", ["nothing", "a page", "GIF", "a PNG's head only", "a bomb"])
def test_what_cannot_be_decoded_has_no_thumbnail(name: str) -> None:
    with pytest.raises(ResultInvalid):
        thumbnail(REFUSED[name])


def test_a_picture_too_large_to_decode_has_no_thumbnail() -> None:
    with pytest.raises(ResultInvalid):
        thumbnail(png_saying(8000, 5001))


def test_a_png_of_very_many_chunks_is_refused_before_it_costs_time() -> None:
    whole = drawn("PNG")
    head, rest = whole[:33], whole[33:]
    empty = b"\x00\x00\x00\x00tEXt" + zlib.crc32(b"tEXt").to_bytes(4, "big")
    look_into(head + empty * 1000 + rest)
    with pytest.raises(ResultInvalid, match="chunks"):
        look_into(head + empty * MAX_PNG_CHUNKS + rest)


def test_a_webp_of_very_many_chunks_is_refused_before_it_costs_time() -> None:
    many = b"VP8X\x0a\0\0\0" + bytes(10) + b"XMP \0\0\0\0" * MAX_WEBP_CHUNKS
    with pytest.raises(ResultInvalid, match="chunks"):
        look_into(b"RIFF" + struct.pack("<I", len(many) + 4) + b"WEBP" + many)


@pytest.mark.parametrize(
    "options",
    [{}, {"lossless": True}, {"exif": b"Exif\0\0" + bytes(99), "icc_profile": bytes(1001)}],
    ids=["lossy", "lossless", "extended"],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_webp_of_any_kind_has_the_size_that_pillow_sees(
    options: dict[str, object], mode: str
) -> None:
    for size in ((1, 1), (64, 48), (47, 1025)):
        content = drawn("WEBP", size, mode, **options)
        found = look_into(content)
        with Image.open(io.BytesIO(content)) as image:
            assert (found.width, found.height) == image.size == size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_looking_into_a_large_file_takes_little_memory(path: Path, kind: str) -> None:
    path.write_bytes(much(kind, 20_000_000))
    look_into(path)
    tracemalloc.start()
    assert look_into(path).width == 64
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


@pytest.mark.parametrize(
    ("repeated", "taken", "refused"),
    [
        # an empty segment, fill bytes, and what decoders pass over
        (b"\xff\xe2\x00\x02", MAX_JPEG_SEGMENTS - 100, MAX_JPEG_SEGMENTS),
        (b"\xff\xd0", MAX_JPEG_SEGMENTS - 100, MAX_JPEG_SEGMENTS),
        (b"\xff", MAX_JPEG_MARKER_BYTES - 100, MAX_JPEG_MARKER_BYTES),
        (b"\x00", MAX_JPEG_MARKER_BYTES - 100, MAX_JPEG_MARKER_BYTES),
    ],
)
def test_a_jpeg_of_very_many_segments_is_refused_before_it_costs_time(
    repeated: bytes, taken: int, refused: int
) -> None:
    whole = drawn("JPEG")
    start, first = whole[:2], 4 + int.from_bytes(whole[4:6], "big")
    head, rest = whole[:first], whole[first:]
    assert look_into(head + repeated * taken + rest).width == 64
    for body in (rest, b"\xff\xd9"):
        with pytest.raises(ResultInvalid, match="segments"):
            look_into(head + repeated * refused + body)
    with pytest.raises(ResultInvalid, match="segments"):
        look_into(start + b"\xff" + repeated * refused + b"\xff\xd9")


def as_jpeg(mode: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    out = io.BytesIO()
    Image.new(mode, (64, 48)).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        as_jpeg("CMYK"),
        as_jpeg("L"),
        as_jpeg("RGB", progressive=True, restart_marker_rows=1),
        as_jpeg("RGB", exif=b"Exif\0\0" + bytes(60_000), comment="x" * 60_000),
        # in as many parts as a profile can have
        as_jpeg("RGB", icc_profile=bytes(255 * 65_519)),
    ],
    ids=["CMYK", "grey", "progressive", "EXIF", "ICC"],
)
def test_a_jpeg_of_any_usual_kind_is_taken(content: bytes) -> None:
    found = look_into(content)
    assert (found.content_type, found.width, found.height) == ("image/jpeg", 64, 48)


@pytest.mark.parametrize("name", ["nothing", "a page", "GIF", "a PNG's head only", "no pixels"])
def test_what_is_refused_is_refused_in_words_for_callers(name: str) -> None:
    with pytest.raises(ResultInvalid, match=r"^it is no JPEG, PNG or WebP, or it is damaged$"):
        look_into(REFUSED[name])
    with pytest.raises(ResultInvalid, match=r"^it has more than 40000000 pixels$"):
        look_into(REFUSED["a bomb"])
