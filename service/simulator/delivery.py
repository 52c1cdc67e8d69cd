"""The expiring URLs under which images are served, in the manner of an Azure SAS URL."""

import base64
import hashlib
import hmac
import math
import secrets
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import quote, urlencode

from service.simulator.wire import Reply, Request

CONTENT_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_REFUSAL = (
    '<?xml version="1.0" encoding="utf-8"?><Error><Code>AuthenticationFailed</Code>'
    "<Message>Server failed to authenticate the request.</Message></Error>"
)


class SignedUrls:
    """Makes and checks the URLs; the key lives as long as the process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def make(self, base_url: str, path: str, expires_at: float) -> str:
        """Sign a path until `expires_at` (epoch seconds), rounded up to a whole second."""
        expiry = datetime.fromtimestamp(math.ceil(expires_at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = {"se": expiry, "sp": "r", "sv": "2024-11-04", "sr": "b"}
        signed = urlencode({**query, "sig": self._sign(path, expiry)}, quote_via=quote)
        return f"{base_url}{path}?{signed}"

    def let_in(self, request: Request) -> bool:
        """Tell whether the request's own URL was signed here and is still alive."""
        expiry = request.query.get("se", "")
        signature = self._sign(request.path, expiry).encode()
        if not hmac.compare_digest(signature, request.query.get("sig", "").encode()):
            return False
        return datetime.now(UTC) < datetime.fromisoformat(expiry)

    def _sign(self, path: str, expiry: str) -> str:
        digest = hmac.digest(self._key, f"{path}\n{expiry}".encode(), "sha256")
        return base64.b64encode(digest).decode()


def refusal() -> Reply:
    """Answer for a URL that has expired or was tampered with."""
    return Reply(403, _REFUSAL.encode(), {"Content-Type": "application/xml"})


def file_reply(data: bytes, output_format: str, modified_at: float) -> Reply:
    """Answer with an image and the headers that upstream's storage gives with it."""
    md5 = hashlib.md5(data, usedforsecurity=False)
    return Reply(
        200,
        data,
        {
            "Content-Type": CONTENT_TYPES[output_format],
            "Content-MD5": base64.b64encode(md5.digest()).decode(),
            "ETag": f'"0x{md5.hexdigest()[:15].upper()}"',
            "Last-Modified": formatdate(modified_at, usegmt=True),
            "Accept-Ranges": "bytes",
        },
    )
