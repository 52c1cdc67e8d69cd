"""Every setting: one environment variable each, with its unit, default and check.

`load_settings()` reads the environment once, at start; an error names the variable and what it
takes. README.md lists the same names; a test compares the two.
"""

import resource
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

#: Sources of upstream's default addresses: the provider's own pages, seen 2026-11.
DEFAULT_FLUX_URLS = {
    "cometapi": "https://api.cometapi.com/flux/v1",
    "bfl": "https://api.bfl.ai/v1",
}

MIN_SECRET_KEY_CHARS = 32


#: Seconds before a callback's next try.
Wait = Annotated[float, Field(ge=0, le=30 * 86_400)]


class SettingsError(Exception):
    """The environment does not configure a service that could run; the text names the variable."""


class OnUnconfirmed(StrEnum):
    """What becomes of a job when nobody ever says whether upstream accepted it."""

    #: It fails; whoever ordered it decides whether to order again.
    FAIL = "fail"
    #: It is sent once more, and may be paid for twice.
    RESUBMIT = "resubmit"


class Provider(StrEnum):
    """Who is paid for the images."""

    COMETAPI = "cometapi"
    BFL = "bfl"
    SIMULATOR = "simulator"


def _split(value: object) -> object:
    return (
        [part.strip() for part in value.split(",") if part.strip()]
        if isinstance(value, str)
        else value
    )


