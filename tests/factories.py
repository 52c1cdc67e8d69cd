"""Rows in any state, made by the product's own steps wherever a step makes them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, select, update

from service.ids import Kind, public_id, read_id
from service.keys import NewKey
from service.lanes import Step
from service.models import Attempt, Delivery, Gate, JobEvent, Project, jobs
from service.steps.deliver import Run, Try
from service.steps.enqueue import JobRequest
from service.upstream import Accepted, Ready
from service.wiring import Wiring

#: The fixture that makes a wiring with some settings changed.
Rewire = Callable[..., Wiring]

PROMPT = "a lighthouse at dusk"


def project_id(wiring: Wiring, key: NewKey) -> UUID:
    """Return the id of a key's project."""
    with wiring.database.transaction() as tx:
        found: UUID = tx.scalar(select(Project.id).where(Project.name == key.project))
    return found


def enqueue(wiring: Wiring, key: NewKey, **overrides: Any) -> UUID:  # noqa: ANN401
    """Enqueue a job and return its id."""
    wanted: dict[str, Any] = {
        "model": "flux-2-pro",
        "input": {"prompt": PROMPT, "width": 256, "height": 256},
        "sha256": hashlib.sha256(uuid4().bytes).digest(),
        **overrides,
    }
    found: UUID = wiring.enqueue.accept(project_id(wiring, key), JobRequest(**wanted)).row.id
    return found


def upload(wiring: Wiring, key: NewKey, content: bytes) -> str:
    """Upload a picture and return its public id."""

    def receive(sink: Callable[[bytes], object]) -> str:
        sink(content)
        return hashlib.sha256(content).hexdigest()

    return public_id(Kind.UPLOAD, wiring.upload.take(project_id(wiring, key), receive).id)


def run(step: Step[Any, Any], limit: int = 10) -> list[Any]:
    """Do one claim, act and record of a lane's step; return the outcomes."""
    ended = [(claim, step.act(claim)) for claim in step.claim(limit)]
    if ended:
        step.record(ended)
    return [outcome for _, outcome in ended]


def all_came_to(wiring: Wiring, one: Try) -> list[Run]:
    """Have the same come of everything that is owed to callers and due."""
    claimed = wiring.deliver.claim(100)
    wiring.deliver.record([(run, [one] * len(run.owed)) for run in claimed])
    return claimed


def job(wiring: Wiring, job_id: UUID) -> Row[Any]:
    """Return a job's row."""
    with wiring.database.transaction() as tx:
        row: Row[Any] = tx.first(select(*jobs.c).where(jobs.c.id == job_id))
    return row


def events(wiring: Wiring, job_id: UUID) -> list[str]:
    """Return the types of a job's events in order."""
    with wiring.database.transaction() as tx:
        rows = tx.rows(
            select(JobEvent.type).where(JobEvent.job_id == job_id).order_by(JobEvent.seq)
        )
    return [row.type for row in rows]


def due_now(wiring: Wiring, job_id: UUID) -> None:
    """Let a job's waiting time pass, by so much that no sweep puts it off again."""
    past = datetime.now(UTC) - timedelta(hours=1)
    with wiring.database.transaction() as tx:
        tx.execute(update(jobs).where(jobs.c.id == job_id).values(due_at=past))


def attempt_id(wiring: Wiring, job_id: UUID) -> UUID:
    """Return the id of a job's newest attempt."""
    with wiring.database.transaction() as tx:
        found: UUID = tx.scalar(
            select(Attempt.id).where(Attempt.job_id == job_id).order_by(Attempt.number.desc())
        )
    return found


def attempts(wiring: Wiring, job_id: UUID) -> list[Row[Any]]:
    """Return a job's attempts, oldest first."""
    with wiring.database.transaction() as tx:
        return tx.rows(
            select(*Attempt.__table__.c).where(Attempt.job_id == job_id).order_by(Attempt.number)
        )


def deliveries(wiring: Wiring, job_id: UUID) -> list[Row[Any]]:
    """Return the callbacks owed for a job, oldest first."""
    with wiring.database.transaction() as tx:
        return tx.rows(
            select(*Delivery.__table__.c).where(Delivery.job_id == job_id).order_by(Delivery.seq)
        )


def gate_row(wiring: Wiring) -> Row[Any]:
    """Return the row of the account's gate."""
    with wiring.database.transaction() as tx:
        row: Row[Any] = tx.first(select(*Gate.__table__.c).where(Gate.pool == ""))
    return row


def put(wiring: Wiring, job_id: UUID, **columns: Any) -> None:  # noqa: ANN401
    """Set columns of a job's row as no step would."""
    with wiring.database.transaction() as tx:
        tx.execute(update(jobs).where(jobs.c.id == job_id).values(columns))


def ago(seconds: float) -> datetime:
    """Return a moment in the past."""
    return datetime.now(UTC) - timedelta(seconds=seconds)


@dataclass(frozen=True)
class SignedWebhook:
    """A webhook as Flux would send it for an attempt of ours."""

    token: str
    body: bytes
    secrets: list[str]
    signatures: list[str]


def webhook(wiring: Wiring, job_id: UUID, **content: Any) -> SignedWebhook:  # noqa: ANN401
    """Return a genuine webhook for a job's newest attempt; its URL leads nowhere by default."""
    attempt = attempt_id(wiring, job_id)
    body = {
        "id": "task-1",
        "status": "Ready",
        "result": {"sample": "http://127.0.0.1:9/sample.jpeg", "seed": 7},
        **content,
    }
    signer = wiring.webhook_signer
    return SignedWebhook(
        signer.token(attempt), json.dumps(body).encode(), [signer.secret(attempt)], []
    )


def hear(wiring: Wiring, sent: SignedWebhook) -> None:
    """Give the receiver's step a webhook."""
    wiring.receive.hear(sent.token, sent.body, sent.secrets, sent.signatures)


def known_job(document: dict[str, Any]) -> UUID:
    """Return the UUID of a job document."""
    found = read_id(Kind.JOB, document["id"])
    assert found is not None
    return found


#: An upstream's yes, for steps that are given outcomes directly.
ACCEPTED = Accepted(task_id="task-1", polling_url=None, cost=None)
READY = Ready(url="http://127.0.0.1:9/sample.jpeg", expires_at=None, facts={"seed": 7})


def storing(wiring: Wiring, key: NewKey, url: str, **columns: Any) -> UUID:  # noqa: ANN401
    """Return a job whose result waits at a URL."""
    job_id = enqueue(wiring, key, callback_url="http://127.0.0.1:9/hook")
    (intent,) = wiring.submit.claim(1)
    wiring.submit.record([(intent, ACCEPTED)])
    hear(wiring, webhook(wiring, job_id, result={"sample": url, "seed": 7}))
    if columns:
        put(wiring, job_id, **columns)
    return job_id


def try_to_store(wiring: Wiring, job_id: UUID, times: int = 1) -> None:
    """Let the store lane try a job's result so often, whenever it is due."""
    for _ in range(times):
        due_now(wiring, job_id)
        run(wiring.store)
