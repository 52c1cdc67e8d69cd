"""A zip, written as it is sent, of pictures that are packed already.

Each file's size and CRC stand in front of it, where Python's own `zipfile` would have to seek back
or write them behind: readers that do not seek either, such as unpackers in a pipe, can read it.
What is cut short has no directory at its end, and so is no zip.

https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

import struct
import unicodedata
import zlib
from datetime import UTC, datetime

#: Behind this all offsets would need zip64, which not every reader knows; bytes.
MAX_BYTES = 4_000_000_000
#: Longest part of a file's name that is made of words, characters.
MAX_SLUG_CHARS = 40

#: For both heads: version 2.0, names in UTF-8, stored, then time, date, CRC, two sizes, length of
#: the name, and no extra field.
_ABOUT = "HHHHHLLLHH"
_LOCAL = struct.Struct(f"<4s{_ABOUT}")
#: Besides: made on Unix; no comment, first disk, not text, mode, and where the local head is.
_CENTRAL = struct.Struct(f"<4sH{_ABOUT}HHHLL")
_END = struct.Struct("<4sHHHHLLH")
_VERSION = 20
_UTF8_NAMES = 0x0800
_STORED = 0
_ON_UNIX = 3 << 8 | _VERSION
_PLAIN_FILE = 0o100644 << 16
#: Times are kept from this year on, and to two seconds.
_FIRST_YEAR = 1980


class Archive:
    """The heads and the directory; the files' own bytes go between them, past this."""

    def __init__(self) -> None:
        self._directory: list[bytes] = []
        self._length = 0

    def head(self, name: str, content: bytes, at: datetime) -> bytes:
        """Return what stands in front of a file's content, which has to follow it."""
        written = name.encode()
        about = (
            *(_VERSION, _UTF8_NAMES, _STORED, *_dos_time(at)),
            *(zlib.crc32(content), len(content), len(content), len(written), 0),
        )
        central = (0, 0, 0, _PLAIN_FILE, self._length)
        self._directory.append(
            _CENTRAL.pack(b"PK\1\2", _ON_UNIX, *about, *central) + written,
        )
        head = _LOCAL.pack(b"PK\3\4", *about) + written
        self._length += len(head) + len(content)
        return head

    def end(self) -> bytes:
        """Return the directory, with which the zip is whole."""
        directory, count = b"".join(self._directory), len(self._directory)
        sizes = (len(directory), self._length)
        return directory + _END.pack(b"PK\5\6", 0, 0, count, count, *sizes, 0)


def slug(text: str) -> str:
    """Return the first words of a text, of any script, as part of a file's name; maybe nothing.

    Only letters, their marks and digits are left, so it holds no path and nothing that turns the
    direction of what follows.
    """
    # a word behind the cut needs not be looked at
    begin = unicodedata.normalize("NFC", text[: 4 * MAX_SLUG_CHARS]).lower()
    kept = [char if unicodedata.category(char)[0] in "LMN" else " " for char in begin]
    words = "-".join("".join(kept).split())
    if len(words) <= MAX_SLUG_CHARS:
        return words
    return words[: MAX_SLUG_CHARS + 1].rpartition("-")[0] or words[:MAX_SLUG_CHARS]


def _dos_time(at: datetime) -> tuple[int, int]:
    moment = at.astimezone(UTC)
    return (
        moment.hour << 11 | moment.minute << 5 | moment.second // 2,
        (moment.year - _FIRST_YEAR) << 9 | moment.month << 5 | moment.day,
    )
