"""Named places where a test may kill this process, so that a crash can be proved harmless.

`FAULT_POINT=store.after_put` makes the process say so and kill itself when it gets there.
Unset, a point costs one comparison.
"""

import os
import signal
import sys

_POINT = os.environ.get("FAULT_POINT", "")

#: Every point there is, in the order a job meets them.
POINTS = (
    "upload.after_put",
    "enqueue.before_commit",
    "enqueue.after_commit",
    "submit.after_intent",
    "submit.after_send",
    "submit.after_record",
    "receive.before_commit",
    "receive.after_commit",
    "poll.after_claim",
    "store.after_claim",
    "store.after_download",
    "store.after_put",
    "store.after_record",
    "deliver.after_claim",
    "deliver.after_send",
    "derive.after_put",
)


def fault_point(name: str) -> None:
    """Kill this process, as power loss would, if a test asked for it here."""
    if _POINT and name == _POINT:
        sys.stderr.write(f"killed at {name}\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)
