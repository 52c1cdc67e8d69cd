"""Settings: read once, checked at the start, and an error names the variable, never its value."""

import resource
from collections.abc import Mapping

import pytest
from pydantic_settings import BaseSettings

from service.settings import Settings, SettingsError, load_settings

NEEDED = {
    "DATABASE_URL": "postgres://user:canary@db/name",
    "CELERY_BROKER_URL": "redis://:canary@broker/0",
    "SECRET_KEY": "canary-key-of-at-least-thirty-two-characters",
    "FLUX_API_URL": "http://127.0.0.1:9/v1/",
}


def load(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> Settings:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in (NEEDED | variables).items():
        if value is not None:
            monkeypatch.setenv(name, value)
    return load_settings()


def test_four_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert issubclass(Settings, BaseSettings)
    assert [account.base_url for account in settings.accounts] == ["http://127.0.0.1:9/v1"]
    assert settings.database_url.get_secret_value() == "postgresql+psycopg://user:canary@db/name"
    assert settings.base_url == "http://127.0.0.1:8080"
    assert settings.flux_max_active == 24
    assert len(settings.callback_schedule_seconds) == 10


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, PORT="", S3_PREFIX="").port == 8080


WRONG: Mapping[str, str | None] = {
    "DATABASE_URL": "mysql://user:canary@db/name",
    "CELERY_BROKER_URL": None,
    "SECRET_KEY": "too-short,canary-key-of-at-least-thirty-two-characters",
    "PORT": "70000",
    "PUBLIC_URL": "ftp://example.com",
    "FLUX_PROVIDER": "nobody",
    "FLUX_API_URL": "http:///v1",
    "FLUX_MAX_ACTIVE": "0",
    "EGRESS_ALLOWED_NETWORKS": "10.0.0.0/33",
    "S3_PREFIX": "/images",
    "LEASE_SECONDS": "nan",
    "SWEEP_INTERVAL_SECONDS": "0",
    "CALLBACK_SCHEDULE_SECONDS": "0,-1",
    "SPOOL_MAX_BYTES": "many",
    "LOG_LEVEL": "loud",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_variable_is_named_and_no_secret_is_said(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with pytest.raises(SettingsError) as failure:
        load(monkeypatch, **{name: WRONG[name]})
    assert name in str(failure.value)
    assert "canary" not in str(failure.value)


@pytest.mark.parametrize("schedule", ["", "nan", "0,inf", "0,x", "1e12"])
def test_a_callback_schedule_is_finite(monkeypatch: pytest.MonkeyPatch, schedule: str) -> None:
    if schedule:
        with pytest.raises(SettingsError, match="CALLBACK_SCHEDULE_SECONDS"):
            load(monkeypatch, CALLBACK_SCHEDULE_SECONDS=schedule)
    else:
        assert load(monkeypatch, CALLBACK_SCHEDULE_SECONDS=schedule).callback_schedule_seconds


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as failure:
        load(monkeypatch, PORT="x", SECRET_KEY=None, S3_PREFIX="a b/")
    said = str(failure.value).splitlines()
    assert [line.partition(":")[0] for line in said] == ["PORT", "S3_PREFIX", "SECRET_KEY"]


@pytest.mark.parametrize("provider", ["cometapi", "bfl"])
def test_a_real_provider_needs_a_key(monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    with pytest.raises(SettingsError, match="FLUX_API_KEY"):
        load(monkeypatch, FLUX_PROVIDER=provider)
    settings = load(monkeypatch, FLUX_PROVIDER=provider, FLUX_API_KEY="k", FLUX_API_URL=None)
    assert settings.accounts[0].base_url.startswith("https://api.")


def test_several_providers_take_their_addresses_and_keys_by_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load(
        monkeypatch,
        FLUX_PROVIDER="bfl, cometapi",
        FLUX_API_KEY="one,two",
        FLUX_API_URL=",https://relay.example/flux/v1/",
    )
    assert [
        (one.provider, one.base_url, one.is_overridden, one.api_key.get_secret_value())
        for one in settings.accounts
    ] == [
        ("bfl", "https://api.bfl.ai/v1", False, "one"),
        ("cometapi", "https://relay.example/flux/v1", True, "two"),
    ]


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"FLUX_PROVIDER": "bfl,cometapi", "FLUX_API_KEY": "one"}, "FLUX_API_KEY.*cometapi"),
        ({"FLUX_PROVIDER": "bfl,bfl", "FLUX_API_KEY": "one,two"}, "FLUX_PROVIDER.*twice"),
        ({"FLUX_PROVIDER": "bfl", "FLUX_API_KEY": "one,two"}, "FLUX_API_KEY name more"),
        ({"FLUX_PROVIDER": " , "}, "FLUX_PROVIDER"),
    ],
)
def test_accounts_that_do_not_fit_together_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        load(monkeypatch, **{"FLUX_API_URL": None, **variables})


def test_the_simulator_needs_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="FLUX_API_URL"):
        load(monkeypatch, FLUX_API_URL=None)


@pytest.mark.parametrize(
    ("provider", "public_url", "wanted"),
    [
        ("simulator", None, True),
        ("bfl", None, False),
        ("bfl", "http://example.com", False),
        ("bfl", "https://example.com/", True),
    ],
)
def test_webhooks_are_asked_for_only_where_upstream_can_call(
    monkeypatch: pytest.MonkeyPatch, provider: str, public_url: str | None, *, wanted: bool
) -> None:
    settings = load(monkeypatch, FLUX_PROVIDER=provider, FLUX_API_KEY="k", PUBLIC_URL=public_url)
    assert settings.webhooks_wanted is wanted
    assert not settings.base_url.endswith("/")


def test_keys_come_newest_first_and_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    newest = "another-key-of-at-least-thirty-two-characters"
    settings = load(monkeypatch, SECRET_KEY=f"{newest} , {NEEDED['SECRET_KEY']}")
    assert settings.signing_keys == [newest, NEEDED["SECRET_KEY"]]
    assert "canary" not in repr(settings)
    assert newest not in repr(settings)


def test_a_process_that_knows_the_settings_leaves_no_core_dump(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, hard_bytes = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard_bytes, hard_bytes))
    load(monkeypatch)
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, hard_bytes)
