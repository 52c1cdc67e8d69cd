"""How gunicorn runs the web process: `gunicorn service.web.wsgi:app --config …`."""

from typing import Any

from prometheus_client import multiprocess

from service.settings import load_settings

_settings = load_settings()

bind = f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = 2
threads = 16
#: A keep-alive connection costs a descriptor, not a thread.
keepalive = 15
graceful_timeout = 25
timeout = 60
# gunicorn's control socket would collide between two services of one user
control_socket_disable = True
accesslog = None
# the app is made in each worker, after the fork
preload_app = False


def child_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn's own
    """Fold a dead worker's gauges away."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call] # no types there
