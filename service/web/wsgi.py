"""What gunicorn serves; one per web process."""

import logging
import threading
import time

from service.errors import DatabaseUnavailable
from service.logs import configure_logs, get_log
from service.settings import load_settings
from service.steps.receive import Receive
from service.web.app import create_app
from service.wiring import Wiring

#: How often spooled webhooks are tried again, seconds.
REPLAY_EVERY_SECONDS = 1.0

settings = load_settings()
configure_logs(settings.log_level)
for _name in ("gunicorn.error", "gunicorn.access"):
    logging.getLogger(_name).handlers.clear()
    logging.getLogger(_name).propagate = True
wiring = Wiring(settings)
app = create_app(wiring)
log = get_log(__name__)


def _replay(receive: Receive) -> None:
    """Commit webhooks that this host spooled while the database was away."""
    while True:
        try:
            receive.replay()
        except DatabaseUnavailable:
            pass
        except Exception:
            log.exception("webhook_replay_crashed")
        time.sleep(REPLAY_EVERY_SECONDS)


threading.Thread(target=_replay, args=[wiring.receive], name="replay", daemon=True).start()
