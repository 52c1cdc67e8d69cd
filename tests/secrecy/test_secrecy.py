"""A run of the tests fails when a secret is said anywhere; the whole run is under this watch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import enqueue
from fakes.silent_peer import silent_peer
from secrecy.database import shown

from service.keys import NewKey
from service.wiring import Wiring

ROOT = Path(__file__).parents[2]
START = """
import os, secrets, socket, subprocess, sys
from service.logs import configure_logs, get_log

def tell(data):
    place = os.environ["CELERY_BROKER_URL"][8:-2].split(":")
    with socket.create_connection((place[0], int(place[1]))) as broker:
        broker.sendall(data)

def test_leak():
    configure_logs("info")
    secret = secrets.token_urlsafe(32)
    """
LEAKS = {
    "log": 'get_log("x").info("made", made=secret)',
    "error": """
    try:
        raise ValueError(secret)
    except ValueError:
        get_log("x").exception("crashed")
""",
    "command line": 'subprocess.run([sys.executable, "-c", "", secret], check=True)',
    "broker": "tell(secret.encode())",
    "paid call's secret": 'tell(b\'{"webhook_secret": "%s"}\' % (b"0f" * 32))',
    "paid call's token": 'tell(b\'{"": "/webhooks/flux/%s.%s"}\' % (b"Ij" * 23, b"s_" * 21))',
    "log of another process": """
    code = "import sys; from service.logs import *; configure_logs('info');"
    code += "get_log('x').info('made', made=sys.stdin.read())"
    subprocess.run([sys.executable, "-c", code], input=secret.encode(), check=True)
""",
    "presigned URL": 'subprocess.run([sys.executable, "-c", "", "http://s3/?sig=0"], check=True)',
    "polling URL": 'get_log("x").info("made", made="http://127.0.0.1/v1/get_result?id=1")',
}


def run(folder: Path, leak: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a test that says its secret, in a pytest that is watched."""
    (folder / "test_leak.py").write_text(START + leak)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "secrecy.plugin",
            "-p",
            "egress.plugin",
            str(folder),
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("place", LEAKS)
def test_a_run_in_which_a_secret_is_said_fails_although_every_test_passed(
    place: str, tmp_path: Path
) -> None:
    with silent_peer() as port:
        done = run(tmp_path, LEAKS[place], CELERY_BROKER_URL=f"redis://127.0.0.1:{port}/0")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert " was said" in done.stdout
    assert done.returncode == pytest.ExitCode.INTERRUPTED


#: What a fuzzer sends in place of a secret, with what it says of the same.
INNOCENT = {
    "start of a secret": 'get_log("x").info("made", made=secret[:4])',
    "number where a token belongs": 'tell(b"POST /webhooks/flux/%s HTTP/1.1" % (b"9" * 30))',
    "word where a secret belongs": 'tell(b\'{"webhook_secret": "bytes=9999999999999999999999-"}\')',
}


@pytest.mark.parametrize("said", INNOCENT)
def test_a_run_that_keeps_its_secrets_passes(said: str, tmp_path: Path) -> None:
    with silent_peer() as port:
        done = run(tmp_path, INNOCENT[said], CELERY_BROKER_URL=f"redis://127.0.0.1:{port}/0")
    assert " was said" not in done.stdout
    assert done.returncode == pytest.ExitCode.OK


def test_events_and_errors_of_a_database_are_among_what_is_searched(
    wiring: Wiring, key: NewKey, environment: dict[str, str]
) -> None:
    enqueue(wiring, key)
    assert "Accepted into the queue" in "".join(shown(environment["DATABASE_URL"]))
