"""What gunicorn serves; one per web process."""

import logging
import re

from service.logs import configure_logs
from service.patience import WEB
from service.rounds import Rounds
from service.settings import load_settings
from service.web.app import create_app
from service.web.bulkhead import register_bulkhead
from service.wiring import Wiring

#: How soon spooled webhooks are tried again; the folder is looked at, and only if it is not empty
#: the database is.
REPLAY_EVERY_SECONDS = 0.5

#: What gunicorn quotes of a request that it refuses; a token may be in it, or a key.
_QUOTED = re.compile(r": b?['\"].*", re.DOTALL)


def _unquoted(record: logging.LogRecord) -> bool:
    record.msg = _QUOTED.sub("", str(record.msg))
    return True


settings = load_settings()
configure_logs(settings.log_level)
for _name in ("gunicorn.error", "gunicorn.access"):
    logging.getLogger(_name).handlers.clear()
    logging.getLogger(_name).propagate = True
logging.getLogger("gunicorn.error").addFilter(_unquoted)
wiring = Wiring(settings, patience=WEB)
app = create_app(wiring)
register_bulkhead(app)
# every web process of a host replays the same folder: whoever is late finds the webhook committed
Rounds({"replay": (REPLAY_EVERY_SECONDS, wiring.receive.replay)}).start()
