"""How the hosts of callbacks do. One that fails for long is probed, not hammered.

A host's row is written when it fails and when it is well again; most hosts never have one.
"""

from sqlalchemy import Float, Integer, and_, bindparam, case, func, update
from sqlalchemy.dialects.postgresql import insert

from service.clock import seconds
from service.database import Transaction
from service.logs import get_log
from service.models import CallbackHost
from service.steps.deliver.due import Host
from service.steps.deliver.tries import Try

log = get_log(__name__)

#: So many failures in a row, over so long, and a host is unwell.
UNWELL_FAILURES = 10
UNWELL_SECONDS = 60.0
#: How often one call tries whether an unwell host is back.
PROBE_SECONDS = 30.0


def failed(tx: Transaction, host: Host, one: Try) -> None:
    """Count a failure of a host."""
    why = one.error or f"answered {one.http_status}"
    row = tx.first(_FAILED, {**_named(host), "why": why, "probe_seconds": PROBE_SECONDS})
    if row.failures == UNWELL_FAILURES or (row.probe_at is not None and row.failures % 100 == 0):
        log.warning("callback_host_failing", origin=host[1], failures=row.failures, reason=why)


def answered(tx: Transaction, host: Host) -> None:
    """Note that a host takes callbacks."""
    if tx.execute(_ANSWERED, _named(host)):
        log.info("callback_host_back", origin=host[1])


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
_IS_UNWELL = and_(
    CallbackHost.failures + 1 >= bindparam("unwell_failures", UNWELL_FAILURES, type_=Integer),
    CallbackHost.failing_since <= func.now() - seconds(UNWELL_SECONDS),
)
_FAILED = (
    insert(CallbackHost)
    .values(
        project_id=bindparam("of_project"),
        origin=bindparam("of_origin"),
        failures=1,
        failing_since=func.now(),
        reason=bindparam("why"),
    )
    .on_conflict_do_update(
        index_elements=["project_id", "origin"],
        set_={
            "failures": CallbackHost.failures + 1,
            "failing_since": func.coalesce(CallbackHost.failing_since, func.now()),
            "reason": bindparam("why"),
            "probe_at": case((_IS_UNWELL, _PROBE_AT)),
        },
    )
    .returning(CallbackHost.failures, CallbackHost.probe_at)
)
_ANSWERED = (
    update(CallbackHost)
    .where(_MINE, CallbackHost.failures > 0)
    .values(failures=0, failing_since=None, probe_at=None, reason=None)
)
_PROBED = (
    update(CallbackHost).where(_MINE, CallbackHost.probe_at.is_not(None)).values(probe_at=_PROBE_AT)
)
