"""S3: images go in with a checksum that S3 confirms, and come out by presigned URL."""

import base64
import hashlib
import io
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from service.clients.s3_sender import S3Sender
from service.errors import ObjectRefused, StorageUnavailable
from service.pictures import Spooled

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONNECT_SECONDS = 3.0
#: Of the check, to connect and to read: whoever asks whether S3 is there wants to know soon.
_CHECK_SECONDS = 1.2
#: Of the probe, likewise: a far or a busy S3 may take longer than the check waits, but not this.
_PROBE_SECONDS = 2.5
_PROBE = b"Darkroom tries whether S3 takes bytes.\n"
_CACHE_CONTROL = "private, max-age=31536000, immutable"
_CONNECTIONS = 32
_CHECKSUM = "x-amz-checksum-sha256"
#: S3 did not answer, or could not be asked.
_NO_ANSWER = (BotoCoreError, HTTPError)
#: Errors of S3's that say nothing about the bucket (S3 API reference, list of error codes).
_ABOUT_THE_OBJECT = frozenset(
    {
        "BadDigest",
        "EntityTooLarge",
        "InvalidDigest",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)


class ObjectStore:
    """One bucket. boto3 reads endpoint, region and keys from its own environment variables."""

    def __init__(self, bucket: str, *, timeout_seconds: float) -> None:
        """Prepare a client; nothing is sent before the first request.

        S3 may be silent for `timeout_seconds` in the middle of a request, and take up to three of
        them to accept a connection.
        """
        self.bucket = bucket
        self._timeout_seconds = timeout_seconds
        self._session = boto3.session.Session()
        self._client = self._connect(timeout_seconds)
        self._endpoint = self._client.meta.endpoint_url.rstrip("/")

    def _connect(self, timeout_seconds: float) -> "S3Client":
        return self._session.client(
            "s3",
            region_name=self._session.region_name or "us-east-1",
            config=Config(
                # presigned URLs of custom endpoints are SigV2 without this, and refused
                signature_version="s3v4",
                # every body goes with its SHA-256 in a header that is signed; signing the body as
                # well would read it once more, in pieces that stay in the heap of each thread
                s3={"addressing_style": "path", "payload_signing_enabled": False},
                connect_timeout=min(_CONNECT_SECONDS, timeout_seconds),
                read_timeout=timeout_seconds,
                max_pool_connections=_CONNECTIONS,
                # our own schedule retries; a second try in here would outlive the lease
                retries={"total_max_attempts": 1},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    @cached_property
    def _quick_client(self) -> "S3Client":
        return self._connect(_CHECK_SECONDS)

    @cached_property
    def _probing_client(self) -> "S3Client":
        return self._connect(_PROBE_SECONDS)

    def put_file(
        self, key: str, spooled: Spooled, content_type: str, metadata: dict[str, str]
    ) -> None:
        """Store a file; returns when S3 has confirmed its SHA-256.

        Raises:
            StorageUnavailable: as for `put`.
        """
        with spooled.open() as file:
            self.put(
                key,
                file,
                size_bytes=spooled.size_bytes,
                sha256=spooled.sha256,
                content_type=content_type,
                metadata=metadata,
            )

    def put(
        self,
        key: str,
        body: BinaryIO,
        *,
        size_bytes: int,
        sha256: str,
        content_type: str,
        metadata: dict[str, str],
    ) -> None:
        """Store an object; returns when S3 has confirmed its SHA-256.

        Raises:
            ObjectRefused: S3 takes others, but not this one.
            StorageUnavailable: S3 did not confirm; the object may be there all the same, and
                putting it again is harmless.
        """
        checksum = _in_base64(bytes.fromhex(sha256))
        headers = {
            "Content-Length": str(size_bytes),
            "Content-Type": content_type,
            "Cache-Control": _CACHE_CONTROL,
            _CHECKSUM: checksum,
            **{f"x-amz-meta-{name}": value for name, value in metadata.items()},
        }
        try:
            answer = self._send("PUT", self.bucket, key, headers=headers, body=body)
            confirmed = answer.headers.get(_CHECKSUM) or self._head_checksum(key, size_bytes)
        except ClientError as error:
            kind = ObjectRefused if _code(error) in _ABOUT_THE_OBJECT else StorageUnavailable
            raise kind(_reason("put", error)) from error
        except _NO_ANSWER as error:
            raise StorageUnavailable(_reason("put", error)) from error
        if confirmed != checksum:
            raise StorageUnavailable("S3 does not show the checksum that was sent")

    def put_bytes(self, key: str, body: bytes, content_type: str) -> None:
        """Store a small derived object.

        Raises:
            StorageUnavailable: as for `put`.
        """
        self.put(
            key,
            io.BytesIO(body),
            size_bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            content_type=content_type,
            metadata={},
        )

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object's bytes.

        Raises:
            FileNotFoundError: there is no such object.
            StorageUnavailable: S3 did not answer.
        """
        try:
            return self._send("GET", bucket, key).data
        except ClientError as error:
            if _code(error) in {"NoSuchKey", "404", "NoSuchBucket"}:
                raise FileNotFoundError(key) from error
            raise StorageUnavailable(_reason("get", error)) from error
        except _NO_ANSWER as error:
            raise StorageUnavailable(_reason("get", error)) from error

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; one that is not there is removed already.

        Raises:
            StorageUnavailable: S3 did not confirm.
        """
        try:
            self._client.delete_object(Bucket=bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailable(_reason("delete", error)) from error

    def listing(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the keys under a prefix in byte order, with their sizes in bytes; a page at a time.

        Raises:
            StorageUnavailable: S3 did not answer.
        """
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for listed in page.get("Contents", []):
                    yield listed["Key"], listed["Size"]
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailable(_reason("list", error)) from error

    def presign(self, bucket: str, key: str, lifetime_seconds: int) -> str:
        """Return a URL that opens an object without a key; signed here, nothing is sent.

        botocore's own signer, without the client's machinery around it: a page of 200 images costs
        milliseconds instead of tenths of a second.
        """
        request = AWSRequest("GET", self._url(bucket, key))
        region = self._client.meta.region_name
        signer = S3SigV4QueryAuth(self._credentials, "s3", region, expires=lifetime_seconds)
        signer.add_auth(request)
        return str(request.url)

    @property
    def origin(self) -> str:
        """Scheme, host and port that presigned URLs lead to."""
        scheme, _, rest = self._endpoint.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    def check(self) -> None:
        """Ask S3 whether the bucket is there; under three seconds, whatever the answer.

        Raises:
            StorageUnavailable: it is not, or S3 does not answer.
        """
        try:
            self._quick_client.head_bucket(Bucket=self.bucket)
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailable(_reason("head", error)) from error

    def probe(self, key: str) -> None:
        """Store a small object of no worth; under six seconds, whatever the answer.

        Raises:
            StorageUnavailable: S3 does not take it, or does not say so.
        """
        try:
            self._probing_client.put_object(Bucket=self.bucket, Key=key, Body=_PROBE)
        except (BotoCoreError, ClientError) as error:
            raise StorageUnavailable(_reason("put", error)) from error

    def _send(self, method: str, bucket: str, key: str, **said: Any) -> BaseHTTPResponse:  # noqa: ANN401 - the sender's own
        return self._sender.send(
            method,
            self._url(bucket, key),
            credentials=self._credentials,
            region=self._client.meta.region_name,
            **said,
        )

    def _url(self, bucket: str, key: str) -> str:
        return f"{self._endpoint}/{quote(bucket)}/{quote(key)}"

    @property
    def _credentials(self) -> Any:  # noqa: ANN401 - botocore has no types
        found = self._session.get_credentials()
        if found is None:
            raise StorageUnavailable("S3: no credentials")
        return found

    @cached_property
    def _sender(self) -> S3Sender:
        return S3Sender(
            self._endpoint,
            ca_bundle=self._session._session.get_config_variable("ca_bundle"),  # noqa: SLF001 - boto3 does not tell
            connect_seconds=min(_CONNECT_SECONDS, self._timeout_seconds),
            read_seconds=self._timeout_seconds,
            connections=_CONNECTIONS,
        )

    def _head_checksum(self, key: str, size_bytes: int) -> str | None:
        """Ask for the checksum where the answer to the PUT gave none; the size must fit as well."""
        head = self._client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        return head.get("ChecksumSHA256") if head["ContentLength"] == size_bytes else None


def _in_base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "refused")


def _reason(verb: str, error: Exception) -> str:
    """Name the fault; botocore's own texts may hold addresses and request headers."""
    if isinstance(error, ClientError):
        return f"S3 {verb}: {_code(error)}"
    return f"S3 {verb}: {type(error).__name__}"
