"""Pictures as callers hand them in."""

import base64
import io

from PIL import Image


def drawn(kind: str, size: tuple[int, int] = (64, 48), mode: str = "RGB", **more: object) -> bytes:
    """Return a picture of noise, so that it does not shrink to nothing."""
    out = io.BytesIO()
    Image.effect_noise(size, 50).convert(mode).save(out, kind, **more)
    return out.getvalue()


def as_base64(content: bytes) -> str:
    """Return base64 on one line."""
    return base64.b64encode(content).decode()
