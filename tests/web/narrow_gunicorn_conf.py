"""The product's own configuration with few places, so that a test can take them all."""

from service.web import bulkhead

bulkhead.PLACES = 2
bulkhead.LONG_PLACES = 1
bulkhead.WAITING = 2
bulkhead.WAIT_SECONDS = 1.5
bulkhead.RESERVED = 2

from service.web.gunicorn_conf import *  # noqa: E402, F403 - it counts the threads as it is read

workers = 1
