"""One JSON line per event on stderr: a constant name, values as keywords, never a secret."""

import logging
import sys
from collections.abc import MutableMapping
from typing import cast

import structlog

Log = structlog.stdlib.BoundLogger

#: Below warning botocore and urllib3 log whole requests, signatures included; Celery and beat log
#: every doorbell.
_NOISY = (
    "PIL",
    "boto3",
    "botocore",
    "celery.app.trace",
    "celery.beat",
    "celery.worker.strategy",
    "s3transfer",
    "urllib3",
)

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def _without_url_secrets(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> MutableMapping[str, object]:
    """Cut the token out of a receiver path, wherever a library may have logged it."""
    text = event.get("event")
    if isinstance(text, str) and "/webhooks/flux/" in text:
        head, _, tail = text.partition("/webhooks/flux/")
        event["event"] = f"{head}/webhooks/flux/…{tail[tail.find(' ') :] if ' ' in tail else ''}"
    return event


def configure_logs(level: str) -> None:
    """Send our records and those of every library to stderr as JSON lines."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_url_secrets,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for library in _NOISY:
        logging.getLogger(library).setLevel(logging.WARNING)


def get_log(name: str) -> Log:
    """Return the logger of one module."""
    return cast("Log", structlog.get_logger(name))
