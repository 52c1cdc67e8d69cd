import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli.command_line import ROOT, CommandLine
from fakes.scripted_peer import ScriptedPeer, answer, ok
from journeys.running_service import RunningService

from service.keys import NewKey


@pytest.fixture
def at_home(web: RunningService, key: NewKey, tmp_path: Path) -> CommandLine:
    """The command line where `darkroom up` runs, and nothing is set."""
    (tmp_path / "dev.json").write_text(json.dumps({"url": web.url, "api_key": key.api_key}))
    return CommandLine({"DARKROOM_HOME": str(tmp_path)}, key.api_key)


def test_without_variables_the_service_of_dev_json_is_asked(at_home: CommandLine) -> None:
    assert at_home("jobs", "list", "--json") == at_home("jobs", "list", "--json", "--url", "")
    assert at_home("jobs", "list").code == 0


def test_the_key_of_dev_json_goes_to_no_other_address(at_home: CommandLine) -> None:
    with ScriptedPeer(answer(ok(b'{"data":[],"next":null}'))) as other:
        done = at_home("jobs", "list", "--url", other.url)
        assert other.connections == 0
    assert done.code == 1
    assert done.err.startswith(f"Error: no API key for {other.url}: ")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "no service is named: set DARKROOM_URL and DARKROOM_API_KEY, or run"),
        ({"DARKROOM_URL": "ftp://host", "DARKROOM_API_KEY": "dk_x"}, "must be http://host"),
        ({"DARKROOM_URL": "http://h:port", "DARKROOM_API_KEY": "dk_x"}, "Port could not be"),
        ({"DARKROOM_URL": "http://a:b@h", "DARKROOM_API_KEY": "dk_x"}, "neither a user name"),
        ({"DARKROOM_URL": "http://h", "DARKROOM_API_KEY": "dk_a\ndk_b"}, "printable ASCII"),
    ],
)
def test_an_address_or_key_that_cannot_be_one_is_told(
    variables: dict[str, str], words: str, tmp_path: Path
) -> None:
    done = CommandLine({"DARKROOM_HOME": str(tmp_path), **variables}, "dk_")("jobs", "list")
    assert done.code == 1
    assert words in done.err


def test_a_wrong_key_is_told_in_the_words_of_the_api(darkroom: CommandLine) -> None:
    done = darkroom.having(DARKROOM_API_KEY="dk_made_up_and_long_enough")("jobs", "list")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: Send `Authorization: Bearer <api key>`")
    assert "dk_made_up" not in done.err


def test_no_service_at_the_address_is_told_in_one_line(darkroom: CommandLine) -> None:
    done = darkroom("jobs", "list", "--url", "http://127.0.0.1:9")
    assert done.code == 1
    assert done.err == "Error: 127.0.0.1:9 cannot be reached (NewConnectionError)\n"


def test_another_service_at_the_address_is_told(darkroom: CommandLine) -> None:
    with ScriptedPeer(answer(ok(b"<h1>It works!</h1>"))) as other:
        done = darkroom("jobs", "list", "--url", other.url)
    assert done.err == f"Error: what answers at {other.url} is no Darkroom\n"


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    heavy = ("sqlalchemy", "boto3", "celery", "flask", "pydantic", "urllib3", "PIL")
    asked = f"import sys, service.cli; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"


def test_the_simulator_keeps_its_own_options() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "service", "simulator", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith("Usage: darkroom simulator [OPTIONS]")
    assert "--ledger FILE" in found.stdout
