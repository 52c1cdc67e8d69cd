"""Whose turn it is: the longest waiting first, and no host more places than it may have.

A host is an origin (scheme, name, port) of one project: what one caller's address does is no other
caller's matter. It has four places in a process, and one while it is failing; in each place as many
callbacks go one after the other as it can take in a second. One that has been failing for long is
tried one call at a time, now and then.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Row,
    Select,
    Subquery,
    TableValuedAlias,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    not_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from service.clock import seconds
from service.constants import constant
from service.models import CallbackForm, CallbackHost, Delivery, DeliveryStatus, Project, jobs
from service.owed import owed_hosts
from service.steps.deliver.busy import FIRST_RUN
from service.steps.deliver.tries import Host, Owed, Run

#: Calls at a time of one process to one host, and for one project.
PLACES_PER_HOST = 4
PLACES_PER_PROJECT = 128
#: Callbacks that are claimed at a time.
MAX_CLAIM = 256

_PENDING = constant(DeliveryStatus.PENDING)


def _known() -> TableValuedAlias:
    """Select what this process knows of hosts."""
    return (
        func.unnest(
            bindparam("known_projects", type_=ARRAY(Uuid)),
            bindparam("known_origins", type_=ARRAY(Text)),
            bindparam("known_places", type_=ARRAY(Integer)),
            bindparam("known_paces", type_=ARRAY(Integer)),
        )
        .table_valued(
            column("project_id", Uuid),
            column("origin", Text),
            column("places", Integer),
            column("pace", Integer),
            name="known",
        )
        .render_derived()
    )


def _places(hosts: CTE) -> Subquery:
    """Select how many calls may be begun to each host."""
    known, kept = _known(), aliased(CallbackHost, name="kept")
    is_failing = func.coalesce(kept.failures, constant(0)) > constant(0)
    whole = case(
        (not_(is_failing), constant(PLACES_PER_HOST)),
        (func.coalesce(kept.probe_at, func.now()) <= func.now(), constant(1)),
        else_=constant(0),
    )
    # a host that is unwell is tried once at a time, by whoever comes first
    at_a_time = case(
        (kept.probe_at.is_(None), func.coalesce(known.c.pace, constant(FIRST_RUN))),
        else_=constant(1),
    )
    taken = func.coalesce(known.c.places, constant(0))
    same = and_(kept.project_id == hosts.c.project_id, kept.origin == hosts.c.origin)
    mine = and_(known.c.project_id == hosts.c.project_id, known.c.origin == hosts.c.origin)
    return (
        select(
            hosts.c.project_id,
            hosts.c.origin,
            taken.label("taken"),
            func.greatest(whole - taken, constant(0)).label("places"),
            at_a_time.label("run"),
            is_failing.label("is_failing"),
        )
        .select_from(hosts)
        .outerjoin(kept, same)
        .outerjoin(known, mine)
        .subquery("open")
    )


def _waiting(host: FromClause, limit: ColumnElement[int]) -> Select[UUID, datetime | None]:
    """Select what has waited longest for a host."""
    one = aliased(Delivery, name="one")
    return (
        select(one.id, one.due_at)
        .where(
            one.status == _PENDING,
            one.project_id == host.c.project_id,
            one.origin == host.c.origin,
            one.due_at <= func.now(),
        )
        .order_by(one.due_at)
        .limit(limit)
    )


def _due() -> CTE:
    places = _places(owed_hosts())
    first = _waiting(places, places.c.places).lateral()
    turn = places.c.taken + func.row_number().over(
        partition_by=[places.c.project_id, places.c.origin], order_by=first.c.due_at
    )
    # no column more than is needed: psycopg reads a statement anew each time that is over 4096 long
    shown = ("project_id", "origin", "run", "is_failing")
    waiting = (
        select(*(places.c[name] for name in shown), first.c.due_at, turn.label("turn"))
        .select_from(places)
        .join(first, true())
        .subquery("waiting")
    )
    # one place for each project before any has a second, and in it one for each of its hosts
    known = _known()
    of_project = select(func.coalesce(func.sum(known.c.places), constant(0))).where(
        known.c.project_id == waiting.c.project_id
    )
    turn_of_project = of_project.scalar_subquery() + func.row_number().over(
        partition_by=waiting.c.project_id, order_by=[waiting.c.turn, waiting.c.due_at]
    )
    in_order = select(
        *(waiting.c[name] for name in shown),
        waiting.c.due_at,
        turn_of_project.label("rank"),
    ).subquery("in_order")
    turns = (
        select(*(in_order.c[name] for name in shown))
        .where(in_order.c.rank <= constant(PLACES_PER_PROJECT))
        .order_by(in_order.c.rank, in_order.c.due_at)
        .limit(bindparam("most_places", type_=Integer))
        .subquery("turns")
    )
    host = tuple(turns.c[name] for name in shown)
    all_places = func.sum(func.count()).over()
    granted = (
        select(*host, func.count().label("places"), all_places.label("all_places"))
        .group_by(*host)
        .subquery("given")
    )
    share = func.greatest(constant(1), constant(MAX_CLAIM) / cast(granted.c.all_places, Integer))
    most = granted.c.places * func.least(granted.c.run, share)
    taken = _waiting(granted, most).with_for_update(skip_locked=True).lateral()
    # the limit is never met: it tells PostgreSQL that an index finds them sooner than a scan
    return (
        select(taken.c.id, granted.c.places, granted.c.is_failing)
        .select_from(granted)
        .join(taken, true())
        .limit(constant(2 * MAX_CLAIM))
        .cte("due")
    )


def _of_job(asked: ColumnElement[Any]) -> ColumnElement[Any]:
    return select(asked).where(jobs.c.id == Delivery.job_id).scalar_subquery()


_FORM = jobs.c.callback_form.type
_DUE = _due()
#: Takes what is due for as long as a run may take; its parameters are `most_places`,
#: `lease_seconds` and those of `Busy.known`. The last columns are how many places its host is
#: granted and whether it is failing.
CLAIM = (
    update(Delivery)
    .where(
        Delivery.id == _DUE.c.id,
        Delivery.project_id == Project.id,
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
        Delivery.began_at,
        Delivery.due_at,
        func.coalesce(_of_job(jobs.c.callback_form), constant(CallbackForm.STANDARD)),
        Project.callback_secrets,
        _of_job(jobs.c.callback_secret),
        _DUE.c.places,
        _DUE.c.is_failing,
    )
)


def runs(claimed: Iterable[Row[Any]]) -> list[Run]:
    """Deal what was claimed out to the places that its hosts are granted."""
    of_hosts: dict[Host, list[Owed]] = {}
    granted: dict[Host, tuple[int, bool]] = {}
    for *values, places, is_failing in map(tuple[Any, ...], claimed):
        one = Owed(*values)
        of_hosts.setdefault(one.host, []).append(one)
        granted[one.host] = min(places, len(of_hosts[one.host])), is_failing
    return [
        Run(of_hosts[host][place::places], is_failing)
        for host, (places, is_failing) in granted.items()
        for place in range(places)
    ]
