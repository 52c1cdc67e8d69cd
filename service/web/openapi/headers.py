"""Headers of requests and answers, by name: what they hold and what they mean."""

from collections.abc import Mapping
from typing import Any

from service.web.bodies import IDEMPOTENCY_KEY_PATTERN

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}

#: Name → description, schema.
REQUEST: Mapping[str, tuple[str, Schema]] = {
    "X-Request-Id": (
        (
            "Comes back with the answer and stands in our logs; ours if it is not 1 to 128 of "
            "letters, digits and `._:-`."
        ),
        _TEXT,
    ),
    "Idempotency-Key": (
        (
            "Names this request, bare or quoted; kept as long as the job. With the same body it "
            "answers with the same job."
        ),
        {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN},
    ),
    "Prefer": (
        (
            "`wait=N` (RFC 7240): hold the answer up to N seconds, at most 60, until the job has "
            "ended."
        ),
        _TEXT,
    ),
    "Last-Event-ID": (
        "The `id` of the last event that was heard: only later ones follow.",
        {**_COUNT, "maximum": 2**31},
    ),
    "If-None-Match": ("The `ETag` of what is known already.", _TEXT),
    "Range": ("One range of bytes: `bytes=0-1023`.", _TEXT),
    "X-Webhook-Secret": ("The secret itself, word for word.", _TEXT),
    "X-BFL-Signature": ("`sha256=` and the HMAC-SHA256 of the body in hex.", _TEXT),
    "webhook-id": ("Stays the same on every try: tells a repeat.", _TEXT),
    "webhook-timestamp": ("When this try was made, in seconds since 1970.", _COUNT),
    "webhook-signature": (
        (
            "`v1,` and the HMAC-SHA256 of id, timestamp and body in base64; one per live secret, "
            "parted by spaces."
        ),
        _TEXT,
    ),
}

ANSWER: Mapping[str, tuple[str, Schema]] = {
    "X-Request-Id": ("Names the request in our logs.", _TEXT),
    "RateLimit": (
        "Requests left in this minute, and the seconds until the next one.",
        {"type": "string", "pattern": r'^"requests";r=\d+;t=\d+$'},
    ),
    "RateLimit-Policy": (
        "Requests per minute of the project.",
        {"type": "string", "pattern": r'^"requests";q=\d+;w=60$'},
    ),
    "Retry-After": ("After so many seconds another answer can be expected.", _COUNT),
    "WWW-Authenticate": ("How to prove who asks.", _TEXT),
    "Location": ("Where it is.", _TEXT),
    "Link": ('The next page, `rel="next"` (RFC 8288); not on the last.', _TEXT),
    "Preference-Applied": ("The `wait=N` that was honoured.", _TEXT),
    "Idempotent-Replayed": (
        "`true`: nothing was made, this is what the key made before.",
        {"const": "true"},
    ),
    "ETag": ("Names these bytes.", _TEXT),
    "Cache-Control": ("How long they may be kept.", _TEXT),
    "Content-Range": ("Which part of how much.", _TEXT),
}

#: Answers that always carry a header; elsewhere the rest of the request decides.
ALWAYS: frozenset[str] = frozenset({"X-Request-Id", "WWW-Authenticate", "ETag"})
#: What every answer to a caller with a key carries, but one that says that nothing is there.
RATE = ("RateLimit", "RateLimit-Policy")


def parameter(name: str) -> dict[str, Any]:
    """Return a header of a request, which never has to be there."""
    says, schema = REQUEST[name]
    return {"name": name, "in": "header", "description": says, "schema": dict(schema)}


def header(name: str) -> dict[str, Any]:
    """Return a header of an answer."""
    says, schema = ANSWER[name]
    return {"description": says, "required": name in ALWAYS, "schema": dict(schema)}
