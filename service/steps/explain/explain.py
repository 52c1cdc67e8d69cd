"""Explain: what a job's page needs to know besides the job itself. Nothing here changes a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, select

from service import gate
from service.database import Database
from service.models import Attempt, jobs
from service.states import Status
from service.steps.explain.line import Line, line_of

#: Of a job's attempts and other tries, the newest.
MAX_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a job."""

    #: Its paid POSTs, oldest first.
    attempts: Sequence[Row[Any]]
    #: Jobs that are another try of it, newest first.
    retried_as: list[UUID]
    #: Why it waits; None unless it is queued.
    line: Line | None


@dataclass(frozen=True)
class Explain:
    """Reads by index only, and no more than some thousand rows however long the queue is."""

    database: Database
    #: Tasks that each provider may hold of us, in all and of the models with slots of their own.
    limits: gate.Slots
    probes: gate.Probes

    def read(self, job: Row[Any]) -> Told:
        """Return what is known of a job whose row its own project has read."""
        mine = {"of_job": job.id, "of_project": job.project_id}
        with self.database.transaction() as tx:
            return Told(
                attempts=tx.rows(_ATTEMPTS, mine)[::-1],
                retried_as=[row.id for row in tx.rows(_RETRIES, mine)],
                line=line_of(tx, job, self.limits, self.probes)
                if job.status is Status.QUEUED
                else None,
            )


_ATTEMPTS = (
    select(*Attempt.__table__.c)
    .where(Attempt.job_id == bindparam("of_job"))
    .order_by(Attempt.number.desc())
    .limit(MAX_SHOWN)
)
_RETRIES = (
    select(jobs.c.id)
    .where(jobs.c.retry_of == bindparam("of_job"), jobs.c.project_id == bindparam("of_project"))
    .order_by(jobs.c.id.desc())
    .limit(MAX_SHOWN)
)
