"""docker-compose.yml says what the documents ask for (no Docker engine is needed to know)."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_timescaledb_and_redis_are_published_on_loopback(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert "timescaledb" in services["postgres"]["image"]
    assert services["postgres"]["ports"] == ["127.0.0.1:5432:5432"]
    assert services["redis"]["ports"] == ["127.0.0.1:6379:6379"]


def test_the_service_waits_for_healthy_servers(compose: dict[str, Any]) -> None:
    app = compose["services"]["app"]
    assert {name: d["condition"] for name, d in app["depends_on"].items()} == {
        "postgres": "service_healthy",
        "redis": "service_healthy",
    }
    assert all("healthcheck" in compose["services"][name] for name in app["depends_on"])


def test_the_service_gets_the_urls_of_its_siblings(compose: dict[str, Any]) -> None:
    environment = compose["services"]["app"]["environment"]
    assert "@postgres:5432/" in environment["DATABASE_URL"]
    assert environment["REDIS_URL"] == "redis://redis:6379/0"


def test_what_it_builds_exists_and_volumes_are_declared(compose: dict[str, Any]) -> None:
    build = compose["services"]["app"]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()
    mounts = [v.split(":") for s in compose["services"].values() for v in s.get("volumes", [])]
    assert {source for source, *_ in mounts if source[0] != "."} == set(compose["volumes"])
    assert all((ROOT / source).is_file() for source, *_ in mounts if source[0] == ".")


def test_redis_starts_with_its_file_and_keeps_nothing(compose: dict[str, Any]) -> None:
    redis = compose["services"]["redis"]
    source, target, mode = redis["volumes"][0].split(":")
    assert redis["command"][-1] == target
    assert mode == "ro"
    lines = (ROOT / source).read_text().splitlines()
    assert {"maxmemory 2gb", "maxmemory-policy allkeys-lru", "appendonly no"} <= set(lines)


def test_the_image_is_built_in_stages_runs_as_nobody_special_and_is_asked_for_its_health() -> None:
    lines = (ROOT / "backend" / "Dockerfile").read_text().splitlines()
    assert len([line for line in lines if line.startswith("FROM ")]) == 3
    assert [line for line in lines if line.startswith("USER ")] == ["USER tradewright"]
    health = next(line for line in lines if line.startswith("HEALTHCHECK"))
    assert "--interval=30s --timeout=10s --start-period=5s --retries=3" in health
    assert "/health/ready" in health


def test_what_the_image_copies_exists() -> None:
    text = (ROOT / "backend" / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert [name for line in copied for name in line.split() if not (ROOT / name).exists()] == []
