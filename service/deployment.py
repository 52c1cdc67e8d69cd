"""Whether this database may buy: it has been held against its mark in the bucket, and lately.

A restored backup and a standby that took over hold jobs as queued that were paid for already. A
server that was restarted, restored or promoted runs since another moment, and a table put back into
a running one has another file, or was marked long ago: all that is seen in the claim's own
transaction, whatever the connection went through. `service.steps.recover` keeps marks and compares.
"""

from sqlalchemy import ColumnElement, Exists, cast, exists, extract, func, or_
from sqlalchemy.dialects.postgresql import REGCLASS

from service.clock import seconds
from service.models import Deployment

#: After this long without a mark that S3 has acknowledged nothing is bought.
MARK_LIFETIME_SECONDS = 60.0


def here() -> ColumnElement[str]:
    """Return what no restored or promoted copy shares: the server's run, and this table's file."""
    started = extract("epoch", func.pg_postmaster_start_time())
    file = func.pg_relation_filepath(cast(Deployment.__tablename__, REGCLASS))
    return func.concat(started, " ", file)


def unverified() -> ColumnElement[bool]:
    """Return whether the deployment's row is not known to be the newest there is."""
    return or_(
        Deployment.marked_in.is_distinct_from(here()),
        Deployment.marked_at.is_(None),
        Deployment.marked_at <= func.now() - seconds(MARK_LIFETIME_SECONDS),
    )


def may_not_buy() -> Exists:
    """Return whether the deployment is held or unverified.

    A database without the row is neither: it has had no worker, so nothing in it is paid for.
    """
    return exists().where(or_(Deployment.held_at.is_not(None), unverified()))
