"""What beat rings, and how often."""

from typing import Any

from service.messages import Message
from service.queue import MESSAGE_LIFETIME_SECONDS

#: How often expired uploads are looked for.
DISCARD_INTERVAL_SECONDS = 600.0


def beat_schedule(sweep_interval_seconds: float) -> dict[str, Any]:
    """Return beat's entries; a sweep that no worker took in time is worth nothing later."""
    return {
        "sweep": {
            "task": Message.SWEEP.value,
            "schedule": sweep_interval_seconds,
            "options": {"expires": MESSAGE_LIFETIME_SECONDS},
        },
        "discard": {
            "task": Message.DISCARD.value,
            "schedule": DISCARD_INTERVAL_SECONDS,
            "options": {"expires": DISCARD_INTERVAL_SECONDS},
        },
    }
