"""`darkroom listen`: the end of a job reaches a program that nobody can call."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from cli.command_line import ROOT, CommandLine
from factories import enqueue, job
from fakes.scripted_peer import ScriptedPeer, answer
from fakes.upstream_answers import http
from fakes.webhook_sink import WebhookSink
from standardwebhooks import Webhook

from service.ids import Kind, public_id
from service.keys import NewKey
from service.wiring import Wiring


@contextmanager
def listening(environment: Mapping[str, str], *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the command until the block ends; then Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "listen", *options],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert "Traceback" not in errors


def canceled(wiring: Wiring, key: NewKey) -> str:
    job_id = enqueue(wiring, key)
    wiring.enqueue.cancel(job(wiring, job_id).project_id, job_id)
    return public_id(Kind.JOB, job_id)


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_what_ended_is_printed_and_forwarded_with_a_signature(
    darkroom: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    first = canceled(wiring, key)
    secret = {"DARKROOM_CALLBACK_SECRET": key.callback_secret}
    with (
        WebhookSink() as sink,
        listening({**darkroom.environment, **secret}, "--all", "--forward-to", sink.url) as process,
    ):
        assert f"job.canceled  {first}  {sink.url} answered 200" in line_of(process)
        second = canceled(wiring, key)
        assert second in line_of(process)
        calls = sink.calls
    told = [Webhook(key.callback_secret).verify(one.body, dict(one.headers)) for one in calls]
    assert [event["data"]["id"] for event in told] == [first, second]
    assert list(told[0]) == ["type", "timestamp", "sequence", "data"]


def test_a_program_that_is_away_is_said_and_does_not_end_it(
    darkroom: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    canceled(wiring, key)
    with listening(
        darkroom.environment, "--all", "--forward-to", "http://127.0.0.1:9/hook"
    ) as process:
        assert "http://127.0.0.1:9/hook not reached" in line_of(process)
        later = canceled(wiring, key)
        assert later in line_of(process)


def test_for_programs_it_prints_json(darkroom: CommandLine, wiring: Wiring, key: NewKey) -> None:
    job_id = canceled(wiring, key)
    with listening(darkroom.environment, "--all", "--json") as process:
        assert json.loads(line_of(process))["data"]["id"] == job_id


def test_it_goes_on_where_an_earlier_one_ended(
    darkroom: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    canceled(wiring, key)
    with listening(darkroom.environment, "--all") as first:
        line_of(first)
        later = canceled(wiring, key)
        line_of(first)
        errors = ended(first)
    cursor = errors.partition("--after ")[2].split()[0]
    last = canceled(wiring, key)
    with listening(darkroom.environment, "--after", cursor) as second:
        # the last page is told again if it was not known to be printed whole
        line = line_of(second)
        assert last in (line if later not in line else line_of(second))


def test_a_service_that_is_away_or_unwell_is_asked_again(
    darkroom: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    canceled(wiring, key)
    with ScriptedPeer(answer(http(502, b"gateway"))) as gateway:
        environment = {**darkroom.environment, "DARKROOM_URL": gateway.url}
        with listening(environment, "--all") as process:
            assert process.stderr is not None
            assert "asking again" in process.stderr.readline()
            assert "asking again" in process.stderr.readline()


@pytest.mark.parametrize("secret", ["x", "whsec_", "not base64!", "é"])
def test_a_secret_that_is_none_is_said_at_once(darkroom: CommandLine, secret: str) -> None:
    environment = {**darkroom.environment, "DARKROOM_CALLBACK_SECRET": secret}
    with listening(environment, "--forward-to", "http://127.0.0.1:9/") as process:
        assert process.wait(30) == 1


@pytest.mark.parametrize("url", ["localhost:3000", "/hook", "http://u:pw@127.0.0.1/", "ftp://x/"])
def test_an_address_that_is_none_is_said_at_once(darkroom: CommandLine, url: str) -> None:
    with listening(darkroom.environment, "--forward-to", url) as process:
        assert process.wait(30) == 2


def ended(process: "subprocess.Popen[str]") -> str:
    """Press Ctrl-C; return what was said of errors."""
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert process.stderr is not None
    return process.stderr.read()
