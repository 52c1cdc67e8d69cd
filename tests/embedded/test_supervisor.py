"""The supervisor, with small programs and with the two whose children are hard to end."""

import signal
import subprocess
from pathlib import Path

import pytest
from embedded.processes import Launch, eventually, running

from service.embedded.process import StartFailed
from service.embedded.supervisor import read_procfile


def procfile(directory: Path, *lines: str) -> Path:
    """Write a Procfile, and beside it an empty file for `tail -f` to wait on."""
    (directory / "quiet").touch()
    path = directory / "Procfile"
    path.write_text("\n".join(lines) + "\n")
    return path


def output(launcher: "subprocess.Popen[str]", seconds: float = 30) -> str:
    text, _ = launcher.communicate(timeout=seconds)
    return text


def test_release_runs_once_before_the_others(tmp_path: Path, launch: Launch) -> None:
    lines = (
        "web: sh -c 'cat released; exec sleep 600'",
        "release: sh -c 'echo once >> released'",
    )
    launcher = launch("supervisor", procfile(tmp_path, *lines))
    assert launcher.stdout
    assert launcher.stdout.readline() == "web     | once\n"
    launcher.send_signal(signal.SIGINT)
    assert output(launcher) == "Stopping\nstopped\n"


def test_nothing_starts_when_release_fails(tmp_path: Path, launch: Launch) -> None:
    lines = ("release: sh -c 'echo no; exit 3'", f"web: touch {tmp_path}/started")
    text = output(launch("supervisor", procfile(tmp_path, *lines)))
    assert "release | no\n" in text
    assert "ended with code 3" in text
    assert not (tmp_path / "started").exists()


def test_a_dead_process_is_started_again_after_a_growing_delay(
    tmp_path: Path, launch: Launch
) -> None:
    launcher = launch("supervisor", procfile(tmp_path, f"web: tail -f {tmp_path}/quiet"))
    (first,) = eventually(lambda: running(f"tail -f {tmp_path}"))
    subprocess.run(["/bin/kill", "-9", str(first)], check=True)
    (second,) = eventually(lambda: set(running(f"tail -f {tmp_path}")) - {first})
    subprocess.run(["/bin/kill", "-9", str(second)], check=True)
    eventually(lambda: set(running(f"tail -f {tmp_path}")) - {first, second})
    launcher.send_signal(signal.SIGTERM)
    text = output(launcher)
    assert "web | ended with code -9, starts again in 0.5 s" in text
    assert "web | ended with code -9, starts again in 1 s" in text
    assert not running(str(tmp_path))


def test_what_a_dead_process_leaves_is_ended_before_it_starts_again(
    tmp_path: Path, launch: Launch
) -> None:
    program = tmp_path / "program"
    program.write_text(f"tail -f {tmp_path}/quiet & wait")
    launch("supervisor", procfile(tmp_path, f"web: sh {program}"))
    # once there is a child, only the leader has its own command line
    (child,) = eventually(lambda: running(f"tail -f {tmp_path}"))
    (leader,) = running(f"sh {program}")
    subprocess.run(["/bin/kill", "-9", str(leader)], check=True)
    eventually(lambda: child not in running(f"tail -f {tmp_path}"))
    eventually(lambda: set(running(f"sh {program}")) - {leader})


def test_only_the_leader_is_asked_to_stop_and_it_may_finish(tmp_path: Path, launch: Launch) -> None:
    program = tmp_path / "program"
    program.write_text(
        f"tail -f {tmp_path}/quiet & child=$!\n"
        "trap 'kill -0 $child && echo child lives; exit' TERM\n"
        "echo ready; wait\n"
    )
    launcher = launch("supervisor", procfile(tmp_path, f"web: sh {program}"))
    assert launcher.stdout
    assert launcher.stdout.readline() == "web | ready\n"
    launcher.send_signal(signal.SIGTERM)
    assert output(launcher) == "Stopping\nweb | child lives\nstopped\n"
    assert not running(str(tmp_path))


def test_a_flood_of_output_does_not_deafen_it(tmp_path: Path, launch: Launch) -> None:
    launcher = launch("supervisor", procfile(tmp_path, "web: yes"))
    assert launcher.stdout
    assert launcher.stdout.readline() == "web | y\n"
    launcher.send_signal(signal.SIGTERM)
    assert output(launcher).endswith("stopped\n")


def test_a_second_signal_kills_at_once_what_does_not_stop(tmp_path: Path, launch: Launch) -> None:
    program = tmp_path / "program"
    program.write_text("trap 'echo no' TERM; echo ready; while :; do sleep 0.05; done")
    launcher = launch("supervisor", procfile(tmp_path, f"web: sh {program}"))
    assert launcher.stdout
    assert launcher.stdout.readline() == "web | ready\n"
    launcher.send_signal(signal.SIGINT)
    assert launcher.stdout.readline() == "Stopping\n"
    assert launcher.stdout.readline() == "web | no\n"
    launcher.send_signal(signal.SIGINT)
    assert output(launcher, seconds=5) == "stopped\n"
    assert not running(str(program))


def test_a_killed_supervisor_leaves_no_child_and_no_grandchild(
    tmp_path: Path, launch: Launch
) -> None:
    (tmp_path / "web.py").write_text("def application(environ, start_response): return []\n")
    (tmp_path / "stubborn").write_text("while :; do sleep 0.1; done\n")
    (tmp_path / "tiny.py").write_text("import celery\napp = celery.Celery(broker='memory://')\n")
    lines = (
        f"web: gunicorn -k gthread -w 2 -b 127.0.0.1:0 --no-control-socket --chdir {tmp_path} web",
        f"images: celery -A tiny --workdir {tmp_path} worker -P prefork -c 2 -n tiny@%h",
        f"other: sh -c 'sh {tmp_path}/stubborn & wait'",
    )
    launcher = launch("supervisor", procfile(tmp_path, *lines))
    eventually(lambda: len(running(f"sh {tmp_path}/stubborn")) == 2)
    # Each leader with two children.
    eventually(lambda: len(running(f"--chdir {tmp_path}")) == 3)
    eventually(lambda: len(running(f"--workdir {tmp_path}")) == 3)
    launcher.kill()
    eventually(lambda: not running(str(tmp_path)))


@pytest.mark.parametrize("line", ["web", "web:", ": gunicorn"])
def test_a_procfile_line_without_name_or_command_is_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(StartFailed, match=line):
        read_procfile(procfile(tmp_path, line))


def test_a_procfile_may_have_comments_and_empty_lines(tmp_path: Path) -> None:
    path = procfile(tmp_path, "# what runs", "", "web: gunicorn a:b --bind 127.0.0.1:$PORT")
    assert read_procfile(path) == {"web": "gunicorn a:b --bind 127.0.0.1:$PORT"}
