"""How Flux's webhook finds its job and proves itself.

The webhook URL carries a token that names the attempt, so that a webhook finds its job even when
the answer to the paid POST was lost. The token identifies; the secret authorises. The secret is
derived per attempt from SECRET_KEY and never stored: a leaked one opens one attempt, and a genuine
webhook of job A proves nothing on the URL of job B.

Sources disagree about the proof: BFL's SDK (2026) says `X-Webhook-Secret` is the secret verbatim,
BFL's skills repository (2026-02) says `X-BFL-Signature: sha256=<hex HMAC-SHA256 of the body>`.
Either is accepted, at least one is needed, and any that is present must hold.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer

from service.errors import RejectedWebhook

#: Largest webhook body that is read, bytes; recorded bodies are under 2 KiB.
MAX_BODY_BYTES = 64 * 1024

_SALT = "darkroom.flux-webhook.v1"
_SIGNATURE = re.compile(rb"sha256=([0-9a-f]{64})", re.ASCII)


class FluxWebhookSigner:
    """Makes and reads tokens and secrets; keys newest first, the newest signs, all verify."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]
        # itsdangerous wants the oldest key first and signs with the last
        self._serializer = URLSafeSerializer(
            list(reversed(keys)),
            salt=_SALT,
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    def token(self, attempt_id: UUID) -> str:
        """Return the path segment that names an attempt."""
        return self._serializer.dumps(attempt_id.hex)

    def secret(self, attempt_id: UUID) -> str:
        """Return the attempt's `webhook_secret`: printable, 64 characters."""
        return _derive(self._keys[0], attempt_id)

    def attempt_of(self, token: str) -> UUID:
        """Return the attempt a token names.

        Raises:
            RejectedWebhook: the token is not one of ours.
        """
        try:
            return UUID(hex=self._serializer.loads(token))
        except (BadSignature, ValueError, TypeError, AttributeError) as error:
            raise RejectedWebhook("unknown token") from error

    def verify(
        self, attempt_id: UUID, body: bytes, secrets: Sequence[str], signatures: Sequence[str]
    ) -> None:
        """Check the proofs of a webhook: every value of both headers, as they came.

        Raises:
            RejectedWebhook: no proof, a doubled header, or a proof that does not hold.
        """
        if not secrets and not signatures:
            raise RejectedWebhook("no proof")
        if len(secrets) > 1 or len(signatures) > 1:
            raise RejectedWebhook("doubled header")
        known = [_derive(key, attempt_id).encode() for key in self._keys]
        if secrets and not _holds_secret(known, secrets[0]):
            raise RejectedWebhook("wrong secret")
        if signatures and not _holds_signature(known, body, signatures[0]):
            raise RejectedWebhook("wrong signature")


def _derive(key: bytes, attempt_id: UUID) -> str:
    return hmac.new(key, b"flux-webhook-secret|" + attempt_id.bytes, hashlib.sha256).hexdigest()


def _holds_secret(known: Sequence[bytes], said: str) -> bool:
    given = said.encode("utf-8", "surrogatepass")
    return any(hmac.compare_digest(secret, given) for secret in known)


def _holds_signature(known: Sequence[bytes], body: bytes, said: str) -> bool:
    match = _SIGNATURE.fullmatch(said.encode("utf-8", "surrogatepass"))
    if match is None:
        return False
    expected = [hmac.new(secret, body, hashlib.sha256).hexdigest().encode() for secret in known]
    return any(hmac.compare_digest(value, match[1]) for value in expected)
