"""How the hosts of callbacks do. One that fails for long is probed, not hammered.

A host's row is written when it fails and when it is well again; most hosts never have one.
"""

import itertools
from collections.abc import Sequence

from sqlalchemy import Float, Integer, and_, bindparam, case, func, update
from sqlalchemy.dialects.postgresql import insert

from service.clock import seconds
from service.database import Transaction
from service.logs import get_log
from service.models import CallbackHost
from service.steps.deliver.tries import GONE, Host, Run, Try

log = get_log(__name__)

#: So many failures in a row, over so long, and a host is unwell.
UNWELL_FAILURES = 10
UNWELL_SECONDS = 60.0
#: How often one call tries whether an unwell host is back.
PROBE_SECONDS = 30.0
#: How often its trouble is logged.
LOG_EVERY_FAILURES = 100


def heard(tx: Transaction, run: Run, tries: Sequence[Try]) -> None:
    """Note how a host did, in the order of its tries; of one that stays well there is nothing."""
    in_a_row = list(itertools.takewhile(_is_failure, reversed(tries)))
    if run.is_failing and len(in_a_row) < len(tries) and tx.execute(_ANSWERED, _named(run.host)):
        log.info("callback_host_back", origin=run.host[1])
    if in_a_row:
        _failed(tx, run.host, len(in_a_row), in_a_row[0])


def _is_failure(one: Try) -> bool:
    return not one.succeeded and one.http_status != GONE


def _failed(tx: Transaction, host: Host, count: int, last: Try) -> None:
    why = last.error or f"answered {last.http_status}"
    said = {**_named(host), "count": count, "why": why, "probe_seconds": PROBE_SECONDS}
    failures: int = tx.scalar(_FAILED, said)
    # the first time, and now and then
    if any(
        number % LOG_EVERY_FAILURES == UNWELL_FAILURES
        for number in range(failures, failures - count, -1)
    ):
        log.warning("callback_host_failing", origin=host[1], failures=failures, reason=why)


def probed(tx: Transaction, host: Host) -> None:
    """Note that a call is under way to a host, so that no second one follows if it is unwell."""
    tx.execute(_PROBED, {**_named(host), "probe_seconds": PROBE_SECONDS})


def _named(host: Host) -> dict[str, object]:
    return {"of_project": host[0], "of_origin": host[1]}


_PROBE_AT = func.now() + seconds(bindparam("probe_seconds", type_=Float))
_MINE = and_(
    CallbackHost.project_id == bindparam("of_project"),
    CallbackHost.origin == bindparam("of_origin"),
)
_COUNT = bindparam("count", type_=Integer)
_IS_UNWELL = and_(
    CallbackHost.failures + _COUNT >= UNWELL_FAILURES,
    CallbackHost.failing_since <= func.now() - seconds(UNWELL_SECONDS),
)
_FAILED = (
    insert(CallbackHost)
    .values(
        project_id=bindparam("of_project"),
        origin=bindparam("of_origin"),
        failures=_COUNT,
        failing_since=func.now(),
        reason=bindparam("why"),
    )
    .on_conflict_do_update(
        index_elements=["project_id", "origin"],
        set_={
            "failures": CallbackHost.failures + _COUNT,
            "failing_since": func.coalesce(CallbackHost.failing_since, func.now()),
            "reason": bindparam("why"),
            "probe_at": case((_IS_UNWELL, _PROBE_AT)),
        },
    )
    .returning(CallbackHost.failures)
)
_ANSWERED = (
    update(CallbackHost)
    .where(_MINE, CallbackHost.failures > 0)
    .values(failures=0, failing_since=None, probe_at=None, reason=None)
)
_PROBED = (
    update(CallbackHost).where(_MINE, CallbackHost.probe_at.is_not(None)).values(probe_at=_PROBE_AT)
)
