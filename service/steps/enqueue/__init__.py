"""Enqueue: a caller's request, the check of it, and the job or the batch that it becomes."""

from service.steps.enqueue.accept import Enqueue, Enqueued
from service.steps.enqueue.batch import Batches, EnqueuedBatch
from service.steps.enqueue.body import (
    CALLBACK_EVENTS,
    MAX_BATCH_JOBS,
    MAX_CALLBACK_URL_CHARS,
    Asking,
    BatchBody,
    CallbackEventName,
    CallbackUrl,
    JobBody,
    Moment,
    Priority,
    field_errors,
    known_events,
    whole,
)
from service.steps.enqueue.letters import Letters
from service.steps.enqueue.request import DEFAULT_CALLBACK_EVENTS, BatchRequest, JobRequest
from service.steps.enqueue.together import Together, TriedAgain

__all__ = [
    "CALLBACK_EVENTS",
    "DEFAULT_CALLBACK_EVENTS",
    "MAX_BATCH_JOBS",
    "MAX_CALLBACK_URL_CHARS",
    "Asking",
    "BatchBody",
    "BatchRequest",
    "Batches",
    "CallbackEventName",
    "CallbackUrl",
    "Enqueue",
    "Enqueued",
    "EnqueuedBatch",
    "JobBody",
    "JobRequest",
    "Letters",
    "Moment",
    "Priority",
    "Together",
    "TriedAgain",
    "field_errors",
    "known_events",
    "whole",
]
