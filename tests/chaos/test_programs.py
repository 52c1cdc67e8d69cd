"""What dies is started again; what is not ours is not touched."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.programs import Programs, Victim
from fakes.waiting import wait_until

#: A program that starts a child and waits, as gunicorn and Celery's pools do.
PARENT = f'{sys.executable} -c "import os, time; os.fork(); time.sleep(60)"'


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with Programs({"one": PARENT, "two": PARENT}, os.environ, tmp_path, tmp_path) as programs:
        wait_until(lambda: len(programs.members()), (4).__eq__)
        yield programs


def leader(programs: Programs, name: str) -> Victim:
    (found,) = [one for one in programs.members() if one.program == name and one.leads]
    return found


def test_a_killed_leader_takes_its_group_along_and_comes_back(programs: Programs) -> None:
    before = programs.members()
    assert programs.signal(leader(programs, "one"), signal.SIGKILL)

    def new() -> list[Victim]:
        return [one for one in programs.members() if one not in before]

    after = wait_until(new, lambda found: len(found) == 2)
    assert {one.program for one in after} == {"one"}
    assert not {one for one in before if one.program == "one"} & set(programs.members())
    assert programs.restarts == {"one": 1, "two": 0}


def test_a_process_that_is_not_ours_is_never_signalled(programs: Programs) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        for victim in (
            Victim("one", stranger.pid, leads=True),
            Victim("one", stranger.pid, leads=False),
            Victim("one", os.getpid(), leads=False),
        ):
            assert not programs.signal(victim, signal.SIGKILL)
        assert stranger.poll() is None


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Programs({"one": PARENT}, os.environ, tmp_path, tmp_path) as programs:
        wait_until(lambda: len(programs.members()), (2).__eq__)
    wait_until(programs.members, [].__eq__)


def test_a_program_that_is_started_anew_has_its_variables_once(
    programs: Programs, tmp_path: Path
) -> None:
    says = f"{sys.executable} -c \"import os; print('more', os.environ.get('MORE'), flush=True)\""
    before = leader(programs, "one")
    programs.start("one", says, MORE="once")
    log = tmp_path / "one.log"
    said = wait_until(lambda: log.read_text().splitlines(), lambda lines: len(lines) >= 2)
    assert said[:2] == ["more once", "more None"]
    assert before not in programs.members()


def test_a_program_that_is_ended_does_not_come_back(programs: Programs) -> None:
    programs.end("one")
    assert {one.program for one in programs.members()} == {"two"}
    assert "one" not in programs.restarts
