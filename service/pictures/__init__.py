"""Looking into image bytes without trusting them, and drawing a small copy."""

from service.pictures.files import MAX_IMAGE_PIXELS, Picture, Spooled, extension_of, look_into
from service.pictures.names import SIDECAR, THUMBNAIL, kept_beside
from service.pictures.thumbnails import CONTENT_TYPE as THUMBNAIL_CONTENT_TYPE
from service.pictures.thumbnails import thumbnail
from service.pictures.walks import (
    MAX_IMAGE_BYTES,
    MAX_JPEG_MARKER_BYTES,
    MAX_JPEG_SEGMENTS,
    MAX_PNG_CHUNKS,
    MAX_WEBP_CHUNKS,
)

__all__ = [
    "MAX_IMAGE_BYTES",
    "MAX_IMAGE_PIXELS",
    "MAX_JPEG_MARKER_BYTES",
    "MAX_JPEG_SEGMENTS",
    "MAX_PNG_CHUNKS",
    "MAX_WEBP_CHUNKS",
    "SIDECAR",
    "THUMBNAIL",
    "THUMBNAIL_CONTENT_TYPE",
    "Picture",
    "Spooled",
    "extension_of",
    "kept_beside",
    "look_into",
    "thumbnail",
]
