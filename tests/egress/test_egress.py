"""The audit sees a key wherever it goes; the whole run of the tests is under it."""

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from egress import audit
from fakes.scripted_peer import ScriptedPeer, answer, ok

KEY = "audited-key"
ROOT = Path(__file__).parents[2]

SEND = """
import sys, urllib3
http = urllib3.PoolManager(retries=False, cert_reqs="CERT_NONE")
http.request("POST", sys.argv[1], body=b"{}", headers={"x-key": sys.argv[2]})
"""


ANSWER = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as listener:
    caller = socket.create_connection(listener.getsockname())
    caller.sendall(b"?")
    called, _ = listener.accept()
    called.sendall(sys.argv[1].encode())
"""


def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An audit of this test's own."""
    file = tmp_path / "audit.jsonl"
    file.touch()
    return file


def send(file: Path, peer: ScriptedPeer, key: str = KEY, **more: str) -> None:
    """Let a process of its own, which knows KEY, send one."""
    environment = {"FLUX_API_KEY": KEY, **more, **audit.variables(file)}
    command = [sys.executable, "-W", "ignore", "-c", SEND, peer.url, key]
    subprocess.run(command, env=environment, check=True)


def test_a_key_that_goes_to_its_upstream_is_fine(file: Path) -> None:
    with ScriptedPeer(answer(ok())) as upstream:
        send(file, upstream, FLUX_API_URL=upstream.url)
    assert audit.leaks(file) == []
    assert audit.summary(file) == "1 addresses were sent something, 1 of them a key"


@pytest.mark.parametrize("tls", [None, server_tls()], ids=["http", "https"])
def test_a_key_that_goes_elsewhere_is_a_leak(file: Path, tls: ssl.SSLContext | None) -> None:
    with ScriptedPeer(answer(ok())) as upstream, ScriptedPeer(answer(ok()), tls=tls) as foreign:
        send(file, foreign, "a-key-of-no-upstream", FLUX_API_URL=upstream.url)
        assert audit.leaks(file) == []
        send(file, foreign, FLUX_API_URL=upstream.url)
    assert audit.leaks(file) == [(f"127.0.0.1:{foreign.port}", KEY)]


def test_an_answer_to_somebody_who_called_is_no_request(file: Path) -> None:
    environment = {"FLUX_API_KEY": KEY, **audit.variables(file)}
    subprocess.run([sys.executable, "-c", ANSWER, KEY], env=environment, check=True)
    (line,) = file.read_text().splitlines()
    assert '"keys": []' in line


def test_each_key_is_for_its_own_upstream_only(file: Path) -> None:
    with ScriptedPeer(answer(ok())) as one, ScriptedPeer(answer(ok())) as other:
        both = {"FLUX_API_KEY": f"{KEY},second-key", "FLUX_API_URL": f"{one.url},{other.url}"}
        send(file, one, KEY, **both)
        send(file, other, "second-key", **both)
        assert audit.leaks(file) == []
        send(file, other, KEY, **both)
    assert audit.leaks(file) == [(f"127.0.0.1:{other.port}", KEY)]


LEAKING_TEST = """
import subprocess, sys
from egress import audit

def test_leak():
    audit.allow("http://127.0.0.1:9", "audited-key")
    {start}
"""
IN_PROCESS = "sys.argv = ['', {url!r}, 'audited-key']; exec({code!r})"


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_a_run_with_a_leak_fails_although_every_test_passed(
    tmp_path: Path, workers: list[str]
) -> None:
    with ScriptedPeer(answer(ok())) as foreign:
        start = IN_PROCESS.format(url=foreign.url, code=SEND)
        (tmp_path / "test_leak.py").write_text(LEAKING_TEST.format(start=start))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "egress.plugin", *workers, "test_leak.py"],
            cwd=tmp_path,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT / "tests")},
            capture_output=True,
            text=True,
            check=False,
        )
    assert "1 passed" in done.stdout
    assert f"egress: {KEY} went to 127.0.0.1:{foreign.port}" in done.stdout
    assert done.returncode == pytest.ExitCode.INTERRUPTED
