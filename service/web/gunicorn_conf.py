"""How gunicorn runs the web process: `gunicorn service.web.wsgi:app --config …`."""

import contextlib
import ctypes
import gc
import resource

# what modules make while they load is kept: to look through it all the time for garbage is a third
# of the start
gc.disable()

from service.settings import load_settings
from service.web import app as _app  # noqa: F401 - loaded once, before the workers are forked
from service.web import bulkhead
from service.web.slow_clients import DeadlineWorker

# glibc gives threads that allocate at the same time heaps of their own, eight for each core, and
# keeps each as large as it ever was: two do for threads that take turns at Python's lock
_M_ARENA_MAX = -8
with contextlib.suppress(AttributeError):
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)

_settings = load_settings()

bind = f"{_settings.host}:{_settings.port}"
worker_class = DeadlineWorker
workers = 2
threads = bulkhead.threads()
#: A keep-alive connection costs a descriptor, not a thread.
keepalive = 15
worker_connections = threads + 1000
# where a process may have 1024 descriptors, it usually may ask for more
_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * worker_connections, _most), _most))
# the longest that gunicorn allows: 500 characters of a search take nine bytes each, percent-encoded
limit_request_line = 8190
graceful_timeout = 25
timeout = 60
# gunicorn's control socket would collide between two services of one user
control_socket_disable = True
accesslog = None
# from this host gunicorn would let SCRIPT_NAME and PATH_INFO say where we are, and answer 500 to
# those that do not fit the path
forwarder_headers = ""
# the app is made in each worker, after the fork; only its modules are loaded before
preload_app = False

gc.freeze()
gc.enable()
