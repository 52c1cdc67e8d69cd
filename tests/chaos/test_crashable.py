"""A server of a run is killed, shut down, frozen, and comes back behind the same address."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from chaos.crashable import Crashable, through
from chaos.proxy import TcpProxy
from fakes.waiting import wait_until

from service.embedded.valkey import Valkey


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Crashable]:
    server = Valkey(tmp_path / "broker", tmp_path / "broker.log", durable=False)
    with TcpProxy() as proxy, contextlib.ExitStack() as stack:
        server.launch()
        stack.callback(server.stop)
        server.wait_ready()
        crashable = Crashable(server, tmp_path / "broker" / "pid", "CELERY_BROKER_URL", proxy)
        crashable.aim()
        yield crashable


def answers(broker: Crashable) -> bool:
    """Ask through the proxy, by a connection of its own."""
    url = through(broker.proxy, broker.server.environment[broker.variable])
    with redis.Redis.from_url(url, socket_timeout=1) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def test_it_comes_back_after_a_crash_and_after_a_shutdown(broker: Crashable) -> None:
    for end in (broker.crash, broker.shut_down):
        assert answers(broker)
        end()
        assert not answers(broker)
        broker.start()
        assert answers(broker)
    assert broker.crashes == 1


def test_frozen_it_says_nothing_and_goes_on_afterwards(broker: Crashable) -> None:
    with broker.frozen():
        assert not answers(broker)
    wait_until(lambda: answers(broker), bool)


def test_what_is_not_ours_is_not_touched(broker: Crashable, tmp_path: Path) -> None:
    pid_file = tmp_path / "elsewhere" / "pid"
    pid_file.parent.mkdir()
    pid_file.write_text(broker.pid_file.read_text())
    stranger = Crashable(broker.server, pid_file, broker.variable, broker.proxy)
    with pytest.raises(AssertionError, match="not that of our server"):
        stranger.crash()
    assert answers(broker)
