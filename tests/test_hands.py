"""Hands: as many threads as there is work, and the same ones again and again."""

import queue
import subprocess
import sys
import threading

import pytest
from fakes.waiting import wait_until

from service import hands
from service.hands import Hands


def test_work_that_hangs_holds_nobody_up() -> None:
    mine, go_on = Hands("test"), threading.Event()
    done: queue.SimpleQueue[int] = queue.SimpleQueue()
    mine.give(lambda: go_on.wait(10))
    for number in range(5):
        mine.give(lambda number=number: done.put(number))  # type: ignore[misc] # a default is no argument
    assert {done.get(timeout=10) for _ in range(5)} == set(range(5))
    go_on.set()


def test_threads_are_used_again() -> None:
    mine = Hands("test")
    seen: queue.SimpleQueue[int] = queue.SimpleQueue()
    idents = set()
    for _ in range(50):
        mine.give(lambda: seen.put(threading.get_ident()))
        idents.add(seen.get(timeout=10))
        wait_until(lambda: mine._idle, (1).__eq__)  # noqa: SLF001 - it tells nobody else
    assert len(idents) == 1


def test_threads_that_nobody_needs_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "IDLE_SECONDS", 0.05)
    mine = Hands("ends-soon")
    done = threading.Event()
    mine.give(done.set)
    assert done.wait(10)
    wait_until(
        lambda: [one for one in threading.enumerate() if one.name == "ends-soon"],
        lambda found: not found,
    )
    again = threading.Event()
    mine.give(again.set)
    assert again.wait(10)


def test_a_process_ends_although_work_hangs() -> None:
    code = "from service.hands import Hands; import time; Hands('x').give(lambda: time.sleep(60))"
    subprocess.run([sys.executable, "-c", code], timeout=20, check=True)
