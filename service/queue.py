"""The broker: doorbells only. Losing every one of them costs a sweep interval.

`make_celery` knows queues and routes but no tasks; senders send by name. The settings are those
with which every worker came back after a broker restart: no acknowledgements, no results, no ETA,
short timeouts when publishing. What a worker hears of it decides nothing, PostgreSQL does.
"""

import contextlib
import threading
import time
from typing import Any, Self

from celery import Celery
from celery.app.amqp import AMQP
from kombu import Connection, Exchange, Queue
from kombu.transport import redis

from service.logs import get_log
from service.messages import Message
from service.pace import Pace

#: Queue of the lanes that wait for the world, and queue of what computes or can wait itself.
IO_QUEUE = "io"
IMAGES_QUEUE = "images"
#: Queue of jobs that callers hand in over the broker.
ENQUEUE_QUEUE = "enqueue"
#: Of these a message that a worker took and did not end is given to another after so long.
LETTER_LEASE_SECONDS = 15

#: A consumer waits for the next message on its socket; a publisher must never make anybody wait.
CONSUMER_TIMEOUT_SECONDS = 30.0
PUBLISHER_TIMEOUT_SECONDS = 0.5
#: A doorbell that nobody heard is worth nothing a little later: the sweep rings again.
MESSAGE_LIFETIME_SECONDS = 30
#: A lane that is rung often is awake, and sees what has come since when it comes round. A ring
#: costs sender and worker two milliseconds; one that waits for its turn stands for all that follow.
RINGS_PER_SECOND = 12.0
RINGS_AT_ONCE = 30
#: Nobody waits for a thumbnail as long as many images come.
DERIVE_RINGS_PER_SECOND = 2.0
#: After a failed ring nothing is tried for so long; the sweep rings what was missed.
PAUSE_SECONDS = 1.0
#: How often a consumer looks whether a lost broker is back.
RECONNECT_SECONDS = 2.0

log = get_log(__name__)


class _Connection(Connection):
    """Looks for a lost broker at an even pace: kombu's own pauses grow to half a minute."""

    def ensure_connection(self, *args: Any, **named: Any) -> Self:  # noqa: ANN401 - as kombu has it
        pace = {"interval_start": RECONNECT_SECONDS, "interval_step": 0}
        super().ensure_connection(*args, **{**pace, **named})
        return self

    def get_transport_cls(self) -> Any:  # noqa: ANN401 - as kombu has it
        found = super().get_transport_cls()
        return _Transport if found is redis.Transport else found


class _QoS(redis.QoS):
    """Acknowledges only what waits for it: a doorbell that is taken is gone from Redis already.

    kombu would ask Redis all the same to forget it, which takes as long as to read it.
    """

    def ack(self, delivery_tag: str) -> None:
        if delivery_tag in (self._delivered or ()):
            super().ack(delivery_tag)


class _Channel(redis.Channel):
    QoS = _QoS


class _Transport(redis.Transport):
    Channel = _Channel


class _Amqp(AMQP):
    Connection = _Connection


def make_celery(broker_url: str, *, socket_timeout_seconds: float) -> Celery:
    """Return a Celery app without tasks."""
    app = Celery("darkroom", broker=broker_url, amqp=_Amqp, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        # a doorbell is gone once it is heard: one whose acknowledgement fails would count as in
        # hand for ever, and two of them make a worker of two children deaf
        task_queues=[
            Queue(name, Exchange(name), routing_key=name, no_ack=True)
            for name in (IO_QUEUE, IMAGES_QUEUE)
        ]
        + [Queue(ENQUEUE_QUEUE, Exchange(ENQUEUE_QUEUE), routing_key=ENQUEUE_QUEUE)],
        task_default_queue=IO_QUEUE,
        task_routes={
            Message.ENQUEUE.value: {"queue": ENQUEUE_QUEUE},
            Message.DERIVE.value: {"queue": IMAGES_QUEUE},
            Message.DISCARD.value: {"queue": IMAGES_QUEUE},
        },
        task_publish_retry=False,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=25,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=1.0,
        broker_heartbeat=10,
        broker_transport_options={
            "socket_connect_timeout": min(1.0, socket_timeout_seconds),
            "socket_timeout": socket_timeout_seconds,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "retry_on_timeout": False,
            "visibility_timeout": LETTER_LEASE_SECONDS,
            "unacked_restore_interval": LETTER_LEASE_SECONDS / 3,
            "unacked_restore_throttle": 1,
        },
        enable_utc=True,
        timezone="UTC",
    )
    return app


class CelerySender:
    """Rings lanes over the broker, from a thread of its own.

    Whoever rings never waits for the broker and never hears of its faults. Rings of one lane that
    come while the broker is busy are one.
    """

    def __init__(self, broker_url: str) -> None:
        """Ring over this broker; thread and connection begin with the first ring."""
        self._app = make_celery(broker_url, socket_timeout_seconds=PUBLISHER_TIMEOUT_SECONDS)
        # kombu sleeps two seconds before it says that it cannot connect
        self._app.conf.broker_transport_options |= {
            "max_retries": 0,
            "interval_start": 0,
            "interval_step": 0,
            "interval_max": 0,
        }
        self._rung = threading.Condition()
        self._pending: dict[Message, None] = {}
        self._paces = {
            message: Pace(per_second=RINGS_PER_SECOND, at_once=RINGS_AT_ONCE) for message in Message
        } | {
            Message.DERIVE: Pace(per_second=DERIVE_RINGS_PER_SECOND, at_once=RINGS_AT_ONCE),
        }
        self._thread: threading.Thread | None = None

    def __call__(self, message: Message) -> None:
        """Ring once; returns at once."""
        with self._rung:
            self._pending[message] = None
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="ringing", daemon=True)
                thread.start()
                self._thread = thread
            self._rung.notify()

    def _run(self) -> None:
        connection = self._app.connection_for_write()
        while True:
            with self._rung:
                message = self._next()
            try:
                self._app.send_task(
                    message.value,
                    ignore_result=True,
                    expires=MESSAGE_LIFETIME_SECONDS,
                    retry=False,
                    connection=connection,
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, the next ring must be heard
                log.warning("ring_failed", lane=message.stage, reason=type(error).__name__)
                # RabbitMQ's client goes on with a dead connection for ever
                with contextlib.suppress(Exception):
                    connection.release()
                connection = self._app.connection_for_write()
                time.sleep(PAUSE_SECONDS)

    def _next(self) -> Message:
        """Wait for a ring whose lane may be rung, and take it."""
        while True:
            waits = {message: self._paces[message].wait_seconds for message in self._pending}
            soonest = min(waits, key=lambda message: waits[message], default=None)
            if soonest is not None and waits[soonest] <= 0:
                del self._pending[soonest]
                self._paces[soonest].count()
                return soonest
            self._rung.wait(None if soonest is None else waits[soonest])
