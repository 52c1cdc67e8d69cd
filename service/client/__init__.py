"""A client of our own HTTP API, for the command line and for programs in Python.

It repeats only what is safe to repeat: questions, the handing in of a job, which always carries an
Idempotency-Key, and uploads, of which a copy that nobody refers to expires.
"""

from service.client.api import Client, ContentAltered
from service.client.documents import (
    Ending,
    Endings,
    Event,
    Image,
    Job,
    JobImage,
    Model,
    Price,
    Upload,
)
from service.client.transport import ApiRefused, ApiUnreachable

__all__ = [
    "ApiRefused",
    "ApiUnreachable",
    "Client",
    "ContentAltered",
    "Ending",
    "Endings",
    "Event",
    "Image",
    "Job",
    "JobImage",
    "Model",
    "Price",
    "Upload",
]
