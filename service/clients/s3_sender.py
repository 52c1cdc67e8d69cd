"""The lean way to S3 for what every job sends: boto3's signer and connections, no more.

boto3's client takes twice the time to put a request together, and reads the body once more to sign
it.
"""

import io
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, BinaryIO

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

#: Of a request: what its signer takes for the digest of the body.
_SHA256 = "sha256"
#: Each read and each send lets other threads have Python's lock, and waits to have it back.
_BLOCK_BYTES = 262_144
_ERROR_CODE = re.compile(r"<Code>([A-Za-z0-9._-]{1,100})</Code>")


class S3Sender:
    """Sends as boto3's own client does, over the same proxies and with its CAs."""

    def __init__(
        self,
        endpoint: str,
        *,
        ca_bundle: str | None,
        connect_seconds: float,
        read_seconds: float,
        connections: int,
    ) -> None:
        """Connect with the first request; `connections` are kept at most."""
        self._session = URLLib3Session(
            verify=ca_bundle or True,  # type: ignore[arg-type] # it takes both
            proxies=get_environ_proxies(endpoint),
            timeout=(connect_seconds, read_seconds),  # type: ignore[arg-type] # it takes both
            max_pool_connections=connections,
        )

    def put(
        self,
        url: str,
        body: BinaryIO,
        headers: Mapping[str, str],
        *,
        sha256: str,
        credentials: Credentials,
        region: str,
    ) -> Mapping[str, str]:
        """Store a body whose SHA-256, in hex, is known; return the headers of S3's answer.

        Raises:
            ClientError: S3 said no.
            BotoCoreError: it did not answer.
        """
        # what is in memory goes at once
        data = body.getvalue() if isinstance(body, io.BytesIO) else _Blocks(body)
        request = AWSRequest("PUT", url, headers=dict(headers), data=data)
        request.context[_SHA256] = sha256
        _Signer(credentials, "s3", region).add_auth(request)
        answer = self._session.send(request.prepare())
        if answer.status_code != HTTPStatus.OK:
            raise ClientError({"Error": {"Code": _code_of(answer)}}, "PutObject")
        found: Mapping[str, str] = answer.headers
        return found


class _Blocks:
    """A file that is read in blocks of our size: http.client would take 16 kB at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell = file.tell
        self.seek = file.seek

    def read(self, _bytes: int = -1) -> bytes:
        return self._file.read(_BLOCK_BYTES)


class _Signer(S3SigV4Auth):
    """Signs the body by its known digest, without reading it."""

    def payload(self, request: Any) -> str:  # noqa: ANN401 - botocore's own
        return str(request.context[_SHA256])


def _code_of(answer: AWSResponse) -> str:
    """Return S3's word for an error; an answer without one is called by its status."""
    found = _ERROR_CODE.search(answer.text)
    return found[1] if found else str(answer.status_code)
