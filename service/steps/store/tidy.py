"""Tidy: what this host's spool and the table say of each other agrees again, whoever was killed."""

from uuid import UUID

from sqlalchemy import ColumnElement, any_, delete, exists, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.types import Uuid

from service.clock import seconds
from service.constants import constant
from service.database import Database, Transaction
from service.logs import get_log
from service.models import SPOOL_PULSE, Pulse, jobs
from service.pulses import beat
from service.states import Status
from service.steps.store.bring import Spool

log = get_log(__name__)

#: A spool that nobody has tidied for so long does not come back; what it kept is lost.
FORGOTTEN_AFTER_SECONDS = 86_400.0
#: After a standstill of everything all spools look forgotten. Only who has been looking after its
#: own for so long, pauses no longer than a few tidyings, judges others: they had time to come back.
STEADY_SECONDS = 3600.0
PAUSE_SECONDS = 150.0
#: Of each spool: since when it has been looked after without a pause.
_STEADY = "steady:"


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
        adopted = _make_due(tx, _among(storing) & jobs.c.kept_by.is_(None), kept_by=spool.id)
        say_alive(tx, spool.id)
        if _is_steady(tx, spool.id):
            _forget_others(tx)
    for job_id in waiting:
        if status.get(job_id) is Status.SUCCEEDED:
            spool.drop(job_id)
        elif status.get(job_id) is Status.FAILED:
            spool.put_aside(job_id)
    unknown = len([job_id for job_id in waiting if job_id not in status])
    if adopted or unknown:
        log.warning("spool_tidied", adopted=adopted, of_no_known_job=unknown)


def say_alive(tx: Transaction, spool_id: str) -> None:
    """Note that a worker has this spool, now, and whether that is news."""
    no_pause = exists().where(
        Pulse.name == SPOOL_PULSE + spool_id, Pulse.at > func.now() - seconds(PAUSE_SECONDS)
    )
    now = {"at": func.now()}
    since = insert(Pulse).values(name=_STEADY + spool_id, **now)
    tx.execute(since.on_conflict_do_update(index_elements=["name"], set_=now, where=~no_pause))
    beat(tx, SPOOL_PULSE + spool_id)


def _states(tx: Transaction, job_ids: list[UUID]) -> dict[UUID, Status]:
    return {
        row.id: row.status
        for row in tx.rows(select(jobs.c.id, jobs.c.status).where(_among(job_ids)))
    }


def _among(job_ids: list[UUID]) -> ColumnElement[bool]:
    return jobs.c.id == any_(literal(job_ids, ARRAY(Uuid)))


def _is_steady(tx: Transaction, spool_id: str) -> bool:
    is_long = Pulse.at < func.now() - seconds(STEADY_SECONDS)
    return bool(tx.scalar(select(is_long).where(Pulse.name == _STEADY + spool_id)))


def _forget_others(tx: Transaction) -> None:
    """What spools kept that are gone for good is tried, and lost, like what nobody keeps."""
    lately = Pulse.at > func.now() - seconds(FORGOTTEN_AFTER_SECONDS)
    is_there = exists().where(Pulse.name == SPOOL_PULSE + jobs.c.kept_by, lately)
    forgotten = _make_due(tx, jobs.c.kept_by.is_not(None) & ~is_there, kept_by=None)
    if forgotten:
        log.error("spools_forgotten", results=forgotten)
    old = (
        select(Pulse.name)
        .where(Pulse.name.startswith(SPOOL_PULSE), ~lately)
        .order_by(Pulse.name)
        .with_for_update(skip_locked=True)
        .cte()
    )
    tx.execute(delete(Pulse).where(Pulse.name.in_(select(old.c.name))))


def _make_due(tx: Transaction, condition: ColumnElement[bool], *, kept_by: str | None) -> int:
    """Say who keeps the results of storing jobs; return of how many."""
    changed = (
        select(jobs.c.id)
        .where(jobs.c.status == constant(Status.STORING), condition)
        # in the order of all, and past who is moving one right now: the next tidying comes soon
        .order_by(jobs.c.id)
        .with_for_update(skip_locked=True)
        .cte()
    )
    return tx.execute(
        update(jobs)
        .where(jobs.c.id.in_(select(changed.c.id)))
        .values(kept_by=kept_by, due_at=func.now())
    )
