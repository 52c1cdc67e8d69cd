"""An image given as a parameter: a URL that upstream fetches, or base64."""

import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

from service.generation.string_parameters import StringParameter

#: 20 MiB of image, upstream's largest, is 27,962,028 characters of base64.
_MAX_CHARACTERS = 28_000_000

#: Ours: room for a presigned URL with a session token.
_MAX_URL_CHARACTERS = 8_192

_BASE64 = re.compile(r"[A-Za-z0-9+/]++={0,2}")
_DATA_PREFIX = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_PRINTABLE_ASCII = re.compile(r"[!-~]+")


class Image(StringParameter):
    """An image as base64, or an http(s) URL where the model takes one.

    What is sent is bare base64 on one line, the form that every model documents; a `data:` prefix
    and line breaks are taken off. Here only the form is checked, not what is behind it.
    """

    type: Literal["image"]
    accepts: Literal["base64", "base64_or_url"]

    def normalise(self, value: object) -> object:
        """Reduce base64 to its bare form."""
        if not isinstance(value, str) or _HTTP.match(value):
            return value
        prefix = _DATA_PREFIX.match(value)
        return "".join(value[prefix.end() if prefix else 0 :].split())

    def string_problems(self, value: str) -> Iterator[str]:
        """Check length and form."""
        if len(value) > _MAX_CHARACTERS:
            yield f"must be at most {_MAX_CHARACTERS:,} characters, about 20 MiB of image"
        elif _HTTP.match(value):
            yield from self._url_problems(value)
        elif len(value) % 4 or not _BASE64.fullmatch(value):
            forms = "base64" if self.accepts == "base64" else "an http(s) URL or base64"
            yield f"must be {forms}, whole and in the standard alphabet"

    def _url_problems(self, url: str) -> Iterator[str]:
        if self.accepts == "base64":
            yield "must be base64: this model takes no URL here"
        elif len(url) > _MAX_URL_CHARACTERS:
            yield f"must be at most {_MAX_URL_CHARACTERS:,} characters when it is a URL"
        elif not _is_well_formed(url):
            yield "must be a well-formed URL: a host, and ASCII only (escape the rest with %)"

    def limits(self) -> dict[str, object]:
        """Return the length and, where only base64 is taken, the encoding."""
        encoding = {"contentEncoding": "base64"} if self.accepts == "base64" else {}
        return {"maxLength": _MAX_CHARACTERS, **encoding}


def _is_well_formed(url: str) -> bool:
    if not _PRINTABLE_ASCII.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535, or half an IPv6 address
        return False
