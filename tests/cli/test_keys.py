import pytest
import urllib3
from cli.command_line import CommandLine
from conftest import named
from journeys.running_service import RunningService

from service.keys import NewKey
from service.wiring import Wiring


def test_a_key_opens_the_api_until_it_is_revoked(
    operator: CommandLine, web: RunningService
) -> None:
    made = operator("keys", "create", "--project", "prints", "--json").json
    assert set(made) == {"project", "id", "api_key", "callback_secret"}
    known = {"DARKROOM_URL": web.url, "DARKROOM_API_KEY": made["api_key"]}
    caller = CommandLine(known, made["api_key"])
    assert caller("jobs", "list").code == 0
    assert operator("keys", "revoke", made["id"]).out == "revoked\n"
    assert caller("jobs", "list").code == 1
    assert operator("keys", "revoke", made["id"]).err == "Error: there is no such active key\n"


def test_keys_are_listed_without_their_secret_part(
    environment: dict[str, str], key: NewKey
) -> None:
    operator = CommandLine(environment, key.api_key)
    (listed,) = (k for k in operator("keys", "list", "--json").lines if k["id"] == key.key_id)
    assert (listed["project"], listed["status"]) == (key.project, "active")
    assert key.key_id in operator("keys", "list").out


def test_a_link_logs_a_browser_in_once(
    operator: CommandLine, web: RunningService, key: NewKey
) -> None:
    url = operator("keys", "link", key.key_id).out.strip()
    assert url.startswith(f"{web.url}/login/")
    path = url.removeprefix(web.url)
    with urllib3.PoolManager(retries=False) as browser:
        sent = [browser.request("POST", url, redirect=False) for _ in range(2)]
        assert [answer.status for answer in sent] == [303, 410]
        cookie = {"Cookie": sent[0].headers["Set-Cookie"].partition(";")[0]}
        assert (
            key.project
            in browser.request("GET", f"{web.url}/account", headers=cookie).data.decode()
        )
    assert path.removeprefix("/login/") not in web.log("web")


def test_without_an_id_the_link_is_for_ones_own_key(operator: CommandLine, key: NewKey) -> None:
    assert operator("keys", "link").code == 2
    mine = operator.having(DARKROOM_API_KEY=key.api_key)
    assert mine("keys", "link", "--json").json["url"].startswith("http://127.0.0.1:")
    elsewhere = mine.having(PUBLIC_URL="https://darkroom.example")
    assert elsewhere("keys", "link").out.startswith("https://darkroom.example/login/")
    assert operator("keys", "revoke", key.key_id).code == 0
    for arguments in (("keys", "link"), ("keys", "link", key.key_id), ("keys", "link", "x")):
        assert mine(*arguments).err == "Error: there is no such active key\n"


def test_a_project_needs_a_name_that_fits_an_object_key(operator: CommandLine) -> None:
    done = operator("keys", "create", "--project", "No Spaces")
    assert done.code == 2
    assert "1 to 40 of a-z, 0-9 and hyphen" in done.err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("DATABASE_URL", "", "set DATABASE_URL, or run it beside"),
        ("DATABASE_URL", "postgresql://u@127.0.0.1:9/x", "the database does not answer"),
        ("DATABASE_URL", "postgresql://u@127.0.0.1:port/x", "DATABASE_URL"),
    ],
)
def test_an_environment_that_cannot_work_is_told(
    operator: CommandLine, variable: str, value: str, words: str
) -> None:
    done = operator.having(**{variable: value})("keys", "list")
    assert done.code == 1
    assert words in done.err


def test_a_database_without_tables_is_told(operator: CommandLine, web: RunningService) -> None:
    empty = named(web.environment["DATABASE_URL"], "postgres")
    done = operator.having(DATABASE_URL=empty)("verify")
    assert done.code == 1
    assert done.err.endswith("migrate it with: alembic upgrade head\n")


def test_a_callback_secret_is_rotated_and_the_old_one_retired(
    operator: CommandLine, wiring: Wiring, key: NewKey
) -> None:
    of_project = ("--project", key.project)
    newest = operator("keys", "rotate-callback-secret", *of_project, "--json").json
    assert newest["callback_secret"].startswith("whsec_")
    assert live_secrets(wiring, key) == [newest["callback_secret"], key.callback_secret]
    retire = ("keys", "retire-callback-secret", *of_project)
    assert operator(*retire).out == "only the newest signs\n"
    assert live_secrets(wiring, key) == [newest["callback_secret"]]
    assert operator(*retire).out == "there is only one\n"
    assert operator("keys", "rotate-callback-secret", "--project", "nobody").code == 2


def live_secrets(wiring: Wiring, key: NewKey) -> list[str]:
    project_id = wiring.keys.project(key.project)
    assert project_id is not None
    found: list[str] = wiring.callbacks.of(project_id).callback_secrets
    return found
