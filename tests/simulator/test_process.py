import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3
from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator
from fakes.waiting import wait_until


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_a_second_whatever_is_going_on(
    ledger_path: Path, signum: signal.Signals
) -> None:
    simulator = Simulator.start(ledger_path)
    simulator.set_fault("accept_then_hang", args={"seconds": 60})
    caller = FluxCaller(simulator.url)
    idle = socket.create_connection(("127.0.0.1", int(simulator.url.rpartition(":")[2])))
    hanging = socket.create_connection(idle.getpeername())
    body = b'{"prompt": "x"}'
    head = f"POST /v1/flux-2-pro HTTP/1.1\r\nx-key: {caller.key}\r\nContent-Length: {len(body)}"
    hanging.sendall(f"{head}\r\n\r\n".encode() + body)
    wait_until(simulator.state, lambda state: state["active"] == 1)
    assert simulator.process
    started = time.monotonic()
    os.kill(simulator.process.pid, signum)
    assert simulator.process.wait(5) == 0
    assert time.monotonic() - started < 1
    for connection in (idle, hanging):
        connection.close()
    caller.close()
    simulator.stop()


def test_the_ready_line_names_the_process_that_answers(ledger_path: Path) -> None:
    command = [sys.executable, "-m", "service.simulator", "--ledger", str(ledger_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        with urllib3.PoolManager() as http:
            health = http.request("GET", f"{ready['url']}/healthz")
        process.terminate()
    assert ready["pid"] == process.pid
    assert (health.status, health.json()["nonce"]) == (200, ready["nonce"])
    assert ready["url"].startswith("http://127.0.0.1:")


def test_a_wrong_flag_ends_it_with_the_flags_name(ledger_path: Path) -> None:
    command = [sys.executable, "-m", "service.simulator", "--ledger", str(ledger_path)]
    wrong = subprocess.run(
        [*command, "--proofs", "none"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode != 0
    assert "--proofs" in wrong.stderr


def test_one_can_attach_to_a_running_simulator(simulator: Simulator) -> None:
    with Simulator(simulator.url) as attached:
        assert attached.state()["settings"] == simulator.state()["settings"]
    assert simulator.state()["active"] >= 0


def test_one_connection_serves_many_requests(caller: FluxCaller) -> None:
    task_id = caller.submitted()
    caller.finished(task_id)
    pool = caller.http.connection_from_url(caller.url)
    assert pool.num_requests >= 2
    assert pool.num_connections == 1


def test_it_imports_nothing_of_the_service_it_judges() -> None:
    script = "import sys, service.simulator.command; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    ours = {name for name in loaded if name.startswith(("service.", "workers"))}
    assert "service.simulator.tasks" in ours
    assert all(name.split(".")[1] == "simulator" for name in ours)
