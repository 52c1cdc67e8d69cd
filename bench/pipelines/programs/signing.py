"""How a peer knows its caller and upstream, and how its own caller knows it."""

import base64
import hashlib
import hmac
import os
import time

WEBHOOK_SECRET = os.environ["WEBHOOK_SECRET"]
_BEARER = f"Bearer {os.environ['API_KEY']}".encode()
_CALLBACK_KEY = base64.b64decode(os.environ["PEER_SECRET"].removeprefix("whsec_"))


def is_caller(authorization: str | bytes) -> bool:
    """Whether a request is our caller's."""
    return hmac.compare_digest(_bytes(authorization), _BEARER)


def is_upstream(webhook_secret: str | bytes) -> bool:
    """Whether a webhook is upstream's."""
    return hmac.compare_digest(_bytes(webhook_secret), WEBHOOK_SECRET.encode())


def callback_headers(message_id: str, body: bytes) -> dict[str, str]:
    """Sign a callback, per Standard Webhooks 1.0."""
    timestamp = str(int(time.time()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    proof = hmac.digest(_CALLBACK_KEY, signed, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(proof).decode(),
    }


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
