"""Input images: what stands behind the base64 and the ids in a job's input."""

from service.inputs.inputs import INPUT_URL_LIFETIME_SECONDS, Examined, Inputs
from service.inputs.uploads import Handed, Uploads, is_usable, not_an_image

__all__ = [
    "INPUT_URL_LIFETIME_SECONDS",
    "Examined",
    "Handed",
    "Inputs",
    "Uploads",
    "is_usable",
    "not_an_image",
]
