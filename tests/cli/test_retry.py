"""`darkroom jobs retry`: what a job was to do, handed in once more."""

from cli.command_line import CommandLine
from cli.working import job_name
from factories import PROMPT, enqueue

from service.keys import NewKey
from service.wiring import Wiring


def test_a_job_that_ended_is_handed_in_once_more_as_a_job_of_its_own(
    darkroom: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    first = job_name(enqueue(wiring, key))
    assert darkroom("jobs", "cancel", first).code == 0
    again = darkroom("jobs", "retry", first, "--json").json
    assert again["id"] != first
    assert (again["status"], again["retry_of"]) == ("queued", first)
    assert again["input"]["prompt"] == PROMPT
    assert f"retry of   {first}\n" in darkroom("jobs", "get", again["id"]).out


def test_each_command_makes_a_job(darkroom: CommandLine, wiring: Wiring, key: NewKey) -> None:
    first = job_name(enqueue(wiring, key))
    darkroom("jobs", "cancel", first)
    made = {darkroom("jobs", "retry", first, "--json").json["id"] for _ in range(2)}
    assert len(made) == 2


def test_a_job_that_may_still_bring_an_image_is_not_handed_in_again(
    darkroom: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    done = darkroom("jobs", "retry", job_name(enqueue(wiring, key)))
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: ")
    assert len(darkroom("jobs", "list", "--json").lines) == 1
