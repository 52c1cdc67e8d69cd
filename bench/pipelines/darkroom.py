"""Darkroom as its Procfile runs it."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.running import ROOT, Caller, execute
from service.embedded.supervisor import read_procfile


@dataclass(frozen=True)
class Darkroom:
    """All promises on; thumbnails and sidecars are made by a process of their own."""

    has_thumbnails: bool = False
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As the table shows it."""
        return "Darkroom, thumbnails too" if self.has_thumbnails else "Darkroom"

    def prepare(self, environment: Mapping[str, str]) -> Caller:
        """Migrate, and make a key."""
        execute([sys.executable, "-m", "alembic", "upgrade", "head"], environment)
        made = json.loads(
            execute([sys.executable, "-m", "service", "keys", "create", "--json"], environment)
        )
        return Caller(made["api_key"], made["callback_secret"])

    def commands(self) -> Mapping[str, Sequence[str]]:
        """Return the Procfile's processes."""
        names = ["web", "worker", "beat", *(["images"] if self.has_thumbnails else [])]
        written = read_procfile(ROOT / "Procfile")
        return {name: shlex.split(written[name]) for name in names}

    def environment(self, place: Path) -> Mapping[str, str]:
        """Return our own variables."""
        return {
            "SECRET_KEY": "a-key-for-benches-long-enough-to-be-one",
            "FLUX_PROVIDER": "simulator",
            "FLUX_API_KEY": "any",
            "EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "DARKROOM_HOME": str(place),
            **self.more,
        }
