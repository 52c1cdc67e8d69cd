"""The product's own configuration, with a deadline that a test can wait for."""

from service.web import slow_clients
from service.web.gunicorn_conf import *  # noqa: F403 - gunicorn reads names of this module

slow_clients.REQUEST_SECONDS = 4.0
