"""The lean way to S3 for what every job sends: boto3's signer over urllib3, no more.

boto3's client takes five times as long to put a request together, and reads the body once more to
sign it. Here a body is vouched for by a checksum among the signed headers, which S3 compares with
what it got; to sign the body as well would have S3 read it twice.
"""

import io
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, BinaryIO

import certifi
from botocore.auth import UNSIGNED_PAYLOAD, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies
from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout

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
        proxies = ProxyConfiguration(get_environ_proxies(endpoint))
        proxy_url = proxies.proxy_url_for(endpoint)
        settings: dict[str, Any] = {
            "maxsize": connections,
            "timeout": Timeout(connect_seconds, read_seconds),
            "ca_certs": ca_bundle or certifi.where(),
        }
        self._connections = (
            PoolManager(**settings)
            if not proxy_url
            else ProxyManager(
                proxy_url, proxy_headers=proxies.proxy_headers_for(proxy_url), **settings
            )
        )

    def send(
        self,
        method: str,
        url: str,
        *,
        credentials: Credentials,
        region: str,
        headers: Mapping[str, str] | None = None,
        body: BinaryIO | None = None,
    ) -> BaseHTTPResponse:
        """Send once; return S3's answer, read.

        Raises:
            ClientError: S3 said no.
            urllib3.exceptions.HTTPError: it did not answer.
        """
        request = AWSRequest(method, url, headers=dict(headers or {}))
        _Signer(credentials, "s3", region).add_auth(request)
        answer = self._connections.urlopen(
            method,
            url,
            # what is in memory goes at once
            body=body.getvalue() if isinstance(body, io.BytesIO) else body and _Blocks(body),
            headers=dict(request.headers.items()),
            redirect=False,
            retries=False,
            decode_content=False,
        )
        if answer.status != HTTPStatus.OK:
            raise ClientError({"Error": {"Code": _code_of(answer)}}, method)
        return answer


class _Blocks:
    """A file that is read in blocks of our size: http.client would take 16 kB at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell = file.tell
        self.seek = file.seek

    def read(self, _bytes: int = -1) -> bytes:
        return self._file.read(_BLOCK_BYTES)


class _Signer(S3SigV4Auth):
    """Signs all but the body."""

    def payload(self, _request: AWSRequest) -> str:
        return UNSIGNED_PAYLOAD


def _code_of(answer: BaseHTTPResponse) -> str:
    """Return S3's word for an error; an answer without one is called by its status."""
    found = _ERROR_CODE.search(answer.data.decode("utf-8", "replace"))
    return found[1] if found else str(answer.status)
