"""Signature Version 4 for one kind of request: a PUT of an object whose SHA-256 is known.

The payload is not signed: S3 checks it against the checksum, which is.
"""

import base64
import functools
import hashlib
import hmac
import os
import time
from urllib.parse import quote, urlsplit

ENDPOINT = os.environ["AWS_ENDPOINT_URL_S3"]
_HOST = urlsplit(ENDPOINT).netloc
_BUCKET = os.environ["S3_BUCKET"]
_REGION = os.environ["AWS_DEFAULT_REGION"]
_SIGNED = "content-type;host;x-amz-checksum-sha256;x-amz-content-sha256;x-amz-date"


def signed_put(key: str, sha256: bytes, content_type: str) -> tuple[str, dict[str, str]]:
    """Return the path of an object and the headers that let it be put there."""
    path = f"/{_BUCKET}/{quote(key)}"
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{now[:8]}/{_REGION}/s3/aws4_request"
    checksum = base64.b64encode(sha256).decode()
    canonical = (
        f"PUT\n{path}\n\ncontent-type:{content_type}\nhost:{_HOST}\n"
        f"x-amz-checksum-sha256:{checksum}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n"
        f"x-amz-date:{now}\n\n{_SIGNED}\nUNSIGNED-PAYLOAD"
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = _hmac(_day_key(now[:8]), f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{digest}").hex()
    return path, {
        "Content-Type": content_type,
        "x-amz-checksum-sha256": checksum,
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "x-amz-date": now,
        "Authorization": (
            f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
            f"SignedHeaders={_SIGNED}, Signature={signature}"
        ),
    }


@functools.lru_cache(maxsize=2)
def _day_key(day: str) -> bytes:
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (day, _REGION, "s3", "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.digest(key, message.encode(), "sha256")
