"""Enqueue: a caller's request, the check of it, and the job that it becomes."""

from service.steps.enqueue.accept import Enqueue, Enqueued
from service.steps.enqueue.request import DEFAULT_CALLBACK_EVENTS, JobRequest

__all__ = ["DEFAULT_CALLBACK_EVENTS", "Enqueue", "Enqueued", "JobRequest"]
