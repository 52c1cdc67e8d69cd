"""A client of our own HTTP API, for the command line and for programs in Python.

It repeats only what is safe to repeat: questions; the handing in of jobs, which always carries an
Idempotency-Key; what to say twice changes nothing; and uploads, of which a copy that nobody refers
to expires. Of a 429 or 503 it heeds the Retry-After, up to a minute.
"""

from service.client.api import MAX_BATCH_JOBS, Client, SubmittedBatch
from service.client.documents import (
    Batch,
    Counts,
    Ending,
    Endings,
    Event,
    Image,
    Job,
    JobImage,
    Model,
    NewBatch,
    Price,
    Upload,
)
from service.client.fetching import ContentAltered, FetchedElsewhere, is_proved
from service.client.transport import ApiRefused, ApiUnreachable

__all__ = [
    "MAX_BATCH_JOBS",
    "ApiRefused",
    "ApiUnreachable",
    "Batch",
    "Client",
    "ContentAltered",
    "Counts",
    "Ending",
    "Endings",
    "Event",
    "FetchedElsewhere",
    "Image",
    "Job",
    "JobImage",
    "Model",
    "NewBatch",
    "Price",
    "SubmittedBatch",
    "Upload",
    "is_proved",
]
