"""The product's own configuration with little room and short times for those who follow jobs."""

from service.web import bulkhead, streams, waiting

bulkhead.PLACES = 2
bulkhead.LONG_PLACES = 1
waiting.PLACES = 8
waiting.HEARTBEAT_SECONDS = 0.5
streams.TAKE_SECONDS = 1.0

from service.web.gunicorn_conf import *  # noqa: E402, F403 - it counts the threads as it is read

workers = 1
