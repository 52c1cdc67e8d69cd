"""Each mode of the proxy does to a connection what its name says."""

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping

import psycopg
import pytest
from chaos.crashable import port_of, through
from chaos.proxy import COMMIT_COMPLETE, Mode, TcpProxy
from fakes.scripted_peer import ScriptedPeer


def echo(sock: socket.socket, _peer: ScriptedPeer) -> None:
    while data := sock.recv(65536):
        sock.sendall(data)


@pytest.fixture
def peer() -> Iterator[ScriptedPeer]:
    with ScriptedPeer(echo) as peer:
        yield peer


@pytest.fixture
def proxy(peer: ScriptedPeer) -> Iterator[TcpProxy]:
    with TcpProxy(peer.port) as proxy:
        yield proxy


@contextlib.contextmanager
def connected(proxy: TcpProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        yield client


def ask(client: socket.socket, data: bytes = b"hello") -> bytes:
    client.sendall(data)
    return client.recv(65536)


def hears_nothing(client: socket.socket) -> bool:
    client.settimeout(0.3)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)
    return False


def test_pass_carries_both_ways_and_closes_when_the_client_does(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        assert ask(client) == b"hello"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_latency_holds_each_piece_up(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        assert ask(client) == b"hello"
        proxy.set(Mode.LATENCY, delay_seconds=0.2)
        began = time.monotonic()
        assert ask(client) == b"hello"
        assert time.monotonic() - began >= 0.4


def test_cut_resets_open_and_new_connections_until_it_is_over(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        assert ask(client) == b"hello"
        proxy.set(Mode.CUT)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    # on a busy machine the reset comes before the connection is known to stand
    with pytest.raises((ConnectionResetError, BrokenPipeError)), connected(proxy) as client:
        ask(client)
    proxy.set(Mode.PASS)
    with connected(proxy) as client:
        assert ask(client) == b"hello"


def test_a_single_cut_leaves_new_connections_alone(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        assert ask(client) == b"hello"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connected(proxy) as client:
        assert ask(client) == b"hello"


def test_half_open_lets_the_request_through_and_the_answer_only_later(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        proxy.set(Mode.HALF_OPEN)
        client.sendall(b"hello")
        assert hears_nothing(client)
        proxy.set(Mode.PASS)
        assert client.recv(5) == b"hello"


def test_a_black_hole_takes_connections_and_passes_nothing_until_it_is_over(
    proxy: TcpProxy, peer: ScriptedPeer
) -> None:
    proxy.set(Mode.BLACK_HOLE)
    with connected(proxy) as client:
        client.sendall(b"hello")
        assert hears_nothing(client)
        assert peer.connections == 0
        proxy.set(Mode.PASS)
        assert client.recv(5) == b"hello"


def test_refuse_resets_what_is_open_and_refuses_what_is_new(proxy: TcpProxy) -> None:
    with connected(proxy) as client:
        assert ask(client) == b"hello"
        proxy.set(Mode.REFUSE)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    proxy.set(Mode.PASS)
    with connected(proxy) as client:
        assert ask(client) == b"hello"


def test_the_answer_to_a_commit_is_recognised_across_pieces(proxy: TcpProxy) -> None:
    proxy.set(Mode.CUT_AFTER_COMMIT)
    with connected(proxy) as client:
        assert ask(client, b"before" + COMMIT_COMPLETE[:6]) == b"before" + COMMIT_COMPLETE[:6]
        with pytest.raises(ConnectionResetError):
            ask(client, COMMIT_COMPLETE[6:])
    assert proxy.commits_cut == 1


def test_cut_after_commit_loses_the_answer_and_never_the_rows(
    servers: Mapping[str, str], database_url: str
) -> None:
    """Twenty commits fail for the client, and twenty rows are there: none was rolled back."""
    direct = database_url.replace("postgresql+psycopg", "postgresql")
    with TcpProxy(port_of(direct)) as proxy, psycopg.connect(direct, autocommit=True) as watch:
        watch.execute("CREATE TABLE sent (number int)")
        for number in range(20):
            proxy.set(Mode.PASS)
            with psycopg.connect(through(proxy, direct)) as connection:
                connection.execute("INSERT INTO sent VALUES (%s)", [number])
                proxy.set(Mode.CUT_AFTER_COMMIT)
                with pytest.raises(psycopg.OperationalError):
                    connection.commit()
        assert proxy.commits_cut == 20
        assert watch.execute("SELECT count(*) FROM sent").fetchone() == (20,)


def test_close_ends_everything_and_frees_the_port(peer: ScriptedPeer) -> None:
    proxy = TcpProxy(peer.port)
    with connected(proxy) as client:
        assert ask(client) == b"hello"
        proxy.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with socket.create_server(("127.0.0.1", proxy.port)):
        proxy.close()
