"""As the documentation of Flask and of Celery teaches: a task for every step, default settings."""

from celery import Celery

from pipelines.programs import plain

# the broker is named by CELERY_BROKER_URL, which Celery reads itself
queue = Celery(__name__, task_ignore_result=True)


@queue.task
def pay(job_id: str) -> None:
    """Have upstream make the image."""
    plain.pay(job_id)


@queue.task
def store(job_id: str, image_url: str) -> None:
    """Copy the image."""
    plain.store(job_id, image_url)
    deliver.delay(job_id)


@queue.task
def deliver(job_id: str) -> None:
    """Tell the caller."""
    plain.deliver(job_id)


web = plain.application(begin=pay.delay, end=store.delay)
