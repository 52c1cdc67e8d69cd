"""A client of our own HTTP API, for the command line and for programs in Python.

It repeats only what is safe to repeat: questions, and the handing in of a job, which always carries
an Idempotency-Key.
"""

from service.client.api import Client, ContentAltered
from service.client.documents import Event, Image, Job, JobImage
from service.client.transport import ApiRefused, ApiUnreachable

__all__ = [
    "ApiRefused",
    "ApiUnreachable",
    "Client",
    "ContentAltered",
    "Event",
    "Image",
    "Job",
    "JobImage",
]
