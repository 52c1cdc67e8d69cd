"""How times, sizes, money and states read on pages. Times come in as the documents' RFC 3339."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from flask import Blueprint

from service.documents import Document
from service.states import ErrorCode, Status

#: Longest parameter value shown, characters.
MAX_VALUE_CHARS = 300
#: Shorter durations are told to the hundredth, seconds.
_PRECISE_BELOW_SECONDS = 10
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_CREDITS_PER_USD = 100
_KILOBYTE = 1_000
_MEGABYTE = 1_000_000

_UNDER_WAY = {
    Status.QUEUED: "Waiting for its turn at Flux.",
    Status.SUBMITTING: "Being sent to Flux.",
    Status.UNCONFIRMED: "It was sent, but Flux's answer was lost. "
    "It is not sent again meanwhile; we wait for Flux to call.",
    Status.GENERATING: "Flux is making the picture.",
    Status.STORING: "The picture is ready and on its way into the bucket.",
}
#: Flux never took these, so it charged nothing.
_NEVER_TAKEN = {ErrorCode.UPSTREAM_REJECTED, ErrorCode.EXPIRED, ErrorCode.INTERNAL}


def add_wording(routes: Blueprint) -> None:
    """Make the functions of this module filters of every template."""
    for words in (
        age,
        clock,
        cost,
        cut,
        file_size,
        in_credits,
        minute,
        parameter,
        price,
        span,
        under_way,
    ):
        routes.add_app_template_filter(words)


def clock(at: str) -> str:
    """Return `22 Nov 2026, 16:31:05 UTC`."""
    return f"{datetime.fromisoformat(at):%-d %b %Y, %H:%M:%S} UTC"


def age(at: str) -> str:
    """Return how long ago it was, in its largest unit: `3 min`."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
    return " ".join(span(max(1, int(seconds))).split()[:2])


def span(seconds: float) -> str:
    """Return a duration in two units at most: `35 ms`, `4.2 s`, `2 min 5 s`, `3 h`."""
    if seconds < 1:
        milliseconds = round(seconds * 1000)
        return f"{milliseconds} ms" if milliseconds > 0 else "under 1 ms"
    if seconds < _PRECISE_BELOW_SECONDS:
        return f"{round(seconds, 2):g} s"
    rest = round(seconds)
    parts: list[tuple[int, str]] = []
    for size, name in _UNITS:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count)


def file_size(size_bytes: int) -> str:
    """Return `312 bytes`, `214 kB` or `1.4 MB`, decimal units."""
    if size_bytes < _KILOBYTE:
        return f"{size_bytes} bytes"
    if size_bytes < _MEGABYTE:
        return f"{size_bytes / _KILOBYTE:.0f} kB"
    return f"{size_bytes / _MEGABYTE:.1f} MB"


def cost(job: Document) -> str:
    """Return what a job costs, or what is known of the charge where no picture answers for it."""
    status, error, credits_text = job["status"], job["error"], job["cost"]["actual"]
    is_refused = error and error["code"] in _NEVER_TAKEN and not job["cost"]["maybe_charged"]
    if status == Status.CANCELED or is_refused:
        return "nothing was charged"
    known = price(credits_text or job["cost"]["estimated"])
    if status in {Status.FAILED, Status.UNCONFIRMED}:
        return f"{known or 'it'} may have been charged"
    return known if credits_text else f"{known or 'unknown'}, estimated"


def cut(text: str, max_chars: int) -> str:
    """Return the text on one line, at most so many characters long."""
    line = " ".join(text[: 2 * max_chars].split())
    return line if len(line) <= max_chars else f"{line[: max_chars - 1]}…"


def parameter(value: object, max_chars: int = MAX_VALUE_CHARS) -> str:
    """Return a parameter's value to read; a long one, such as a URL, only by its beginning."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) <= max_chars:
        return text
    return f"{text[:max_chars]}… ({len(text):,} characters)"


def minute(moment: datetime | None) -> str:
    """Return a moment as a field for date and time takes it, in UTC; nothing for none."""
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}"


def under_way(status: str) -> str:
    """Return what a job waits for in this state; nothing if it has ended."""
    return _UNDER_WAY.get(Status(status), "")


def price(credits_text: str | None) -> str:
    """Return `4.5 credits ($0.045)`, or nothing if the price is not known."""
    if credits_text is None:
        return ""
    return f"{in_credits(credits_text)} (${Decimal(credits_text) / _CREDITS_PER_USD:f})"


def in_credits(credits_text: str) -> str:
    """Return `1 credit` or `4.5 credits`."""
    return f"{credits_text} {'credit' if credits_text == '1' else 'credits'}"
