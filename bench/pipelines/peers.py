"""The peers: other ways to do the same job, and what they have in common.

They keep the same record in the same table and sign alike; what they promise is what the
documentation of their parts promises, and no more.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from pipelines.running import PEER_SECRET, ROOT, Caller

_API_KEY = "a-key-of-the-bench"
_TABLE = """
    CREATE TABLE jobs (
        id uuid PRIMARY KEY,
        state text NOT NULL,
        model text NOT NULL,
        input jsonb NOT NULL,
        callback_url text NOT NULL,
        task_id text,
        key text,
        sha256 text,
        bytes bigint,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
    )
"""
_PROGRAMS = "pipelines.programs"
_BULLMQ = Path(__file__).parent / "programs" / "bullmq"
_GUNICORN = ("gunicorn", "--config", f"python:{_PROGRAMS}.gunicorn_conf")


@dataclass(frozen=True)
class Peer:
    """A pipeline whose programs are in `programs`."""

    name: str
    processes: Mapping[str, Sequence[str]]
    more: Mapping[str, str] = field(default_factory=dict)

    def prepare(self, environment: Mapping[str, str]) -> Caller:
        """Make the table."""
        url = environment["DATABASE_URL"].replace("+psycopg", "", 1)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_TABLE)
        return Caller(_API_KEY, PEER_SECRET)

    def commands(self) -> Mapping[str, Sequence[str]]:
        """Return the processes."""
        return self.processes

    def environment(self, place: Path) -> Mapping[str, str]:  # noqa: ARG002 - they keep no files
        """Return the secrets, and where the programs are."""
        return {
            "API_KEY": _API_KEY,
            "FLUX_API_KEY": "any",
            "PEER_SECRET": PEER_SECRET,
            "WEBHOOK_SECRET": "what-upstream-says-to-be-upstream",
            "PYTHONPATH": str(ROOT / "bench"),
            **self.more,
        }


FLOOR = Peer("Floor", {"web": [sys.executable, "-m", f"{_PROGRAMS}.floor"]})

#: Two sync workers and four prefork processes, as a first deployment has them.
CELERY_TUTORIAL = Peer(
    "Celery, as its tutorial",
    {
        "web": [*_GUNICORN, "--workers", "2", f"{_PROGRAMS}.celery_tutorial:web"],
        "worker": ["celery", "-A", f"{_PROGRAMS}.celery_tutorial:queue", "worker", "-c", "4"],
    },
)

VENDOR_INLINE = Peer(
    "Inline, as a vendor's sample",
    {
        "web": [
            *_GUNICORN,
            *("--worker-class", "gthread", "--workers", "2", "--threads", "8"),
            f"{_PROGRAMS}.vendor_inline:web",
        ]
    },
)

#: Without a flag dramatiq runs a process for every core, with eight threads each.
DRAMATIQ_PLAIN = Peer(
    "Dramatiq, as its guide",
    {
        "web": [*_GUNICORN, "--workers", "2", f"{_PROGRAMS}.dramatiq_plain:web"],
        "worker": ["dramatiq", f"{_PROGRAMS}.dramatiq_plain"],
    },
)

DRAMATIQ_TUNED = Peer(
    "Dramatiq, tuned",
    {
        "web": [
            *_GUNICORN,
            *("--worker-class", "gthread", "--threads", "8", "--keep-alive", "60"),
            f"{_PROGRAMS}.dramatiq_tuned:web",
        ],
        "worker": [
            *("dramatiq", "--processes", "1", "--threads", "8"),
            f"{_PROGRAMS}.dramatiq_tuned",
        ],
    },
    # an idle worker asks for messages at least this often, in milliseconds
    {"dramatiq_worker_timeout": "20"},
)

#: Web and worker in one process.
BULLMQ = Peer("BullMQ", {"web": ["node", str(_BULLMQ / "bullmq.mjs")]})


def has_bullmq() -> bool:
    """Whether BullMQ can run here.

    Nothing is installed by a bench. Who wants it in the table needs Node 20 or newer, and runs
    `npm ci --prefix bench/pipelines/programs/bullmq` first.
    """
    return shutil.which("node") is not None and (_BULLMQ / "node_modules").is_dir()
