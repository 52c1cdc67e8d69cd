"""The zip itself: read by others' programs, and called so that no disk minds."""

import io
import re
import struct
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.web.archive import MAX_SLUG_CHARS, Archive, slug

#: Of paths, of Windows, of terminals, and what turns the direction of what follows.
MINDED = re.compile(r"[\s./\\:*?\"<>|\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
AT = datetime(2026, 11, 23, 17, 4, 31, tzinfo=UTC)
FILES = {
    "2026-a-fox.png": b"\x89PNG" * 1000,
    "маяк-灯塔.webp": b"x",
    "nothing.jpg": b"",
}


def zipped() -> bytes:
    archive = Archive()
    parts = [
        part
        for name, content in FILES.items()
        for part in (archive.head(name, content, AT), content)
    ]
    return b"".join([*parts, archive.end()])


def test_it_is_a_zip_for_python_and_for_unzip(tmp_path: Path) -> None:
    file = tmp_path / "all.zip"
    file.write_bytes(zipped())
    with zipfile.ZipFile(file) as read:
        assert read.testzip() is None
        assert {name: read.read(name) for name in read.namelist()} == FILES
        for one in read.infolist():
            assert one.date_time == (2026, 11, 23, 17, 4, 30)
            assert one.compress_type == zipfile.ZIP_STORED
            assert one.external_attr >> 16 == 0o100644
    tested = subprocess.run(["unzip", "-t", file], capture_output=True, text=True, check=True)  # noqa: S607 - as people call it
    assert "No errors detected" in tested.stdout


def test_whoever_reads_it_from_its_beginning_knows_each_size() -> None:
    stream = io.BytesIO(zipped())
    for name, content in FILES.items():
        head = struct.unpack("<4s5H3L2H", stream.read(30))
        assert head[0] == b"PK\3\4"
        *_, packed, size, name_bytes, extra_bytes = head
        assert stream.read(name_bytes).decode() == name
        assert (packed, size, extra_bytes) == (len(content), len(content), 0)
        assert stream.read(size) == content
    assert stream.read(4) == b"PK\1\2"


def test_without_its_end_it_is_no_zip() -> None:
    whole = zipped()
    for length in range(0, len(whole) - 1, 7):
        with pytest.raises(zipfile.BadZipFile):
            zipfile.ZipFile(io.BytesIO(whole[:length]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A fox, in the SNOW", "a-fox-in-the-snow"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\CON|<nul>:*?", "c-con-nul"),
        ("a\0b\r\nc", "a-b-c"),
        ("\u202egnp.exe\u2066", "gnp-exe"),
        ("Маяк в тумане", "маяк-в-тумане"),
        ("मकान", "मकान"),
        ("cafe\N{COMBINING ACUTE ACCENT}", "café"),
        ("🦊🚀", ""),
        ("...", ""),
        ("x" * 300, "x" * MAX_SLUG_CHARS),
        ("a b c d e f g h i j k l m n o p q rs tu vw", "a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q-rs-tu"),
        ("灯" * 300, "灯" * MAX_SLUG_CHARS),
    ],
)  # fmt: skip
def test_a_prompt_becomes_the_part_of_a_name(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_no_character_gets_into_a_name_that_a_disk_minds() -> None:
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for begin in range(0, len(every), MAX_SLUG_CHARS):
        made = slug("".join(every[begin : begin + MAX_SLUG_CHARS]))
        assert not re.search(
            r"[\s/\\:*?\"<>|\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069.]", made
        )
        assert len(made.encode()) <= 200
