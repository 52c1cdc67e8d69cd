"""The Celery app that workers and beat run: `celery -A workers.app …`."""

from typing import Any

from celery import Celery, Task, bootsteps, signals

from service.logs import configure_logs, get_log
from service.queue import CONSUMER_TIMEOUT_SECONDS, IO_QUEUE, CelerySender, make_celery
from service.settings import load_settings
from service.wiring import WORKER_POOL_SIZE, Wiring
from workers.lanes import LocalLanes
from workers.schedule import beat_schedule
from workers.tasks import register

log = get_log(__name__)
settings = load_settings()
broker_url = settings.celery_broker_url.get_secret_value()
local = LocalLanes(CelerySender(broker_url))
wiring = Wiring(settings, pool_size=WORKER_POOL_SIZE, ring=local)
celery: Celery = make_celery(broker_url, socket_timeout_seconds=CONSUMER_TIMEOUT_SECONDS)
celery.conf.beat_schedule = beat_schedule(settings.sweep_interval_seconds)
lanes = wiring.lanes(ring_others=local.broker)
register(celery, wiring, lanes)


class LanesStep(bootsteps.StartStopStep):
    """Starts and stops the lanes with the worker that consumes the io queue."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, parent: object) -> bool:
        """Run lanes only where their doorbells are heard."""
        return IO_QUEUE in getattr(parent, "app").amqp.queues.consume_from  # noqa: B009 - untyped

    def start(self, _parent: object) -> None:
        """Begin to work."""
        local.start(lanes)

    def stop(self, _parent: object) -> None:
        """Drain."""
        local.stop()


celery.steps["worker"].add(LanesStep)


@signals.task_prerun.connect
def _note_message(task: Task[Any, Any], **_: object) -> None:
    log.debug("message_heard", message=task.name)


@signals.setup_logging.connect
def _configure_logs(**_: object) -> None:
    configure_logs(settings.log_level)
