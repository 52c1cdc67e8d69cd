"""Callbacks in Flux's own form, proved as Flux proves its webhooks.

Sources disagree about the proof, so both are sent and a client may check whichever it knows: BFL's
SDK (2026) says `X-Webhook-Secret` is the secret verbatim, BFL's skills repository (2026-02) says
`X-BFL-Signature: sha256=<hex HMAC-SHA256 of the body>`.
"""

import hashlib
import hmac
import re

#: It becomes a header value. Upstream's schema names no limits; these keep every HTTP reader happy.
MAX_SECRET_CHARS = 1024
#: Printable ASCII; spaces at the ends would not survive as a header value.
_SECRET = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", re.ASCII)


def can_be_sent(secret: str) -> bool:
    """Return whether a client's `webhook_secret` can be sent back to it in a header."""
    return len(secret) <= MAX_SECRET_CHARS and _SECRET.fullmatch(secret) is not None


def flux_callback_headers(body: bytes, secret: str | None) -> dict[str, str]:
    """Return the proofs of a callback; none if the client gave no `webhook_secret`."""
    if secret is None:
        return {}
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Webhook-Secret": secret, "X-BFL-Signature": f"sha256={signature}"}
