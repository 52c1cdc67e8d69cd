"""Tidy: what this host's spool and the table say of each other agrees again, whoever was killed."""

from uuid import UUID

from sqlalchemy import ColumnElement, any_, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import Uuid

from service.clock import seconds
from service.database import Database, Transaction
from service.logs import get_log
from service.models import SPOOL_PULSE, Pulse, jobs
from service.states import Status
from service.steps.store.bring import Spool

log = get_log(__name__)

#: A spool that nobody has tidied for so long does not come back; what it kept is lost.
FORGOTTEN_AFTER_SECONDS = 86_400.0


def tidy(database: Database, spool: Spool) -> None:
    """Forget what S3 has, claim what nobody else knows to be here, and say that this spool lives.

    Results of jobs that the table does not know, or knows in an earlier state, stay: it may have
    been restored from a backup.
    """
    waiting = spool.waiting()
    with database.transaction() as tx:
        status = _states(tx, waiting)
        storing = [job_id for job_id in waiting if status.get(job_id) is Status.STORING]
        # kept by somebody who was killed before saying so
        found = (
            update(jobs)
            .where(_among(storing), jobs.c.status == Status.STORING, jobs.c.kept_by.is_(None))
            .values(kept_by=spool.id, due_at=func.now())
        )
        adopted = tx.execute(found)
        _forget_others(tx)
        say_alive(tx, spool.id)
    for job_id in waiting:
        if status.get(job_id) is Status.SUCCEEDED:
            spool.drop(job_id)
        elif status.get(job_id) is Status.FAILED:
            spool.put_aside(job_id)
    unknown = len([job_id for job_id in waiting if job_id not in status])
    if adopted or unknown:
        log.warning("spool_tidied", adopted=adopted, of_no_known_job=unknown)


def say_alive(tx: Transaction, spool_id: str) -> None:
    """Note that a worker has this spool, now."""
    now = {"at": func.clock_timestamp()}
    pulse = insert(Pulse).values(name=f"{SPOOL_PULSE}{spool_id}", **now)
    tx.execute(pulse.on_conflict_do_update(index_elements=["name"], set_=now))


def _states(tx: Transaction, job_ids: list[UUID]) -> dict[UUID, Status]:
    return {
        row.id: row.status
        for row in tx.rows(select(jobs.c.id, jobs.c.status).where(_among(job_ids)))
    }


def _among(job_ids: list[UUID]) -> ColumnElement[bool]:
    return jobs.c.id == any_(literal(job_ids, ARRAY(Uuid)))


def _forget_others(tx: Transaction) -> None:
    """What spools kept that are gone for good is tried, and lost, like what nobody keeps."""
    gone = (
        delete(Pulse)
        .where(
            Pulse.name.startswith(SPOOL_PULSE),
            Pulse.at < func.now() - seconds(FORGOTTEN_AFTER_SECONDS),
        )
        .returning(Pulse.name)
    )
    names = [row.name.removeprefix(SPOOL_PULSE) for row in tx.rows(gone)]
    if names:
        log.error("spools_forgotten", spools=names)
        kept = update(jobs).where(jobs.c.status == Status.STORING, jobs.c.kept_by.in_(names))
        tx.execute(kept.values(kept_by=None, due_at=func.now()))
