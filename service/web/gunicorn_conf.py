"""How gunicorn runs the web process: `gunicorn service.web.wsgi:app --config …`."""

import gc

# what modules make while they load is kept: to look through it all the time for garbage is a third
# of the start
gc.disable()

from service.settings import load_settings
from service.web import app as _app  # noqa: F401 - loaded once, before the workers are forked
from service.web import bulkhead
from service.web.slow_clients import DeadlineWorker

_settings = load_settings()

bind = f"{_settings.host}:{_settings.port}"
worker_class = DeadlineWorker
workers = 2
threads = bulkhead.threads()
#: A keep-alive connection costs a descriptor, not a thread.
keepalive = 15
graceful_timeout = 25
timeout = 60
# gunicorn's control socket would collide between two services of one user
control_socket_disable = True
accesslog = None
# the app is made in each worker, after the fork; only its modules are loaded before
preload_app = False

gc.freeze()
gc.enable()
