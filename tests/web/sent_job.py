"""A job that waits for Flux's webhook."""

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from factories import attempt_id, enqueue

from service.keys import NewKey
from service.wiring import Wiring


@dataclass(frozen=True)
class Sent:
    """A job whose paid POST may be on the wire, and what Flux was told about it."""

    job_id: UUID
    token: str
    secret: str

    @property
    def path(self) -> str:
        return f"/webhooks/flux/{self.token}"

    def proof(self) -> dict[str, str]:
        return {"X-Webhook-Secret": self.secret}

    def signature(self, body: bytes) -> str:
        return hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()


def sent_job(wiring: Wiring, key: NewKey) -> Sent:
    """Commit the intent to pay for a job, as a worker does before it sends."""
    job_id = enqueue(wiring, key)
    wiring.submit.claim(10)
    signer, attempt = wiring.webhook_signer, attempt_id(wiring, job_id)
    return Sent(job_id, signer.token(attempt), signer.secret(attempt))
