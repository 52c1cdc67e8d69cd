"""As dramatiq's guide teaches: an actor for every step, default settings."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from pipelines.programs import plain

broker = RedisBroker(url=os.environ["CELERY_BROKER_URL"])  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)


@dramatiq.actor
def pay(job_id: str) -> None:
    """Have upstream make the image."""
    plain.pay(job_id)


@dramatiq.actor
def store(job_id: str, image_url: str) -> None:
    """Copy the image."""
    plain.store(job_id, image_url)
    deliver.send(job_id)


@dramatiq.actor
def deliver(job_id: str) -> None:
    """Tell the caller."""
    plain.deliver(job_id)


web = plain.application(begin=pay.send, end=store.send)
