"""What upstream says, as plain data: the outcomes of the paid POST, and the reading of a result.

The reading serves webhooks and polls alike and is tolerant: old and new vocabulary, unknown words,
missing fields. Facts: BFL's OpenAPI (2026-04) for `get_result`, BFL's release note of 2026-02-17
for the webhook words (`SUCCESS` became `Ready`), recorded traffic for the fields of `result`.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qs, urlsplit

from service.states import ErrorCode


@dataclass(frozen=True, slots=True)
class Accepted:
    """2xx with an id: upstream has the job and charges for it."""

    task_id: str
    polling_url: str | None
    cost: Decimal | None
    http_status: int = 200


@dataclass(frozen=True, slots=True)
class NotSent:
    """It is proved that no byte of the request left; the job may go back to the queue."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """Nothing was sent and nothing ever will be: the job cannot be put into words for upstream."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Upstream read the request and said no; nothing is charged."""

    http_status: int
    reason: str
    retry_after_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request was sent and may have been accepted; it is never sent again by itself."""

    reason: str
    http_status: int | None = None


SubmitOutcome = Accepted | NotSent | Unusable | Refused | Unknown


@dataclass(frozen=True, slots=True)
class InProgress:
    """Not ended, or a word that we do not know; the poll goes on until the deadline.

    Whoever says it of a task by its id has taken the job.
    """

    word: str
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The result can be fetched until `expires_at` (None: upstream's usual lifetime)."""

    url: str
    expires_at: datetime | None
    facts: dict[str, Any]
    task_id: str | None = None
    cost: Decimal | None = None
    #: What it said besides, in words that we do not know.
    other: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """Upstream ended the job without an image."""

    code: ErrorCode
    message: str
    task_id: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    #: What it said besides, in words that we do not know.
    other: dict[str, Any] = field(default_factory=dict)


Result = InProgress | Ready | Ended

_READY = {"ready", "success", "succeeded", "completed"}
_ENDED = {
    "request moderated": ErrorCode.REQUEST_MODERATED,
    "content moderated": ErrorCode.CONTENT_MODERATED,
    "generated content moderated": ErrorCode.CONTENT_MODERATED,
    "error": ErrorCode.UPSTREAM_ERROR,
    "failed": ErrorCode.UPSTREAM_ERROR,
}
_MESSAGES = {
    ErrorCode.REQUEST_MODERATED: "Flux's moderation refused the request",
    ErrorCode.CONTENT_MODERATED: "Flux's moderation withheld the image",
    ErrorCode.UPSTREAM_ERROR: "Flux could not generate the image",
}
_FACTS = ("seed", "prompt", "start_time", "end_time", "duration")
#: Of an answer; the rest is kept as it came.
_KNOWN = {"id", "task_id", "status", "result", "details", "cost", "progress", "preview"}
#: Of that rest, as JSON; a longer one is only listed by its names.
_MAX_OTHER_CHARS = 8_000
#: What opens a URL stands behind its question mark.
_QUERY = re.compile(r'(?<=://)([^\s?#"\\]*)[?#][^\s"\\]*')
_MAX_TEXT = 500
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
#: Deeper than any detail that was ever recorded.
_MAX_DEPTH = 5


def read_result(body: Mapping[str, Any]) -> Result:
    """Return what a `get_result` answer or a webhook body says; never raises on odd content."""
    task_id = _text(body.get("id")) or _text(body.get("task_id"))
    word = _text(body.get("status")) or ""
    result = body.get("result")
    facts = result if isinstance(result, Mapping) else {}
    if word.lower() in _READY:
        url = _text(facts.get("sample"), limit=8192)
        if url is None:
            # a success without an image: a poll may know better, the deadline ends it
            return InProgress(word, task_id)
        kept = {name: _storable(facts[name]) for name in _FACTS if name in facts}
        cost = read_cost(body.get("cost"))
        return Ready(url, _expiry(url), kept, task_id, cost, _other(body, facts))
    code = _ENDED.get(word.lower())
    if code is None:
        return InProgress(word[:_MAX_TEXT], task_id)
    said = body.get("details")
    details = _readable(said) if isinstance(said, Mapping) else {}
    return Ended(code, _explain(code, body, details), task_id, details, _other(body, facts))


def _other(body: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an answer that we do not know, without the secrets of URLs in them."""
    unknown: dict[str, Any] = {name: value for name, value in body.items() if name not in _KNOWN}
    inner = {name: facts[name] for name in facts if name != "sample" and name not in _FACTS}
    if inner:
        unknown["result"] = inner
    found = _readable(unknown)
    if len(json.dumps(found, ensure_ascii=False)) > _MAX_OTHER_CHARS:
        return {"names": [storable_text(name)[:64] for name in [*unknown, *inner]][:64]}
    return found


def _readable(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON that can be stored, without what opens the URLs in it."""
    found: dict[str, Any] = json.loads(
        without_queries(json.dumps(_storable(said), ensure_ascii=False))
    )
    return found


def without_queries(text: str) -> str:
    """Return a text, which may be JSON, without the queries of URLs in it, which may open them."""
    return _QUERY.sub(r"\1?…", text)


def storable_text(text: str) -> str:
    """Return a text without what PostgreSQL does not keep: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def read_cost(value: object) -> Decimal | None:
    """Return credits rounded to four places (recorded answers hold 7.000000000000001), or None."""
    cost = _credits(value, below=1_000_000)
    return cost if cost is not None and cost >= 0 else None


def read_balance(value: object) -> Decimal | None:
    """Return what is left of an account, which may be overdrawn, in credits; or None."""
    return _credits(value, below=1_000_000_000)


def _credits(value: object, below: int) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    is_sound = found.is_finite() and abs(found) < below
    return found.quantize(Decimal("0.0001")) if is_sound else None


def _explain(code: ErrorCode, body: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    reasons = details.get("Moderation Reasons")
    if isinstance(reasons, list) and reasons:
        return f"{_MESSAGES[code]}: {', '.join(str(reason) for reason in reasons)[:_MAX_TEXT]}"
    for name in ("error", "message", "detail"):
        if said := _text(body.get(name)):
            return f"{_MESSAGES[code]}: {without_queries(said)}"
    return _MESSAGES[code]


def _expiry(url: str) -> datetime | None:
    """Read the `se` of an Azure SAS URL: the true end of the result (recorded: ten minutes)."""
    try:
        said = parse_qs(urlsplit(url).query).get("se", [""])[0]
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        # in another zone it may lie beyond what Python can read back
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: object, limit: int = _MAX_TEXT) -> str | None:
    if not isinstance(value, str) or not value or len(value) > max(limit, _MAX_TEXT):
        return None
    return storable_text(value)


def _storable(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Return JSON as PostgreSQL keeps it: sound texts, finite numbers, of a bounded depth."""
    match value:
        case str():
            return storable_text(value)
        case float() if not math.isfinite(value):
            return None
        case Mapping() if depth < _MAX_DEPTH:
            return {storable_text(name): _storable(item, depth + 1) for name, item in value.items()}
        case list() if depth < _MAX_DEPTH:
            return [_storable(item, depth + 1) for item in value]
        case Mapping() | list():
            return None
        case _:
            return value
