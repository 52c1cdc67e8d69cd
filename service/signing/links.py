"""Signed texts that leave the service and come back: list cursors, links that need no key."""

import hashlib
import struct
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from itsdangerous import BadSignature, Signer, URLSafeSerializer, base64_decode, base64_encode

from service.errors import FieldError, InvalidRequest

#: A callback that names the link is tried for 3.2 days by the usual schedule.
SAMPLE_LIFETIME = timedelta(days=7)

_SIGNED: dict[str, Any] = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
#: Project, image, and when the link ends in seconds since 1970.
_SAMPLE = struct.Struct(">16s16sq")


class CursorSigner:
    """Keyset cursors: opaque to the caller, and bound to the list they came from."""

    def __init__(self, keys: Sequence[str]) -> None:
        # itsdangerous wants the oldest key first and signs with the last
        self._keys = list(reversed(keys))

    def write(self, listing: str, position: list[Any]) -> str:
        """Return a cursor for the row at `position` of a listing."""
        return self._serializer(listing).dumps(position)

    def read(self, listing: str, cursor: str, name: str = "cursor") -> list[Any]:
        """Return the position in a cursor, which came as the query's `name`.

        Raises:
            InvalidRequest: the cursor was not made by us for this listing.
        """
        try:
            position = self._serializer(listing).loads(cursor)
        except BadSignature as error:
            raise InvalidRequest(
                "The cursor is not valid.",
                [FieldError(f"/{name}", "use the `next` of the page before, unchanged")],
            ) from error
        return list(position)

    def _serializer(self, listing: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._keys, salt=f"darkroom.cursor.{listing}", signer_kwargs=_SIGNED
        )


class LinkSigner:
    """Tokens of links that open one thing without a key: a result, an image, a shared link.

    The first two name the project besides, so that what they open is read as that project's own.
    Keys newest first: the newest signs, all verify.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        oldest_first = list(reversed(keys))
        # no serializer: what it compresses begins with a dot, as files do that proxies hide
        self._results = Signer(oldest_first, "darkroom.flux-result.v1", **_SIGNED)
        self._samples = Signer(oldest_first, "darkroom.flux-sample.v1", **_SIGNED)
        self._shares = Signer(oldest_first, "darkroom.share.v1", **_SIGNED)

    def result_token(self, project_id: UUID, job_id: UUID) -> str:
        """Return the token of a job's `polling_url`: always the same, without an end."""
        return self._results.sign(base64_encode(project_id.bytes + job_id.bytes)).decode()

    def project_of_result(self, token: str, job_id: UUID) -> UUID | None:
        """Return the project of a job if the token is the one of its `polling_url`."""
        named = _opened(self._results, token)
        if named is None:
            return None
        project, job = UUID(bytes=named[:16]), UUID(bytes=named[16:])
        return project if job == job_id else None

    def sample_token(self, project_id: UUID, image_id: UUID, now: datetime) -> str:
        """Return a token that opens an image until SAMPLE_LIFETIME after `now` (aware)."""
        # no timestamp signer: it refuses what a host with a faster clock has signed
        ends_at = int((now + SAMPLE_LIFETIME).timestamp())
        named = _SAMPLE.pack(project_id.bytes, image_id.bytes, ends_at)
        return self._samples.sign(base64_encode(named)).decode()

    def sample(self, token: str, now: datetime) -> tuple[UUID, UUID] | None:
        """Return the project and image that a token opens; None if it is not ours or has ended."""
        named = _opened(self._samples, token)
        if named is None:
            return None
        project, image, ends_at = _SAMPLE.unpack(named)
        return (UUID(bytes=project), UUID(bytes=image)) if now.timestamp() < ends_at else None

    def share_token(self, share_id: UUID) -> str:
        """Return the token of a shared link: always the same; the link's row says how it stands."""
        return self._shares.sign(base64_encode(share_id.bytes)).decode()

    def share(self, token: str) -> UUID | None:
        """Return the shared link that a token names; None if it is not ours."""
        named = _opened(self._shares, token)
        return None if named is None else UUID(bytes=named)


def _opened(signer: Signer, token: str) -> bytes | None:
    """Return what a token holds if we have signed it, and it is written as we write it."""
    try:
        signed = signer.unsign(token)
    except BadSignature:
        return None
    # base64 has several texts for the same bytes; one of them is ours
    proof = token.rpartition(".")[2]
    if base64_encode(base64_decode(proof)).decode() != proof:
        return None
    return base64_decode(signed)
