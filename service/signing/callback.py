"""Callbacks to callers, signed as Standard Webhooks 1.0 says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

_SECRET_BYTES = 32


def new_callback_secret() -> str:
    """Return a fresh `whsec_…` secret over 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def is_callback_secret(text: str) -> bool:
    """Tell whether a text is a secret that can sign: base64, with `whsec_` before it or not."""
    try:
        return bool(base64.b64decode(text.removeprefix("whsec_"), validate=True))
    except ValueError:
        return False


def callback_headers(
    callback_id: str, body: str, secrets_newest_first: Sequence[str], now: datetime
) -> dict[str, str]:
    """Return the three headers of one try; during rotation every secret signs.

    `callback_id` stays the same on every try, `now` is this try's time (aware UTC).
    """
    # the library relabels the time as UTC without converting it
    moment = now.astimezone(UTC)
    signatures = [
        Webhook(secret).sign(callback_id, moment, body) for secret in secrets_newest_first
    ]
    return {
        "webhook-id": callback_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
