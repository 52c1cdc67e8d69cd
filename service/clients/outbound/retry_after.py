"""How long a server asks us to wait, read with suspicion."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]+")
_HTTP_DATE = re.compile(
    r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)


def parse_retry_after(
    values: Sequence[str], *, base_seconds: float, cap_seconds: float, now: datetime
) -> float:
    """Return the delay that `Retry-After` asks for, within `base_seconds` and `cap_seconds`.

    Args:
        values: the header's values, one for each time it was sent; anything but one is no answer.
        base_seconds: our own delay, used when the header says less, or nothing readable.
        cap_seconds: the longest that we let a server put us off.
        now: aware time, for the date form (RFC 9110 section 10.2.3).
    """
    asked = _asked_seconds(values[0].strip(), now) if len(values) == 1 else 0.0
    return min(max(asked, base_seconds), cap_seconds)


def _asked_seconds(text: str, now: datetime) -> float:
    if _SECONDS.fullmatch(text):
        return float(text)
    if not _HTTP_DATE.fullmatch(text):
        return 0.0
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return (date.replace(tzinfo=UTC) - now).total_seconds()
