"""An image given as a parameter: a URL that upstream fetches, base64, or the id of one of ours."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field

from service.generation.string_parameters import StringParameter

#: 20 MiB of image, upstream's largest, is 27,962,028 characters of base64.
_MAX_CHARACTERS = 28_000_000

#: Ours: room for a presigned URL with a session token.
_MAX_URL_CHARACTERS = 8_192

_ID = re.compile(r"(?:img|upl)_[0-9a-f]{32}")
#: No base64 has an underscore, so whoever wrote this meant an id.
_LIKE_AN_ID = re.compile(r"[a-z]{3}_")
#: Together with a length that four divides; possessive, as it may have to read 28 MB.
_BASE64 = re.compile(r"[A-Za-z0-9+/]++={0,2}")
_FOUR = "[A-Za-z0-9+/]{4}"
_DATA_PREFIX = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_HTTP = re.compile(r"https?://", re.IGNORECASE)
#: The same in JSON Schema, which cannot ignore case.
URL_SCHEME_PATTERN = "^[Hh][Tt][Tt][Pp][Ss]?://"
_PRINTABLE_ASCII = re.compile(r"[!-~]+")


class ImageSource(StrEnum):
    """Where a picture given as a parameter comes from."""

    URL = "url"
    BASE64 = "base64"
    #: Stored by us, the result of a job.
    IMAGE = "image"
    #: Stored by us, handed in with `POST /v1/uploads`.
    UPLOAD = "upload"


class PictureSize(NamedTuple):
    """What is known of a picture that a job draws after."""

    width: int
    height: int
    #: Of the file, not of its base64.
    bytes: int

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def image_source(value: str) -> ImageSource:
    """Tell what a cleaned image value is; the form of one that is not cleaned is not checked."""
    if value.startswith("img_"):
        return ImageSource.IMAGE
    if value.startswith("upl_"):
        return ImageSource.UPLOAD
    return ImageSource.URL if _HTTP.match(value) else ImageSource.BASE64


class Image(StringParameter):
    """An image as base64 or the id of one of ours, or an http(s) URL where the model takes one.

    What is kept is bare base64 on one line, the form that every model documents; a `data:` prefix
    and line breaks are taken off. `problems` checks only the form; what is behind it is measured
    elsewhere and judged by `picture_problems`.
    """

    type: Literal["image"]
    accepts: Literal["base64", "base64_or_url"]
    #: Of the file, not of its base64.
    max_bytes: Annotated[int, Field(gt=0)]
    max_pixels: Annotated[int, Field(gt=0)]
    min_side_pixels: Annotated[int, Field(gt=0)] = 1
    #: Key into the catalogue's `sources`, for the limits of the picture.
    limits_source: str

    def source_keys(self) -> Iterator[str]:
        """Add the source of the picture's limits."""
        yield from super().source_keys()
        yield self.limits_source

    def normalise(self, value: object) -> object:
        """Reduce base64 to its bare form."""
        if not isinstance(value, str):
            return value
        prefix = _DATA_PREFIX.match(value)
        if prefix is None and image_source(value) is not ImageSource.BASE64:
            return value
        folded = value[prefix.end() if prefix else 0 :]
        bare = folded.replace("\r", "").replace("\n", "")
        # what looks like a URL or an id only once it is stripped was not meant as one
        return bare if image_source(bare) is ImageSource.BASE64 else value

    def string_problems(self, value: str) -> Iterator[str]:
        """Check length and form."""
        if len(value) > _MAX_CHARACTERS:
            yield f"must be at most {_MAX_CHARACTERS:,} characters, about 20 MiB of image"
        elif _HTTP.match(value):
            yield from self._url_problems(value)
        elif _LIKE_AN_ID.match(value):
            if not _ID.fullmatch(value):
                yield (
                    "must be img_ (an image) or upl_ (an upload) and 32 hexadecimal digits in "
                    "lower case, if it is an id"
                )
        elif len(value) % 4 or not _BASE64.fullmatch(value):
            url = "an http(s) URL, " if self.accepts == "base64_or_url" else ""
            yield (
                f"must be {url}the id of an image or upload, or base64, whole and in the standard "
                "alphabet"
            )

    def _url_problems(self, url: str) -> Iterator[str]:
        if self.accepts == "base64":
            yield (
                "takes no URL in this model; upload the picture with POST /v1/uploads and give "
                "its id, or give base64"
            )
        elif len(url) > _MAX_URL_CHARACTERS:
            yield f"must be at most {_MAX_URL_CHARACTERS:,} characters when it is a URL"
        elif not _is_well_formed(url):
            yield "must be a well-formed URL: a host, and ASCII only (escape the rest with %)"

    def picture_problems(self, size: PictureSize) -> Iterator[str]:
        """Yield what is wrong with the picture itself."""
        if size.bytes > self.max_bytes:
            yield f"is a file of {size.bytes:,} bytes; this model takes at most {self.max_bytes:,}"
        if size.pixels > self.max_pixels:
            yield (
                f"is {size.width} x {size.height}, {size.pixels:,} pixels; "
                f"this model takes at most {self.max_pixels:,}"
            )
        if min(size.width, size.height) < self.min_side_pixels:
            yield (
                f"is {size.width} x {size.height}; "
                f"each side must be at least {self.min_side_pixels} pixels"
            )

    def limits(self) -> dict[str, object]:
        """Return the forms that are taken."""
        forms: list[dict[str, object]] = [
            {"title": "id of an image or upload", "pattern": f"^{_ID.pattern}$"},
            {
                "title": "base64",
                "contentEncoding": "base64",
                "pattern": f"^({_FOUR})*({_FOUR}|[A-Za-z0-9+/]{{3}}=|[A-Za-z0-9+/]{{2}}==)$",
                "maxLength": _MAX_CHARACTERS,
            },
        ]
        if self.accepts == "base64_or_url":
            pattern = f"{URL_SCHEME_PATTERN}[!-~]+$"
            forms.append({"title": "URL", "pattern": pattern, "maxLength": _MAX_URL_CHARACTERS})
        return {"anyOf": forms}


def _is_well_formed(url: str) -> bool:
    if not _PRINTABLE_ASCII.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535, or half an IPv6 address
        return False
