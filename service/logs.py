"""One JSON line per event on stderr: a constant name, values as keywords, never a secret."""

import logging
import re
import sys
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


#: Nobody logs these on purpose; a traceback, or a line of a library's, may hold one all the same.
_SECRETS = re.compile(
    r"(?<=/webhooks/flux/)[\w.-]+"
    r"|\bdk_[\w-]{20,}"
    r"|\bwhsec_[\w+/=-]+"
    # presigned URLs of S3 and of Flux's store: whoever holds one opens the image
    r"|(?<=[?&]X-Amz-Signature=)\w+|(?<=[?&]X-Amz-Security-Token=)[\w%-]+|(?<=[?&]sig=)[\w%-]+"
    # user and password of an address
    r"|(?<=://)[^\s/@\"\\]+(?=@)",
    re.ASCII,
)
#: A line without any of these holds none; to look for them is quicker.
_HINTS = ("/webhooks/flux/", "dk_", "whsec_", "X-Amz-S", "sig=", "://")
_as_json = structlog.processors.JSONRenderer()


def _render(logger: object, method: str, event: structlog.typing.EventDict) -> str:
    """Write a line, without the secrets that slipped into it."""
    line = str(_as_json(logger, method, event))
    return _SECRETS.sub("***", line) if any(hint in line for hint in _HINTS) else line


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
                structlog.processors.format_exc_info,
                _render,
            ],
        )
    )
    # no line says who wrote it where, and to find out costs a fifth of it
    logging._srcfile = None  # noqa: SLF001 - as its manual advises
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for library in _NOISY:
        logging.getLogger(library).setLevel(logging.WARNING)


def get_log(name: str) -> Log:
    """Return the logger of one module."""
    return cast("Log", structlog.get_logger(name))
