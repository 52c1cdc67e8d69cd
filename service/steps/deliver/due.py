"""Whose turn it is: the longest waiting first, and no host more places than it may have.

A host is an origin (scheme, name, port) of one project: what one caller's address does is no other
caller's matter. One that has been failing for long is tried one call at a time, now and then.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    Float,
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    column,
    func,
    literal,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from service.clock import seconds
from service.models import CallbackHost, Delivery, DeliveryStatus, Project, jobs

Host = tuple[UUID, str]

_PENDING = Delivery.status == DeliveryStatus.PENDING


def asked(
    limit: int, lease_seconds: float, places_per_host: int, busy: Mapping[Host, int]
) -> Mapping[str, object]:
    """Return the parameters of `CLAIM`; `busy` are places taken here already."""
    return {
        "most": limit,
        "lease_seconds": lease_seconds,
        "places_per_host": places_per_host,
        "busy_projects": [project_id for project_id, _ in busy],
        "busy_origins": [origin for _, origin in busy],
        "busy_places": [*busy.values()],
    }


def _hosts() -> CTE:
    """Select each host that anything is owed to, one step through the index for each."""
    host = (Delivery.project_id, Delivery.origin)
    first = select(*host).where(_PENDING).order_by(*host).limit(1).subquery()
    hosts = select(first).cte("hosts", recursive=True)
    following = (
        select(*host)
        .where(_PENDING, tuple_(*host) > tuple_(hosts.c.project_id, hosts.c.origin))
        .order_by(*host)
        .limit(1)
        .lateral()
    )
    return hosts.union_all(select(following).select_from(hosts).join(following, true()))


def _places(hosts: CTE) -> Any:  # noqa: ANN401 - a Subquery
    """Select how many calls may be begun to each host."""
    busy = (
        func.unnest(
            bindparam("busy_projects", type_=ARRAY(Uuid)),
            bindparam("busy_origins", type_=ARRAY(Text)),
            bindparam("busy_places", type_=ARRAY(Integer)),
        )
        .table_valued(
            column("project_id", Uuid),
            column("origin", Text),
            column("places", Integer),
            name="busy",
        )
        .render_derived()
    )
    # a host that is unwell is tried once at a time, by whoever comes first
    whole = case(
        (CallbackHost.probe_at.is_(None), bindparam("places_per_host", type_=Integer)),
        (CallbackHost.probe_at <= func.now(), 1),
        else_=0,
    )
    places = whole - func.coalesce(busy.c.places, 0)
    same = and_(
        CallbackHost.project_id == hosts.c.project_id, CallbackHost.origin == hosts.c.origin
    )
    mine = and_(busy.c.project_id == hosts.c.project_id, busy.c.origin == hosts.c.origin)
    return (
        select(
            hosts.c.project_id,
            hosts.c.origin,
            func.greatest(places, literal(0, Integer)).label("places"),
        )
        .select_from(hosts)
        .outerjoin(CallbackHost, same)
        .outerjoin(busy, mine)
        .subquery("open")
    )


def _due() -> CTE:
    places = _places(_hosts())
    waiting = (
        select(Delivery.id, Delivery.due_at)
        .where(
            _PENDING,
            Delivery.project_id == places.c.project_id,
            Delivery.origin == places.c.origin,
            Delivery.due_at <= func.now(),
        )
        .order_by(Delivery.due_at)
        .limit(places.c.places)
        .lateral()
    )
    queue = (
        select(waiting.c.id)
        .select_from(places)
        .join(waiting, true())
        .order_by(waiting.c.due_at)
        .limit(bindparam("most", type_=Integer))
    )
    return (
        select(Delivery.id)
        .where(Delivery.id.in_(queue), _PENDING, Delivery.due_at <= func.now())
        .with_for_update(skip_locked=True)
        .cte("due")
    )


#: Takes what is due for as long as a try may take; its parameters are those of `asked`.
CLAIM = (
    update(Delivery)
    .where(
        Delivery.id.in_(select(_due().c.id)),
        Delivery.project_id == Project.id,
        Delivery.job_id == jobs.c.id,
    )
    .values(due_at=func.now() + seconds(bindparam("lease_seconds", type_=Float)))
    .returning(
        Delivery.id,
        Delivery.job_id,
        Delivery.project_id,
        Delivery.origin,
        Delivery.url,
        Delivery.body,
        Delivery.tries,
        Delivery.tries_before,
        jobs.c.callback_form,
        Project.callback_secrets,
        jobs.c.callback_secret,
    )
)
