"""`darkroom batches`: a file of jobs, handed in once however often the command is run."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli.command_line import ROOT, CommandLine
from cli.working import working
from fakes.scripted_peer import ScriptedPeer, answer, ok

from service.wiring import Wiring


def line(**more: object) -> str:
    given = {"prompt": "a red fox", "width": 256, "height": 256, **more}
    return json.dumps({"model": "flux-2-pro", "input": given})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three jobs, and an empty line."""
    path = tmp_path / "jobs.jsonl"
    path.write_text(f"{line(seed=1)}\n\n{line(seed=2)}\n{line(seed=3)}\n")
    return path


def test_a_file_is_handed_in_followed_to_its_end_and_its_images_are_saved(
    darkroom: CommandLine, wiring: Wiring, file: Path, tmp_path: Path
) -> None:
    with working(wiring):
        done = darkroom("batches", "submit", str(file), "--metadata", "order=17", "--wait")
    assert done.code == 0
    # no terminal: a line at once, and one every few seconds
    assert done.err.startswith(f"[{'.' * 30}] 0/3  ")
    assert "jobs       3: 3 succeeded\n" in done.out
    (batch,) = darkroom("batches", "list", "--json").lines
    assert (batch["status"], batch["metadata"]) == ("completed", {"order": "17"})
    assert darkroom("batches", "get", batch["id"], "--json").json == batch
    table = darkroom("batches", "list").out.splitlines()
    assert table[0].split() == ["ID", "STATUS", "CREATED", "JOBS"]
    assert table[1].split()[0] == batch["id"]
    jobs = darkroom("jobs", "list", "--batch", batch["id"], "--json").lines
    assert sorted(job["input"]["seed"] for job in jobs) == [1, 2, 3]
    saved = darkroom(
        *("images", "download", "--batch", batch["id"], "--to", str(tmp_path / "in"), "--json")
    ).lines
    assert {one["id"] for one in saved} == {job["images"][0]["id"] for job in jobs}


def test_the_same_file_finds_the_same_batch_and_another_key_makes_it_anew(
    darkroom: CommandLine, file: Path
) -> None:
    command = ("batches", "submit", str(file))
    made = darkroom(*command, "--json").json
    assert len(made["job_ids"]) == 3
    assert (
        darkroom("batches", "submit", "-", "--json", stdin=file.read_text()).json["id"]
        == (made["id"])
    )
    again = darkroom(*command)
    assert again.err == f"{made['id']}: it was handed in before; another --key makes it anew\n"
    assert len(darkroom("jobs", "list", "--json").lines) == 3
    assert darkroom(*command, "--key", "anew", "--json").json["id"] != made["id"]
    assert len(darkroom("jobs", "list", "--json").lines) == 6


def test_more_lines_than_a_batch_takes_are_several(darkroom: CommandLine) -> None:
    lines = "\n".join(line(seed=seed) for seed in range(1001))
    command = ("batches", "submit", "-", "--key", "many", "--json")
    made = darkroom(*command, stdin=lines).lines
    assert [batch["counts"]["total"] for batch in made] == [1000, 1]
    found = darkroom(*command, stdin=lines).lines
    assert [batch["id"] for batch in found] == [batch["id"] for batch in made]


def test_a_wrong_line_is_named_before_anything_is_sent(darkroom: CommandLine) -> None:
    lines = [line(), "{", "[1]", '{"model": "a", "model": "b"}', '{"a": NaN}']
    with ScriptedPeer(answer(ok())) as api:
        done = darkroom("batches", "submit", "-", "--url", api.url, stdin="\n".join(lines))
        assert api.connections == 0
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        "Error: Nothing was handed in.",
        "line 2: it is not JSON: Expecting property name enclosed in double quotes at column 2",
        "line 3: it is not a JSON object",
        "line 4: a name stands in one object twice",
        "line 5: NaN is no number of JSON",
    ]
    assert darkroom("batches", "submit", "-", stdin="\n").err == "Error: the file holds no jobs\n"


def test_what_the_api_refuses_is_named_by_the_line_of_the_file(darkroom: CommandLine) -> None:
    lines = [line(), "", line(width=1), line(widht=256)]
    done = darkroom("batches", "submit", "-", stdin="\n".join(lines))
    assert (done.code, done.out) == (1, "")
    told = done.err.splitlines()
    assert [text.split(": ")[:2] for text in told[1:]] == [
        ["line 3", "/input/width"],
        ["line 4", "/input/widht"],
    ]
    assert darkroom("jobs", "list", "--json").lines == []


def test_a_batch_is_withdrawn_and_one_that_did_not_succeed_ends_with_1(
    darkroom: CommandLine, wiring: Wiring, file: Path
) -> None:
    batch_id = darkroom("batches", "submit", str(file), "--json").json["id"]
    counts = darkroom("batches", "cancel", batch_id, "--json").json["counts"]
    assert (counts["total"], counts["canceled"]) == (3, 3)
    wiring.sweep()
    watched = darkroom("batches", "watch", batch_id, "--json")
    assert (watched.code, watched.err) == (1, "")
    assert watched.json["counts"]["canceled"] == 3


def test_on_a_terminal_there_is_a_bar_and_ctrl_c_leaves_the_batch_running(
    darkroom: CommandLine, file: Path
) -> None:
    terminal, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "service", "batches", "submit", str(file), "--wait"],
        cwd=ROOT,
        env={"PATH": os.defpath, "LANG": "C.UTF-8", **darkroom.environment},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while b"0/3" not in shown:
            shown += os.read(terminal, 4096)
        assert b"\r\x1b[K[....." in shown
        process.send_signal(signal.SIGINT)
        (batch,) = darkroom("batches", "list", "--json").lines
        while batch["id"].encode() not in shown:
            shown += os.read(terminal, 4096)
        assert process.wait(30) == 130
    os.close(terminal)
    assert f"darkroom batches watch {batch['id']}".encode() in shown
    assert batch["counts"]["queued"] == 3