def _positions(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


@dataclass(frozen=True)
class Account:
    """Where we pay: one provider, its base URL without a trailing slash, and our key there."""

    provider: Provider
    base_url: str
    #: Whether FLUX_API_URL names the base, so that it holds for every model.
    is_overridden: bool
    api_key: SecretStr


class DatabaseSettings(BaseSettings):
    """What a migration needs."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    #: PostgreSQL 14 or newer, the primary; any `postgres…://` form.
    database_url: SecretStr

    @field_validator("database_url", mode="after")
    @classmethod
    def _psycopg(cls, value: SecretStr) -> SecretStr:
        scheme, separator, rest = value.get_secret_value().partition("://")
        if not separator or scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
            raise ValueError("must be a PostgreSQL address: postgresql://user:password@host/name")
        return SecretStr(f"postgresql+psycopg://{rest}")


class PlaceSettings(BaseSettings):
    """What a link to us needs."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    #: Where callers, browsers and Flux reach the web process.
    public_url: str = ""
    #: TCP port of the web process on this host.
    port: Annotated[int, Field(ge=1, le=65535)] = 8080

    @field_validator("public_url", mode="after")
    @classmethod
    def _public_address(cls, value: str) -> str:
        return _web_address(value)

    @property
    def base_url(self) -> str:
        """Where we are reached; the loopback address of this host unless PUBLIC_URL says more."""
        return self.public_url or f"http://127.0.0.1:{self.port}"


class Settings(DatabaseSettings, PlaceSettings):
    """The configuration; field `s3_bucket` is the variable `S3_BUCKET`, and so on."""

    #: Redis, Valkey or RabbitMQ; carries doorbells only.
    celery_broker_url: SecretStr
    #: Bucket for images; boto3 reads its own AWS_… variables for endpoint, region and keys.
    s3_bucket: str = "images"
    #: Put before every object key, e.g. `prod/`.
    s3_prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9!_.*'()-]+/)*$")] = ""
    #: One or more, comma separated, newest first; at least 32 characters each.
    secret_key: Annotated[list[SecretStr], NoDecode, Field(min_length=1)]
    #: Address the web process binds to; 0.0.0.0 where a proxy on another host is in front.
    host: str = "127.0.0.1"
    #: Who is paid: cometapi, bfl, or the simulator; several, comma separated, by preference: a
    #: model goes to the first that serves it.
    flux_provider: Annotated[list[Provider], NoDecode, Field(min_length=1)] = [Provider.SIMULATOR]
    #: Overrides the base URL of the provider at the same place; needed for the simulator.
    flux_api_url: Annotated[list[str], NoDecode] = []
    #: The key we pay with, of the provider at the same place.
    flux_api_key: Annotated[list[SecretStr], NoDecode] = []
    #: Tasks that each provider may hold of us at once.
    flux_max_active: Annotated[int, Field(ge=1, le=1000)] = 24
    #: CIDRs that the address guard lets pass although they are not public; empty in production.
    egress_allowed_networks: Annotated[list[IPv4Network | IPv6Network], NoDecode] = []
    #: Spool, embedded servers' data and dev.json.
    darkroom_home: Path = Path(".darkroom")
    #: Results that may wait on this host's disk while S3 is away, bytes; at 80 % of it nothing more
    #: is submitted.
    spool_max_bytes: Annotated[int, Field(ge=1_000_000)] = 4_000_000_000
    #: debug, info, warning or error.
    log_level: Annotated[str, Field(pattern="^(debug|info|warning|error)$")] = "info"

    #: How often beat has the sweep run, seconds.
    sweep_interval_seconds: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    #: How long a claimed row belongs to its worker, seconds; longer than any act but the paid POST.
    lease_seconds: Annotated[float, Field(ge=1, le=600)] = 45.0
    #: Whole time of the paid POST, seconds.
    flux_timeout_seconds: Annotated[float, Field(ge=1, le=120)] = 60.0
    #: A worker that got no further than this after its intent does not send any more, seconds.
    send_deadline_seconds: Annotated[float, Field(ge=0.5, le=60)] = 10.0
    #: How long an unconfirmed submission may still be proved by a webhook, seconds.
    unconfirmed_grace_seconds: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    #: What becomes of a job when the grace is over and it does not say so itself: fail or resubmit.
    on_unconfirmed: OnUnconfirmed = OnUnconfirmed.FAIL
    #: How often one job may probe a gate that unknown outcomes have closed, seconds.
    breaker_probe_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 15.0
    #: How often one may probe a gate closed for a bad key or an empty account, seconds.
    account_probe_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 60.0
    #: How long S3 may be silent in the middle of a request, seconds.
    s3_timeout_seconds: Annotated[float, Field(ge=0.5, le=60)] = 10.0
    #: First question about a job whose webhook is awaited, seconds after its submission, until it
    #: is known when webhooks of its model usually come.
    poll_after_seconds: Annotated[float, Field(ge=0.1, le=600)] = 15.0
    #: Further questions, seconds apart; at most two where webhooks are missing or not asked for.
    poll_interval_seconds: Annotated[float, Field(ge=0.1, le=600)] = 30.0
    #: A job that upstream says has no result after this long fails as upstream_timeout, seconds;
    #: while it does not answer at all, after four times as long.
    upstream_deadline_seconds: Annotated[float, Field(ge=1, le=86_400)] = 900.0
    #: How long a result URL lives when it does not say so itself, seconds (BFL: ten minutes).
    result_lifetime_seconds: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    #: How long an upload that no job refers to is kept, seconds.
    upload_lifetime_seconds: Annotated[float, Field(ge=60, le=31_536_000)] = 604_800.0
    #: Delays before each callback try after the one before, seconds, comma separated.
    callback_schedule_seconds: Annotated[list[Wait], NoDecode, Field(min_length=1)] = [
        0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400,
    ]  # fmt: skip

    _lists = field_validator(
        "secret_key", "egress_allowed_networks", "callback_schedule_seconds", mode="before"
    )(_split)

    @field_validator("egress_allowed_networks", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        return [ip_network(str(part)) for part in value] if isinstance(value, list) else value

    @field_validator("secret_key", mode="after")
    @classmethod
    def _long_enough(cls, value: list[SecretStr]) -> list[SecretStr]:
        if any(len(key.get_secret_value()) < MIN_SECRET_KEY_CHARS for key in value):
            raise ValueError(f"each key needs at least {MIN_SECRET_KEY_CHARS} characters")
        return value

    _by_position = field_validator("flux_api_url", "flux_api_key", mode="before")(_positions)

    @field_validator("flux_provider", mode="before")
    @classmethod
    def _each_once(cls, value: object) -> object:
        named = _split(value)
        if isinstance(named, list) and len(set(named)) != len(named):
            raise ValueError("names a provider twice")
        return named

    @field_validator("flux_api_url", mode="after")
    @classmethod
    def _base_addresses(cls, value: list[str]) -> list[str]:
        return [_web_address(url) for url in value]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if max(len(self.flux_api_url), len(self.flux_api_key)) > len(self.flux_provider):
            raise ValueError("FLUX_API_URL and FLUX_API_KEY name more than FLUX_PROVIDER does")
        for account in self.accounts:
            if not account.base_url:
                raise ValueError(f"FLUX_API_URL must be set for FLUX_PROVIDER={account.provider}")
            needs_key = account.provider is not Provider.SIMULATOR
            if needs_key and not account.api_key.get_secret_value():
                raise ValueError(f"FLUX_API_KEY must be set for FLUX_PROVIDER={account.provider}")
        return self

    @property
    def accounts(self) -> list[Account]:
        """Return where we pay, by preference."""
        rows = zip_longest(self.flux_provider, self.flux_api_url, self.flux_api_key)
        return [
            Account(
                provider,
                base_url=url or DEFAULT_FLUX_URLS.get(provider, ""),
                is_overridden=bool(url),
                api_key=key or SecretStr(""),
            )
            for provider, url, key in rows
        ]

    @property
    def webhooks_wanted(self) -> bool:
        """Whether Flux can call us: it needs https, the simulator does not."""
        is_simulated = set(self.flux_provider) == {Provider.SIMULATOR}
        return is_simulated or self.public_url.startswith("https://")

    @property
    def spool_dir(self) -> Path:
        """Where bytes wait on disk."""
        return self.darkroom_home.absolute() / "spool"

    @property
    def signing_keys(self) -> list[str]:
        """SECRET_KEY, newest first, in clear; for the signing modules only."""
        return [key.get_secret_value() for key in self.secret_key]


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query):
        raise ValueError("must be an http or https address without a query")
    return value.rstrip("/")


def load_settings() -> Settings:
    """Read and check the environment; from here on the process leaves no core dump.

    Raises:
        SettingsError: a variable is missing or wrong; the text has a line for each and no values.
    """
    # a dump of the memory would hold every secret
    _, hard_bytes = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard_bytes))
    try:
        return Settings()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        lines = [
            f"{str(problem['loc'][0]).upper() if problem['loc'] else 'settings'}: {problem['msg']}"
            for problem in problems
        ]
        raise SettingsError("\n".join(lines)) from None
