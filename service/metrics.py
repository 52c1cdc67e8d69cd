"""Counters and histograms of this process; /metrics adds up all processes of the host.

With PROMETHEUS_MULTIPROC_DIR set before the start, every process writes to that folder, web and
workers alike; without it a process only knows its own counts.
"""

import os
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

_FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
if _FOLDER is not None:
    # the histogram below writes its first file at once
    Path(_FOLDER).mkdir(parents=True, exist_ok=True)

#: Jobs that ended, by status.
JOBS_ENDED = Counter("darkroom_jobs_ended", "Jobs that reached a terminal status", ["status"])
#: Of those, the ones that may have been charged for nothing, or once more than we know.
MAYBE_CHARGED_ENDS = Counter("darkroom_maybe_charged", "Jobs that ended with a payment in doubt")
#: Callback tries, by what came of them.
CALLBACK_TRIES = Counter("darkroom_deliveries", "Callback tries", ["outcome"])
#: Answers to the paid POST, by class.
SUBMISSIONS = Counter("darkroom_submissions", "Paid POSTs by outcome", ["outcome"])
#: How results were heard of.
RESULTS = Counter("darkroom_results", "Results by how they were heard", ["heard_by"])
#: Attempts that upstream accepted although another of the same job was accepted too.
DUPLICATE_CHARGES = Counter("darkroom_duplicate_charges", "Jobs paid for once more than once")
#: From the result's being ready to its bytes' being confirmed by S3.
READY_TO_STORED_SECONDS = Histogram(
    "darkroom_ready_to_stored_seconds",
    "Seconds from ready to stored; the URL lives 600",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)


def registry() -> CollectorRegistry:
    """Return what all processes of this host have counted, or this one if it counts alone."""
    if _FOLDER is None:
        return REGISTRY
    # somebody may have cleaned up under us; the counts are gone then, the service is not
    Path(_FOLDER).mkdir(parents=True, exist_ok=True)
    found = CollectorRegistry()
    MultiProcessCollector(found, _FOLDER)  # type: ignore[no-untyped-call] # no types in the library
    return found
