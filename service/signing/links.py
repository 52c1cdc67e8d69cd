"""Signed texts that leave the service and come back: list cursors."""

import hashlib
from collections.abc import Sequence
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from service.errors import FieldError, InvalidRequest


class CursorSigner:
    """Keyset cursors: opaque to the caller, and bound to the list they came from."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(reversed(keys))

    def write(self, listing: str, position: list[Any]) -> str:
        """Return a cursor for the row at `position` of a listing."""
        return self._serializer(listing).dumps(position)

    def read(self, listing: str, cursor: str) -> list[Any]:
        """Return the position in a cursor.

        Raises:
            InvalidRequest: the cursor was not made by us for this listing.
        """
        try:
            position = self._serializer(listing).loads(cursor)
        except BadSignature as error:
            raise InvalidRequest(
                "The cursor is not valid.",
                [FieldError("/cursor", "use the `next` of the page before, unchanged")],
            ) from error
        return list(position)

    def _serializer(self, listing: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._keys,
            salt=f"darkroom.cursor.{listing}",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )
