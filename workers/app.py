"""The Celery app that workers and beat run: `celery -A workers.app …`."""

import gc
import os
import signal
import threading
import time
from typing import Any

# what modules make while they load is kept: to look through it all the time for garbage is a third
# of a worker's start
gc.disable()

from celery import Celery, Task, bootsteps, signals
from celery.worker import state

from service.logs import configure_logs, get_log
from service.queue import CONSUMER_TIMEOUT_SECONDS, IO_QUEUE, CelerySender, make_celery
from service.rounds import Rounds
from service.settings import load_settings
from service.wiring import WORKER_POOL_SIZE, Wiring
from workers.hearing import LOOK_AT_QUEUES_SECONDS, Hearing
from workers.lanes import LOOK_AT_LANES_SECONDS, LaneWatch, LocalLanes
from workers.schedule import beat_schedule
from workers.tasks import register

#: A worker that is told to stop is gone by then, whatever hangs: a broker, a peer, a task.
LEAVE_SECONDS = 28.0
#: A quarter of a full processor is still ours while the web processes want all of it.
NICENESS = 5

log = get_log(__name__)
settings = load_settings()
broker_url = settings.celery_broker_url.get_secret_value()
local = LocalLanes(CelerySender(broker_url))
wiring = Wiring(settings, pool_size=WORKER_POOL_SIZE, ring=local, keeps_plans=True)
celery: Celery = make_celery(broker_url, socket_timeout_seconds=CONSUMER_TIMEOUT_SECONDS)
celery.conf.beat_schedule = beat_schedule(settings.sweep_interval_seconds)
lanes = wiring.lanes(ring_others=local.broker)
register(celery, wiring, lanes)


class LanesStep(bootsteps.StartStopStep):
    """Starts and stops lanes and rounds with the worker that consumes the io queue."""

    requires = ("celery.worker.components:Pool",)

    def include_if(self, parent: object) -> bool:
        """Run lanes only where their doorbells are heard."""
        return IO_QUEUE in getattr(parent, "app").amqp.queues.consume_from  # noqa: B009 - untyped

    def start(self, _parent: object) -> None:
        """Begin to work."""
        local.start(lanes)
        wiring.bell.hang()
        watch = LaneWatch(lanes, _end_process)
        self.rounds = Rounds({**wiring.rounds(), "lanes": (LOOK_AT_LANES_SECONDS, watch.look)})
        self.rounds.start()

    def stop(self, _parent: object) -> None:
        """Drain."""
        self.rounds.stop()
        _drain()


class HearingStep(bootsteps.StartStopStep):
    """Watches the consumer of any worker."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: object) -> None:
        """Begin to watch."""
        queues = getattr(parent, "app").amqp.queues.consume_from  # noqa: B009 - untyped
        hearing = Hearing(celery, queues, lambda: bool(state.active_requests), _end_process)
        signals.task_received.connect(lambda **_: hearing.hear(), weak=False)
        Rounds({"hearing": (LOOK_AT_QUEUES_SECONDS, hearing.look)}).start()


celery.steps["worker"].update({LanesStep, HearingStep})


@signals.worker_init.connect
def _step_back(**_: object) -> None:
    """Let the web processes of a host go first: callers and Flux wait for them, nobody for us."""
    os.nice(NICENESS)


@signals.worker_shutting_down.connect
def _leave(**_: object) -> None:
    """Drain at once, while Celery takes leave of its broker, and be gone in time."""
    threading.Thread(target=_leave_in_time, name="leave", daemon=True).start()


def _leave_in_time() -> None:
    leave_at = time.monotonic() + LEAVE_SECONDS
    _drain()
    time.sleep(max(0.0, leave_at - time.monotonic()))
    log.warning("left_in_haste")
    os._exit(os.EX_TEMPFAIL)


def _drain() -> None:
    wiring.bell.take_down()
    local.stop()


def _end_process() -> None:
    """Leave as if told to: the supervisor starts a new process."""
    os.kill(os.getpid(), signal.SIGTERM)


@signals.task_prerun.connect
def _note_message(task: Task[Any, Any], **_: object) -> None:
    log.debug("message_heard", message=task.name)


@signals.setup_logging.connect
def _configure_logs(**_: object) -> None:
    configure_logs(settings.log_level)


gc.freeze()
gc.enable()
