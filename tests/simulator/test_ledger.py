import hashlib
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fakes.flux_caller import FluxCaller
from fakes.simulator import Simulator
from simulator.images import encoded


def _lines(path: Path, kind: str) -> list[dict[str, object]]:
    found = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [line for line in found if line["kind"] == kind]


def test_an_accepted_line_says_what_was_paid_for_and_hides_the_secret(
    simulator: Simulator, caller: FluxCaller
) -> None:
    hook = "http://127.0.0.1:9/hook"
    task_id = caller.submitted(width=512, webhook_url=hook, webhook_secret="whisper")
    (line,) = [line for line in simulator.ledger("accepted") if line["task_id"] == task_id]
    assert line["request"] == {
        "prompt": "a red fox",
        "width": 512,
        "webhook_url": hook,
        "webhook_secret": hashlib.sha256(b"whisper").hexdigest(),
    }
    assert (line["form"], line["model"], line["cost"]) == ("bfl", "flux-2-pro", 3.0)
    assert line["inputs"] == {}
    assert line["active"] >= 1
    assert line["ts"].endswith("+00:00")


def test_a_whole_image_in_a_body_is_kept_as_a_digest(
    simulator: Simulator, caller: FluxCaller
) -> None:
    image, prompt = encoded(1300, 1300), "long " * 2000
    caller.submitted(prompt=prompt, input_image=image)
    request = simulator.ledger("accepted")[-1]["request"]
    digest = hashlib.sha256(image.encode()).hexdigest()
    assert request == {"prompt": prompt, "input_image": {"sha256": digest, "chars": len(image)}}


def test_a_ready_line_has_the_digest_of_the_bytes_that_are_served(
    simulator: Simulator, caller: FluxCaller
) -> None:
    task_id = caller.submitted()
    data = caller.download(task_id).data
    (line,) = [line for line in simulator.ledger("ready") if line["task_id"] == task_id]
    assert (line["sha256"], line["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))


def test_a_refused_submission_leaves_no_line(simulator: Simulator, caller: FluxCaller) -> None:
    before = len(simulator.ledger("accepted"))
    assert caller.submit(width=1).status == 422
    assert len(simulator.ledger("accepted")) == before


def test_what_was_answered_is_in_the_file_even_if_the_process_is_killed(ledger_path: Path) -> None:
    simulator = Simulator.start(ledger_path)
    with FluxCaller(simulator.url) as caller, ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(lambda _: caller.submitted(), range(24)))
    assert simulator.process
    os.kill(simulator.process.pid, signal.SIGKILL)
    simulator.process.wait()
    simulator.stop()
    assert {line["task_id"] for line in _lines(ledger_path, "accepted")} == ids


def test_a_restart_goes_on_with_the_same_ledger(ledger_path: Path) -> None:
    ids = []
    for _ in range(2):
        with Simulator.start(ledger_path) as simulator, FluxCaller(simulator.url) as caller:
            ids.append(caller.submitted())
    with Simulator.start(ledger_path) as simulator:
        ledger = simulator.control("GET", "ledger?kind=accepted")
    assert [line["task_id"] for line in ledger["lines"]] == ids
    assert (ledger["counts"]["accepted"], ledger["spent_credits"]) == (2, 6.0)


def test_a_line_torn_by_a_crash_spoils_no_other(ledger_path: Path) -> None:
    ledger_path.write_bytes(b'{"kind": "accepted", "cost": 3.0}\n{"kind": "acce')
    with Simulator.start(ledger_path) as simulator:
        with FluxCaller(simulator.url) as caller:
            caller.submitted()
        assert len(simulator.ledger("accepted")) == 2
        assert simulator.state()["counts"]["accepted"] == 2
