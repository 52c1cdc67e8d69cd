"""Reindex: the walk through the bucket, the sidecar's format, and the rows it becomes."""

from service.steps.reindex.walk import Reindex

__all__ = ["Reindex"]
