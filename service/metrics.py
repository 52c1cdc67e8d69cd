"""Counters and histograms of this process; /metrics adds up all processes of the host.

With PROMETHEUS_MULTIPROC_DIR set before the first import, every process writes to that folder.
"""

from prometheus_client import Counter, Histogram

#: Jobs that ended, by status.
JOBS_ENDED = Counter("darkroom_jobs_ended", "Jobs that reached a terminal status", ["status"])
#: Callback tries, by what came of them.
CALLBACK_TRIES = Counter("darkroom_deliveries", "Callback tries", ["outcome"])
#: Answers to the paid POST, by class.
SUBMISSIONS = Counter("darkroom_submissions", "Paid POSTs by outcome", ["outcome"])
#: How results were heard of.
RESULTS = Counter("darkroom_results", "Results by how they were heard", ["heard_by"])
#: From the result's being ready to its bytes' being confirmed by S3.
READY_TO_STORED_SECONDS = Histogram(
    "darkroom_ready_to_stored_seconds",
    "Seconds from ready to stored; the URL lives 600",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
