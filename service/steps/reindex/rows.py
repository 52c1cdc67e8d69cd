"""A sidecar's rows, added or brought forward."""

from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from service.database import Transaction
from service.ids import new_id
from service.models import JobEvent, Project, images, jobs
from service.signing.callback import new_callback_secret
from service.states import Status
from service.steps.reindex.sidecar import Sidecar
from service.timeline import event_type


def add_rows(tx: Transaction, sidecar: Sidecar, place: dict[str, Any]) -> bool:
    """Add what is missing; False if the image was added meanwhile.

    `place` holds the columns that say where the image is.
    """
    project_id = _project(tx, sidecar.project)
    columns = sidecar.job_columns()
    taken = select(jobs.c.id).where(
        jobs.c.project_id == project_id,
        jobs.c.idempotency_key == sidecar.idempotency_key,
        jobs.c.id != sidecar.job_id,
    )
    # a caller who repeated the request before this ran has a second job under the key
    key = None if tx.first(taken) else sidecar.idempotency_key
    new = upsert(jobs).values(
        **columns,
        id=sidecar.job_id,
        project_id=project_id,
        idempotency_key=key,
        event_seq=max(event.seq for event in sidecar.events),
    )
    is_new = new.on_conflict_do_nothing(index_elements=["id"]).returning(jobs.c.id)
    if tx.scalar(is_new) is not None:
        lines = [{"job_id": sidecar.job_id, **event.model_dump()} for event in sidecar.events]
        tx.execute(insert(JobEvent).values(lines))
    else:
        _bring_forward(tx, sidecar.job_id, columns)
    row = upsert(images).values(**sidecar.image_columns(), **place, project_id=project_id)
    return tx.scalar(row.on_conflict_do_nothing().returning(images.c.id)) is not None


def _project(tx: Transaction, name: str) -> UUID:
    new = upsert(Project).values(id=new_id(), name=name, callback_secrets=[new_callback_secret()])
    tx.execute(new.on_conflict_do_nothing(index_elements=["name"]))
    found: UUID = tx.scalar(select(Project.id).where(Project.name == name))
    return found


def _bring_forward(tx: Transaction, job_id: UUID, columns: dict[str, Any]) -> None:
    """End a job that the database holds in an earlier state than the bucket proves.

    No move of `service.moves`: that one was made, and lost; and no callback is owed for it twice.
    """
    older = update(jobs).where(jobs.c.id == job_id, jobs.c.status != Status.SUCCEEDED)
    seq = tx.scalar(
        older.values(**columns, event_seq=jobs.c.event_seq + 1).returning(jobs.c.event_seq)
    )
    if seq is not None:
        tx.execute(
            insert(JobEvent).values(
                job_id=job_id,
                seq=seq,
                type=event_type(Status.SUCCEEDED),
                message="The image was found in the bucket",
                detail={},
            )
        )
