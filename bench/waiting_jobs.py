"""Jobs put into the tables in the middle of their way: more than an account's slots would allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from load import connected
from outside import Outside
from pipelines.running import Running

from service.ids import new_id
from service.signing.flux_webhook import FluxWebhookSigner

#: How long nobody asks upstream about them.
_ASK_AFTER = "interval '1 hour'"


@dataclass(frozen=True, slots=True)
class Awaited:
    """A task whose webhook has not come yet."""

    number: int
    task_id: str
    webhook_url: str
    webhook_secret: str


def add_generating(outside: Outside, ran: Running, numbers: Sequence[int]) -> list[Awaited]:
    """Add jobs that upstream works on; return what it needs for their webhooks."""
    signer = FluxWebhookSigner([ran.environment["SECRET_KEY"]])
    attempts = _add(outside, ran, numbers, _GENERATING)
    address = f"{ran.environment['PUBLIC_URL']}/webhooks/flux"
    return [
        Awaited(
            number, _task_id(number), f"{address}/{signer.token(attempt)}", signer.secret(attempt)
        )
        for number, attempt in attempts.items()
    ]


def add_storing(outside: Outside, ran: Running, numbers: Sequence[int]) -> None:
    """Add jobs whose results wait to be stored; the worker finds them when it looks next."""
    _add(outside, ran, numbers, _STORING)


def _add(
    outside: Outside, ran: Running, numbers: Sequence[int], columns: Mapping[str, str]
) -> dict[int, UUID]:
    attempts = {number: new_id() for number in numbers}
    values = {
        "jobs": [new_id() for _ in numbers],
        "attempts": list(attempts.values()),
        "numbers": list(numbers),
        "tasks": [_task_id(number) for number in numbers],
        "outside": outside.url,
    }
    insert = _JOBS.format(columns=", ".join(columns), values=", ".join(columns.values()))
    with connected(ran.environment["DATABASE_URL"]) as connection, connection.transaction():
        connection.execute(insert.encode(), values)
        connection.execute(_ATTEMPTS, values)
    return attempts


def _task_id(number: int) -> str:
    return f"task-{number}-1"


_GENERATING = {"status": "'generating'", "due_at": f"now() + {_ASK_AFTER}"}
_STORING = {
    "status": "'storing'",
    "due_at": "now()",
    "generated_at": "now()",
    "heard_by": "'webhook'",
    "result": """'{"seed": 7}'""",
    "result_url": "%(outside)s || '/images/' || task || '.png'",
    "result_expires_at": "now() + interval '10 minutes'",
}
_JOBS = """
    INSERT INTO jobs (id, project_id, event_seq, model, input, metadata, priority, request_sha256,
        callback_url, callback_events, submitted_at, provider, attempt_count, task_id, polling_url,
        {columns})
    SELECT one.id, projects.id, 3, 'flux-2-pro',
        jsonb_build_object('prompt', 'number ' || number, 'width', 1024, 'height', 768),
        '{{}}', 1, sha256(number::text::bytea), %(outside)s || '/callbacks/' || number,
        '{{job.succeeded,job.failed}}', now(), 'simulator', 1, task,
        %(outside)s || '/v1/get_result?id=' || task,
        {values}
    FROM unnest(%(jobs)s::uuid[], %(numbers)s::int[], %(tasks)s::text[]) one (id, number, task),
        projects
"""
_ATTEMPTS = b"""
    INSERT INTO attempts (id, job_id, number, provider, ended_at, outcome, task_id, http_status)
    SELECT attempt, job, 1, 'simulator', now(), 'accepted', task, 200
    FROM unnest(%(attempts)s::uuid[], %(jobs)s::uuid[], %(tasks)s::text[]) one (attempt, job, task)
"""
