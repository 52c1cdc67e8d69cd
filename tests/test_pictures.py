"""Looking into image bytes without trusting them."""

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes.pictures import drawn
from PIL import Image

from service.errors import ResultInvalid
from service.pictures import look_into, thumbnail


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
