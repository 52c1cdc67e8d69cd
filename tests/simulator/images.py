"""Input images for the tests of this folder."""

import base64
import io

from PIL import Image


def file(width: int = 64, height: int = 64, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, kind)
    return out.getvalue()


def encoded(width: int = 64, height: int = 64, kind: str = "PNG") -> str:
    return base64.b64encode(file(width, height, kind)).decode()
