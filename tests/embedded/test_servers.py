"""The three servers: real, alone with themselves, and hard to kill."""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psycopg
import pytest
import redis
from botocore.config import Config
from botocore.exceptions import ClientError
from embedded.launch import WITHOUT_FLUX
from embedded.processes import Launch, eventually, listening_addresses, reachable_directory, running

from service.embedded import unprivileged
from service.embedded.postgres import Postgres
from service.embedded.process import StartFailed
from service.embedded.stack import stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOOPBACK = {"0100007F"}  # 127.0.0.1 in the kernel's notation
_PROGRAMS = ("/postgres ", "/valkey-server ", "/weed ")


@pytest.fixture(scope="module")
def shared() -> Iterator[dict[str, str]]:
    with (
        reachable_directory() as directory,
        stack(directory, WITHOUT_FLUX, durable=False) as environment,
    ):
        yield environment


def postgres(environment: Mapping[str, str]) -> "psycopg.Connection":
    url = environment["DATABASE_URL"].replace("postgresql+psycopg", "postgresql")
    return psycopg.connect(url, autocommit=True)


@contextlib.contextmanager
def s3(environment: Mapping[str, str], secret: str = "") -> "Iterator[S3Client]":
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
        config=Config(s3={"addressing_style": "path"}),
    )
    yield client
    client.close()


def test_servers_listen_on_loopback_only(shared: dict[str, str]) -> None:
    home = shared["DARKROOM_HOME"]
    data = (Path(home) / "postgres").resolve()
    servers = [*running(f"-D {data}"), *running(f"{home}/valkey"), *running(f"-dir={home}")]
    assert len(servers) == len(_PROGRAMS)
    for pid in servers:
        assert listening_addresses(pid) == _LOOPBACK


def test_a_wrong_password_is_refused(shared: dict[str, str]) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        postgres({"DATABASE_URL": re.sub(r":[^:@]+@", ":wrong@", shared["DATABASE_URL"])})
    host = shared["CELERY_BROKER_URL"].partition("@")[2]
    for address in (f"redis://:wrong@{host}", f"redis://{host}"):
        with redis.Redis.from_url(address) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
    with (
        s3(shared, secret="wrong") as client,
        pytest.raises(ClientError, match="SignatureDoesNotMatch"),
    ):
        client.put_object(Bucket=shared["S3_BUCKET"], Key="key", Body=b"bytes")


def test_secrets_are_for_their_owner_only(shared: dict[str, str]) -> None:
    home = Path(shared["DARKROOM_HOME"])
    secrets = ("secret-key", "postgres/password", "valkey/password", "s3/password")
    for path in (*secrets, "valkey/valkey.conf"):
        assert (home / path).stat().st_mode & 0o777 == 0o600, path
    command_lines = "".join(
        Path(f"/proc/{pid}/cmdline").read_text()
        for program in _PROGRAMS
        for pid in running(program)
    )
    for path in secrets:
        assert (home / path).read_text() not in command_lines


def test_what_was_acknowledged_survives_kill_of_the_launcher(home: Path, launch: Launch) -> None:
    first = launch("servers", home)
    assert first.stdout
    environment = json.loads(first.stdout.readline())
    with postgres(environment) as connection:
        connection.execute("create table kept as select 1 as number")
    with s3(environment) as client:
        client.put_object(Bucket=environment["S3_BUCKET"], Key="kept", Body=b"bytes")
    with redis.Redis.from_url(environment["CELERY_BROKER_URL"]) as broker:
        broker.set("kept", "1")
        broker.execute_command("WAITAOF", 1, 0, 5000)  # on disk: everysec may lag by a second

    first.kill()
    eventually(lambda: not running(str(home)))

    with stack(home, WITHOUT_FLUX) as environment:
        with postgres(environment) as connection:
            assert connection.execute("select number from kept").fetchone() == (1,)
        with s3(environment) as client:
            listing = client.list_objects_v2(Bucket=environment["S3_BUCKET"])
        assert [found["Key"] for found in listing["Contents"]] == ["kept"]
        with redis.Redis.from_url(environment["CELERY_BROKER_URL"]) as broker:
            assert broker.get("kept") == b"1"
    assert not running(str(home))


