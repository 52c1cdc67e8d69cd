"""The tables. Rows that need something have a `due_at`; a lane is a partial index over it.

Times are timestamptz of the database's clock, so that leases and schedules of all hosts agree. Ids
are UUIDv7 made by us. Statements elsewhere are SQLAlchemy Core over these tables.
"""

from typing import cast

from sqlalchemy import Table

from service.models.batches import Batch
from service.models.hours import LONG_AGO, Fold, Hour
from service.models.jobs import (
    Attempt,
    CallbackForm,
    FluxWebhook,
    Gate,
    HeardBy,
    Job,
    JobEvent,
)
from service.models.labels import (
    MAX_TAG_CHARS,
    MAX_TAGS_PER_IMAGE,
    ImageTag,
    read_tag,
    tags_of,
    tags_of_image,
)
from service.models.pairs import JobPair, pair_of
from service.models.removals import Removal, Share
from service.models.results import (
    HELD_PULSE,
    SPOOL_PULSE,
    Balance,
    CallbackHost,
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
    Deployment,
    Ending,
    Image,
    Pulse,
)
from service.models.schema import Base
from service.models.sessions import BrowserSession, LoginLink
from service.models.sizes import SIZE_NUMBER, Size
from service.models.tenants import ApiKey, Project, RequestCount, Scope, Spending
from service.models.uploads import Upload

__all__ = [
    "HELD_PULSE",
    "LONG_AGO",
    "MAX_TAGS_PER_IMAGE",
    "MAX_TAG_CHARS",
    "SIZE_NUMBER",
    "SPOOL_PULSE",
    "ApiKey",
    "Attempt",
    "Balance",
    "Base",
    "Batch",
    "BrowserSession",
    "CallbackForm",
    "CallbackHost",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryStatus",
    "Deployment",
    "Ending",
    "FluxWebhook",
    "Fold",
    "Gate",
    "HeardBy",
    "Hour",
    "Image",
    "ImageTag",
    "Job",
    "JobEvent",
    "JobPair",
    "LoginLink",
    "Project",
    "Pulse",
    "Removal",
    "RequestCount",
    "Scope",
    "Share",
    "Size",
    "Spending",
    "Upload",
    "batches",
    "images",
    "job_pairs",
    "jobs",
    "pair_of",
    "read_tag",
    "tags_of",
    "tags_of_image",
    "uploads",
]

#: The tables that statements name most.
jobs = cast("Table", Job.__table__)
batches = cast("Table", Batch.__table__)
images = cast("Table", Image.__table__)
job_pairs = cast("Table", JobPair.__table__)
uploads = cast("Table", Upload.__table__)
