"""What an image's objects are called: those beside it have its key with another ending."""

THUMBNAIL = "thumb.webp"
SIDECAR = "json"


def kept_beside(key: str) -> tuple[str, str]:
    """Return the keys of an image's thumbnail and of its sidecar, whether or not they are there."""
    stem = key.rpartition(".")[0]
    return f"{stem}.{THUMBNAIL}", f"{stem}.{SIDECAR}"