def test_postgres_starts_although_its_old_number_belongs_to_another_process(home: Path) -> None:
    server = Postgres(home / "postgres", home / "log", durable=False)
    server.launch()
    server.wait_ready()
    pid_file = home / "postgres/data/postmaster.pid"
    content = pid_file.read_text()
    server.stop()
    account = unprivileged.nobody() if os.geteuid() == 0 else None
    with subprocess.Popen(
        ["/bin/sleep", "60"],
        user=account.uid if account else None,
        group=account.gid if account else None,
    ) as stranger:
        pid_file.write_text(content.replace(content.split()[0], str(stranger.pid), 1))
        if account:
            os.chown(pid_file, account.uid, account.gid)
        server.launch()
        server.wait_ready()
        server.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_left_behind_is_ended_at_the_next_start(home: Path) -> None:
    first = Postgres(home / "postgres", home / "log", durable=False)
    first.launch()
    first.wait_ready()
    second = Postgres(home / "postgres", home / "log", durable=False)
    second.launch()
    second.wait_ready()
    with pytest.raises(psycopg.OperationalError):
        postgres(first.environment)
    second.stop()
    first.stop()


def test_a_server_that_does_not_start_shows_the_end_of_its_log(home: Path) -> None:
    server = Postgres(home / "postgres", home / "log", durable=False)
    server.launch()
    server.wait_ready()
    server.stop()
    (home / "postgres/data/PG_VERSION").write_text("9.6\n")
    server.launch()
    with pytest.raises(StartFailed, match=r"PostgreSQL ended with code 1;[^$]+incompatible"):
        server.wait_ready()
    server.stop()


def test_what_the_environment_names_is_not_started(home: Path) -> None:
    given = {
        "DATABASE_URL": "postgresql://db.example/app",
        "CELERY_BROKER_URL": "redis://broker.example",
        "AWS_ENDPOINT_URL_S3": "http://s3.example",
        "FLUX_PROVIDER": "bfl",
        "PUBLIC_URL": "",
        "PORT": "4711",
    }
    with stack(home, given) as environment:
        assert not {"postgres", "valkey", "s3", "simulator"} & {p.name for p in home.iterdir()}
    assert {**environment, **given, "PUBLIC_URL": "http://127.0.0.1:4711"} == environment
    assert "FLUX_API_KEY" not in environment


def test_one_home_serves_one_launcher(home: Path) -> None:
    given = {"DATABASE_URL": "-", "CELERY_BROKER_URL": "-", "AWS_ENDPOINT_URL_S3": "-"}
    with (
        stack(home, given | WITHOUT_FLUX),
        pytest.raises(StartFailed, match="another `darkroom up` is running"),
        stack(home, given | WITHOUT_FLUX),
    ):
        pass
    with stack(home, given | WITHOUT_FLUX):
        pass


def test_secret_key_and_port_are_the_same_next_time(home: Path) -> None:
    given = {"DATABASE_URL": "-", "CELERY_BROKER_URL": "-", "AWS_ENDPOINT_URL_S3": "-"}
    with stack(home, given | WITHOUT_FLUX) as first:
        pass
    with stack(home, given | WITHOUT_FLUX) as second:
        assert second == first


def test_stop_leaves_nothing(home: Path, launch: Launch) -> None:
    launcher = launch("servers", home)
    assert launcher.stdout
    launcher.stdout.readline()
    launcher.send_signal(signal.SIGINT)
    launcher.wait(timeout=20)
    assert not running(str(home))
    assert not (home / "postgres/data/postmaster.pid").exists()
