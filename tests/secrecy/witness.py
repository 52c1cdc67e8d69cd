"""Notes what a process keeps secret, and what it says where others read: the two must not meet.

Secrets are whatever the module `secrets` made for a key, a password or a signature, and what the
paid call carries for the webhook to prove itself with. Said is every log line, every command line
and everything that goes to the broker. The folder that `VARIABLE` names holds both, a file each,
from all processes.
"""

import contextlib
import logging
import os
import re
import secrets
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from egress import audit

VARIABLE = "SECRECY_FOLDER"
SECRETS, SAID = "secrets", "said"
#: What must never be said, by its form: whoever holds such a URL needs nothing else.
_FORMS = r"X-Amz-Signature=[0-9a-f]|/get_result\?|[?&]sig=[^*]"
#: Settings that are secrets.
_SETTINGS = ("SECRET_KEY", "FLUX_API_KEY", "AWS_SECRET_ACCESS_KEY")
#: A shorter one could be in anything by chance.
_MIN_SECRET_CHARS = 12
#: As the product makes them: what a fuzzer puts in their place is nobody's secret.
_IN_PAID_CALLS = re.compile(
    rb'"webhook_secret": ?"([0-9a-f]{64})"|/webhooks/flux/([\w-]{16,}\.[\w-]{16,})'
)


def install() -> None:
    """Put this process under watch."""
    _note(SAID, "\0".join(sys.orig_argv))
    keep(os.environ)
    urlsafe, plain, form = secrets.token_urlsafe, secrets.token_bytes, logging.Handler.format

    def token_urlsafe(size_bytes: int | None = None) -> str:
        made = urlsafe(size_bytes)
        _keep([made])
        return made

    def token_bytes(size_bytes: int | None = None) -> bytes:
        made = plain(size_bytes)
        _keep([b64encode(made).decode()])
        return made

    def formatted(handler: logging.Handler, record: logging.LogRecord) -> str:
        line = form(handler, record)
        # as the product writes it; pytest's handlers see a record before it is a line
        if type(handler.formatter).__name__ == "ProcessorFormatter":
            _note(SAID, line)
        return line

    setattr(secrets, "token_urlsafe", token_urlsafe)  # noqa: B010 - mypy knows them as they were
    setattr(secrets, "token_bytes", token_bytes)  # noqa: B010
    setattr(logging.Handler, "format", formatted)  # noqa: B010
    audit.watchers.append(_sent)


def keep(environment: Mapping[str, str]) -> None:
    """Look for the secrets that an environment names from now on."""
    for name in _SETTINGS:
        _keep(environment.get(name, "").split(","))


def say(lines: Iterable[str]) -> None:
    """Note what others can read, however they do."""
    for line in lines:
        _note(SAID, line)


def spilt(folder: Path) -> list[str]:
    """Return what was said although it is a secret, or has the form of one."""
    known = folder / "known"
    known.write_text("\n".join(sorted(set((folder / SECRETS).read_text().split()))) + "\n")
    command = ["grep", "--only-matching", "--text", "--no-filename"]
    found = []
    for pattern in (["--fixed-strings", "--file", str(known)], ["--extended-regexp", _FORMS]):
        searched = subprocess.run(
            [*command, *pattern, str(folder / SAID)], capture_output=True, text=True, check=False
        )
        # 1 is grep's word for nothing found
        assert searched.returncode in {0, 1}, searched.stderr
        found += searched.stdout.splitlines()
    return sorted(set(found))


def summary(folder: Path) -> str:
    """Say in a line how much was compared."""
    said = folder / SAID
    many = len(set((folder / SECRETS).read_text().split()))
    return f"{many} secrets, {said.stat().st_size / 1e6:.0f} MB of logs, commands and messages"


def _sent(peer: str, data: bytes) -> None:
    for groups in _IN_PAID_CALLS.findall(data):
        _keep(one.decode() for one in groups)
    broker = urlsplit(os.environ.get("CELERY_BROKER_URL", ""))
    if peer == f"{broker.hostname}:{broker.port}":
        # the broker may hear its own password
        own = unquote(broker.password or "").encode()
        _note(SAID, (data.replace(own, b"") if own else data).decode("latin-1"))


def _keep(made: Iterable[str]) -> None:
    for secret in made:
        if len(secret) >= _MIN_SECRET_CHARS:
            _note(SECRETS, secret)


def _note(file: str, text: str) -> None:
    folder = os.environ.get(VARIABLE)
    if folder:
        # one write at the end of the file, so that lines of many processes do not mix
        with contextlib.suppress(FileNotFoundError), (Path(folder) / file).open("ab", 0) as lines:
            lines.write(text.replace("\n", " ").encode(errors="replace") + b"\n")
