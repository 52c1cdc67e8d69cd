"""The small copy that the gallery shows."""

import io

from PIL import Image

from service.errors import ResultInvalid
from service.pictures.files import KINDS, TOO_LARGE, UNREADABLE

EDGE_PIXELS = 512
CONTENT_TYPE = "image/webp"
_QUALITY = 80
#: Of 0 to 6: takes a third of the time of 4, which is usual, for files that are a twelfth larger.
_METHOD = 1


def thumbnail(data: bytes) -> bytes:
    """Return a WebP copy whose longer edge is at most EDGE_PIXELS.

    Raises:
        ResultInvalid: the pixels cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(data), formats=tuple(KINDS)) as image:
            image.draft("RGB", (EDGE_PIXELS, EDGE_PIXELS))
            image.thumbnail((EDGE_PIXELS, EDGE_PIXELS))
            small = image if image.mode in {"RGB", "RGBA"} else image.convert("RGBA")
            out = io.BytesIO()
            small.save(out, "WEBP", quality=_QUALITY, method=_METHOD)
    except (*TOO_LARGE, *UNREADABLE) as error:
        raise ResultInvalid("the pixels cannot be decoded") from error
    return out.getvalue()
