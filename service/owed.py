"""Whom callbacks are owed to, however many: an index has them by host and due time."""

from sqlalchemy import CTE, select, true, tuple_
from sqlalchemy.orm import aliased

from service.constants import constant
from service.models import Delivery, DeliveryStatus


def owed_hosts() -> CTE:
    """Select each host that anything is owed to, one step through the index for each.

    A host is an origin of one project: columns `project_id` and `origin`.
    """
    one = aliased(Delivery, name="one")
    host = (one.project_id, one.origin)
    pending = one.status == constant(DeliveryStatus.PENDING)
    first = select(*host).where(pending).order_by(*host).limit(constant(1)).subquery()
    hosts = select(first).cte("hosts", recursive=True)
    following = (
        select(*host)
        .where(pending, tuple_(*host) > tuple_(hosts.c.project_id, hosts.c.origin))
        .order_by(*host)
        .limit(constant(1))
        .lateral()
    )
    return hosts.union_all(select(following).select_from(hosts).join(following, true()))
