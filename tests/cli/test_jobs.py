from pathlib import Path

from cli.command_line import CommandLine
from cli.working import job_name, working
from factories import PROMPT, enqueue, run
from journeys.running_service import RunningService

from service.keys import NewKey
from service.wiring import Wiring


def test_a_job_is_handed_in_waited_for_and_looked_up(
    darkroom: CommandLine, wiring: Wiring, web: RunningService
) -> None:
    with working(wiring):
        done = darkroom(
            *("jobs", "submit", "flux-2-pro", "--prompt", "a red fox", "--wait", "30", "--json"),
            *("--set", "width=256", "--set", "output_format=png", "--metadata", "order=17"),
        )
    assert (done.code, done.err) == (0, "")
    job = done.json
    assert job["status"] == "succeeded"
    assert job["input"] == {
        "prompt": "a red fox",
        "width": 256,
        "output_format": "png",
        **{name: job["input"][name] for name in job["input"] if name == "height"},
    }
    assert job["metadata"] == {"order": "17"}
    assert darkroom("jobs", "get", job["id"], "--json").json["images"][0]["width"] == 256
    shown = darkroom("jobs", "get", job["id"]).out
    assert f"id         {job['id']}\nstatus     succeeded\n" in shown
    assert f"page       {web.url}/jobs/{job['id']}\n" in shown
    watched = darkroom("jobs", "watch", job["id"], "--json")
    assert watched.code == 0
    assert [event["seq"] for event in watched.lines] == list(range(1, len(watched.lines) + 1))


def test_a_job_is_put_off_preferred_and_handed_in_once_by_its_key(darkroom: CommandLine) -> None:
    command = (
        *("jobs", "submit", "flux-2-pro", "-p", "a red fox", "--json", "--key", "order-17"),
        *("--priority", "high", "--start-at", "2090-01-01", "--expires-at", "2090-01-02T12:00"),
    )
    job = darkroom(*command).json
    assert (job["priority"], job["status"]) == ("high", "queued")
    assert job["start_at"] == "2090-01-01T00:00:00.000Z"
    assert job["expires_at"] == "2090-01-02T12:00:00.000Z"
    assert darkroom(*command).json["id"] == job["id"]


def test_a_list_keeps_to_status_and_limit(
    darkroom: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    first, second, third = (job_name(enqueue(wiring, key)) for _ in range(3))
    assert darkroom("jobs", "cancel", second, "--json").json["status"] == "canceled"
    newest = darkroom("jobs", "list", "--limit", "2", "--json").lines
    assert [job["id"] for job in newest] == [third, second]
    table = darkroom("jobs", "list", "--status", "queued").out.splitlines()
    assert table[0].split() == ["ID", "STATUS", "MODEL", "CREATED", "PROMPT"]
    assert [line.split()[:3] for line in table[1:]] == [
        [third, "queued", "flux-2-pro"],
        [first, "queued", "flux-2-pro"],
    ]
    assert table[1].endswith(PROMPT)


def test_a_list_keeps_to_moments_and_notes(darkroom: CommandLine) -> None:
    handed_in = ("jobs", "submit", "flux-2-pro", "-p", "a red fox", "--json")
    noted = darkroom(*handed_in, "--metadata", "order=17").json["id"]
    other = darkroom(*handed_in, "--metadata", "order=18").json["id"]
    listed = ("jobs", "list", "--json")
    assert [job["id"] for job in darkroom(*listed, "--metadata", "order=17").lines] == [noted]
    since = darkroom(*listed, "--created-after", "2026-01-01", "--created-before", "2100-01-01")
    assert [job["id"] for job in since.lines] == [other, noted]
    assert darkroom(*listed, "--created-before", "2026-01-01T00:00").lines == []
    assert darkroom(*listed, "--created-after", "yesterday").code == 2


def test_watch_follows_a_job_to_its_end_and_names_it_by_the_exit_code(
    darkroom: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    job_id = job_name(enqueue(wiring, key))
    with darkroom.start("jobs", "watch", job_id) as watch:
        assert watch.stdout
        assert watch.stdout.readline().split()[1] == "job.queued"
        # what everybody on this machine can read of a running command
        assert key.api_key not in Path(f"/proc/{watch.pid}/cmdline").read_text()
        assert darkroom("jobs", "cancel", job_id).code == 0
        rest = watch.stdout.read().splitlines()
    assert [line.split()[1] for line in rest] == ["job.canceled"]
    assert watch.returncode == 1


def test_a_wait_that_runs_out_prints_the_job_and_fails(darkroom: CommandLine) -> None:
    done = darkroom("jobs", "submit", "flux-2-pro", "-p", "a red fox", "--wait", "1", "--json")
    assert done.code == 1
    assert done.json["status"] == "queued"
    assert done.err == (
        f"Error: not ended in 1 s; follow it with: darkroom jobs watch {done.json['id']}\n"
    )


def test_input_is_read_from_standard_input_and_options_override_it(darkroom: CommandLine) -> None:
    done = darkroom(
        *("jobs", "submit", "flux-2-pro", "--input", "-", "--set", "seed=7", "--json"),
        *("--on-unconfirmed", "resubmit"),
        stdin='{"prompt": "from a file", "seed": 1}',
    )
    assert (done.json["input"]["prompt"], done.json["input"]["seed"]) == ("from a file", 7)
    assert done.json["on_unconfirmed"] == "resubmit"


def test_a_job_that_is_under_way_cannot_be_canceled_and_the_api_says_why(
    darkroom: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    job_id = enqueue(wiring, key)
    run(wiring.submit)
    done = darkroom("jobs", "cancel", job_name(job_id))
    assert done.code == 1
    assert done.err.endswith("only a queued job can be canceled.\n")
    assert done.err.count("\n") == 1


def test_a_refusal_is_one_line_with_every_field(darkroom: CommandLine) -> None:
    done = darkroom("jobs", "submit", "flux-2-pro", "--set", "width=1", "--set", "widht=256")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: The job was not accepted; nothing was spent. (/")
    assert done.err.count("\n") == 1
    for pointer in ("/input/prompt: ", "/input/width: ", "/input/widht: "):
        assert pointer in done.err


def test_wrong_usage_has_exit_code_2(darkroom: CommandLine) -> None:
    assert darkroom("jobs", "submit").code == 2
    assert "'width' is not name=value" in darkroom("jobs", "submit", "m", "--set", "width").err
    assert "it is not JSON" in darkroom("jobs", "submit", "m", "--input", "{").err
    assert darkroom("jobs", "list", "--api-key", "dk_on_the_command_line").code == 2
