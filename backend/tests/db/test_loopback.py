"""Ports are found free or taken, and only a real answer counts as health."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread

import pytest

from app.db.loopback import ask_health, free_port, is_free


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that gives everyone the same bytes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_a_free_port_is_free_until_somebody_listens() -> None:
    port = free_port()
    assert is_free(port)
    with closing(socket.create_server(("127.0.0.1", port))):
        assert not is_free(port)


def test_a_foreign_address_is_an_error() -> None:
    with pytest.raises(OSError, match="assign requested address"):
        is_free(8000, "192.0.2.1")


def test_health_is_what_the_api_says() -> None:
    with answering(b'HTTP/1.1 200 OK\r\n\r\n{"status": "degraded", "score": 70}') as port:
        assert ask_health("127.0.0.1", port) == {"status": "degraded", "score": 70}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\n\r\n[]",
        b'HTTP/1.1 200 OK\r\n\r\n{"hello": "world"}',
        b'HTTP/1.1 503 Unavailable\r\n\r\n{"status": "unhealthy"}',
    ],
)
def test_anything_else_is_no_health(answer: bytes) -> None:
    with answering(answer) as port:
        assert ask_health("127.0.0.1", port) is None


def test_nobody_there_is_no_health() -> None:
    assert ask_health("127.0.0.1", free_port()) is None
