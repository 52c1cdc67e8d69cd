"""Proves that who answers at PUBLIC_URL is a web process of this deployment.

A maintenance page, a cache and another deployment answer 200 as well, and take no webhooks of ours.
"""

import hashlib
import re
from collections.abc import Sequence

from itsdangerous import Signer

_CHALLENGE = re.compile(r"[0-9a-f]{32}", re.ASCII)


class PresenceSigner:
    """Answers challenges, and judges answers; with any of the keys, newest first."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._signers = [
            Signer(key, "darkroom.presence.v1", digest_method=hashlib.sha256, key_derivation="hmac")
            for key in keys
        ]

    def proofs(self, challenge: str) -> list[str]:
        """Return an answer per key, so that any that two processes share will do.

        What is not 32 lowercase hex digits gets none.
        """
        if not _CHALLENGE.fullmatch(challenge):
            return []
        return [signer.get_signature(challenge).decode() for signer in self._signers]

    def is_ours(self, challenge: str, proofs: object) -> bool:
        """Return whether one of the answers, of any JSON type, was made with a key of ours."""
        given = proofs if isinstance(proofs, list) else []
        return any(
            signer.verify_signature(challenge, proof)
            for signer in self._signers
            for proof in given
            if isinstance(proof, str)
        )
