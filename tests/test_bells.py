"""Bells: a worker of this host is rung by a pipe, and over the broker only if none hears it."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.ringing import Ringing
from fakes.waiting import wait_until

from service.bells import LANES, Bell, Bells
from service.messages import Message
from service.wiring import Wiring

#: Who waits for a ring that never comes must not wait long.
pytestmark = pytest.mark.timeout(10)

#: What a worker that leaves its rings unread may swallow.
HANDFUL = 20

_WORKER = """
import sys
from pathlib import Path
from service.bells import Bell

Bell(Path(sys.argv[1]), lambda message: print(message.value, flush=True)).hang()
print("hung", flush=True)
sys.stdin.read()
"""


class Worker:
    """A process with a bell, which prints what it hears."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.hears() == "hung"

    def hears(self) -> str:
        """Wait for the next line."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.communicate()


StartWorker = Callable[[], Worker]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the bells of a host hang; longer than the address of a socket may be."""
    return tmp_path / ("long" * 30) / "bells"


@pytest.fixture
def start(folder: Path) -> Iterator[StartWorker]:
    """Start workers of this host."""
    with contextlib.ExitStack() as workers:

        def start() -> Worker:
            worker = Worker(folder)
            workers.callback(worker.kill)
            return worker

        yield start


@pytest.fixture
def broker() -> Ringing:
    """What was rung over the broker."""
    return Ringing()


@pytest.fixture
def ring(folder: Path, broker: Ringing) -> Bells:
    """Whoever rings."""
    return Bells(folder, broker)


def test_a_worker_of_this_host_is_rung_without_the_broker(
    start: StartWorker, ring: Bells, broker: Ringing
) -> None:
    worker = start()
    for message in LANES:
        ring(message)
        assert worker.hears() == message.value
    assert broker.rung == []


def test_what_no_lane_does_goes_over_the_broker(
    start: StartWorker, ring: Bells, broker: Ringing
) -> None:
    start()
    others = [message for message in Message if message not in LANES]
    for message in others:
        ring(message)
    assert broker.rung == others


def test_every_lane_of_a_worker_can_be_rung(wiring: Wiring, ringing: Ringing) -> None:
    assert set(wiring.lanes(ringing)) == LANES


def test_where_no_worker_ever_was_the_broker_is_rung(
    folder: Path, ring: Bells, broker: Ringing
) -> None:
    ring(Message.SUBMIT)
    folder.mkdir(parents=True)
    ring(Message.STORE)
    assert broker.rung == [Message.SUBMIT, Message.STORE]


def test_workers_take_turns(start: StartWorker, ring: Bells, broker: Ringing) -> None:
    workers = [start(), start()]
    for _ in range(3):
        ring(Message.SUBMIT)
        ring(Message.SUBMIT)
        assert [worker.hears() for worker in workers] == ["darkroom.submit"] * 2
    assert broker.rung == []


def test_a_killed_workers_bell_is_removed_and_the_next_is_rung(
    start: StartWorker, folder: Path, ring: Bells, broker: Ringing
) -> None:
    killed, other = start(), start()
    killed.kill()
    for _ in range(4):
        ring(Message.SUBMIT)
        assert other.hears() == "darkroom.submit"
    assert len(list(folder.iterdir())) == 1
    other.kill()
    ring(Message.STORE)
    assert broker.rung == [Message.STORE]
    assert list(folder.iterdir()) == []


def test_a_frozen_worker_swallows_no_more_than_a_handful_and_is_rung_again_when_it_goes_on(
    start: StartWorker, folder: Path, ring: Bells, broker: Ringing
) -> None:
    frozen = start()
    os.kill(frozen.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, frozen.process.pid, os.WSTOPPED)
    for _ in range(100):
        ring(Message.SUBMIT)
    assert 100 - HANDFUL < len(broker.rung) < 100

    # another worker is rung instead
    awake = start()
    for _ in range(4):
        ring(Message.STORE)
        assert awake.hears() == "darkroom.store"
    awake.kill()

    os.kill(frozen.process.pid, signal.SIGCONT)
    # its rings have waited, and are one
    assert frozen.hears() == "darkroom.submit"
    ring(Message.STORE)
    assert frozen.hears() == "darkroom.store"


def test_what_a_stranger_writes_is_harmless(
    start: StartWorker, folder: Path, ring: Bells, broker: Ringing
) -> None:
    worker = start()
    (bell,) = folder.iterdir()
    with bell.open("wb", buffering=0) as pipe:
        pipe.write(b"\xff\0 nonsense\ndarkroom.discard\nsubmit\n\n")
    ring(Message.SUBMIT)
    assert worker.hears() == "darkroom.submit"
    assert broker.rung == []


def test_a_file_that_is_no_bell_takes_no_rings(folder: Path, ring: Bells, broker: Ringing) -> None:
    folder.mkdir(parents=True)
    (folder / "copy").write_bytes(b"")
    (folder / "place").mkdir()
    for _ in range(2):
        ring(Message.SUBMIT)
    assert broker.rung == [Message.SUBMIT] * 2
    assert (folder / "copy").read_bytes() == b""


def test_a_bell_that_is_just_being_hung_is_left_alone(
    folder: Path, ring: Bells, broker: Ringing
) -> None:
    folder.mkdir(parents=True)
    os.mkfifo(folder / ".new")
    ring(Message.SUBMIT)
    assert broker.rung == [Message.SUBMIT]
    assert (folder / ".new").exists()


def test_a_bell_that_was_taken_down_is_rung_no_more(
    folder: Path, ring: Bells, broker: Ringing
) -> None:
    bell = Bell(folder, Ringing())
    bell.hang()
    bell.take_down()
    bell.take_down()
    ring(Message.SUBMIT)
    assert broker.rung == [Message.SUBMIT]
    assert list(folder.iterdir()) == []


def test_where_there_can_be_no_bell_the_log_says_so(
    folder: Path, ring: Bells, broker: Ringing, lines: io.StringIO
) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("no folder")
    Bell(folder, Ringing()).hang()
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert (line["event"], line["level"]) == ("bell_missing", "warning")
    ring(Message.SUBMIT)
    assert broker.rung == [Message.SUBMIT]


def test_who_is_told_no_other_way_rings_the_workers_of_its_home(
    wiring: Wiring, ringing: Ringing
) -> None:
    wiring.bell.hang()
    Wiring(wiring.settings).sender(Message.SUBMIT)
    wait_until(lambda: ringing.rung, [Message.SUBMIT].__eq__)
    wiring.bell.take_down()
