"""`tradewright doctor`: one check after the other, each with what to do about it."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import redis
import typer

from app.console.output import Json, show
from app.core import security
from app.core.config import settings
from app.core.environment import project_root
from app.core.errors import TradewrightError
from app.db import home as home_folder
from app.db import revisions
from app.db.address import database_url, redis_url
from app.db.embedded_postgres import SPACE_TO_CREATE, newest_binaries
from app.db.embedded_redis import find_binary
from app.db.loopback import ask_health, is_free

OK: Final = "ok"
WARNING: Final = "warning"
FAILED: Final = "failed"


class Verdict(NamedTuple):
    """A check's answer; `remedy` when it is not ok."""

    status: str
    detail: str
    remedy: str | None = None


def doctor(as_json: Json = False) -> None:
    """Check this machine, the settings and the running parts. Exit code 1 if a check failed."""
    verdicts = {name: _ask(check) for name, check in FIRST_CHECKS.items()}
    if verdicts["settings"].status == OK:
        verdicts |= {name: _ask(check) for name, check in CHECKS.items()}
    is_ok = all(verdict.status != FAILED for verdict in verdicts.values())
    result = {
        "ok": is_ok,
        "checks": [{"name": name, **verdict._asdict()} for name, verdict in verdicts.items()],
    }
    show(result, [_line(name, verdict) for name, verdict in verdicts.items()], as_json=as_json)
    if not is_ok:
        raise typer.Exit(1)


def _ask(check: Callable[[], Verdict]) -> Verdict:
    try:
        return check()
    except TradewrightError as error:
        return Verdict(FAILED, error.message, error.remedy)


def _line(name: str, verdict: Verdict) -> str:
    remedy = f"\n{'':<19}→ {verdict.remedy}" if verdict.remedy else ""
    return f"{verdict.status:<8} {name:<10}{verdict.detail}{remedy}"


def _python() -> Verdict:
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Verdict(OK, f"Python {version} on {platform.system()} {platform.machine()}")
    return Verdict(FAILED, f"Python {version} is not supported.", "Use Python 3.11, 3.12 or 3.13.")


def _settings() -> Verdict:
    return Verdict(OK, f"{settings.environment.value}, log level {settings.log_level.value}")


def _home() -> Verdict:
    if not settings.home.exists():
        return Verdict(OK, f"{settings.home} will be made at the first start")
    home_folder.prepare(settings.home)
    held = home_folder.holder(settings.home) if home_folder.is_held(settings.home) else "nobody"
    return Verdict(OK, f"{settings.home} is private and writable; in use by {held}")


def _disk() -> Verdict:
    free = shutil.disk_usage(settings.home if settings.home.exists() else project_root()).free
    detail = f"{free // 1024**2} MB free"
    if free < SPACE_TO_CREATE:
        return Verdict(FAILED, detail, "Free some space.")
    return Verdict(OK if free > 10 * SPACE_TO_CREATE else WARNING, detail)


def _key() -> Verdict:
    if not settings.app.secret_key and not (settings.home / "secret.key").exists():
        return Verdict(OK, "the master key will be made at the first start")
    security.master_key(settings.home, settings.app.secret_key)
    place = "TRADEWRIGHT_SECRET_KEY" if settings.app.secret_key else settings.home / "secret.key"
    return Verdict(OK, f"the master key is in {place}")


def _binaries() -> Verdict:
    _, major = newest_binaries()
    user = " as another user than root" if os.geteuid() == 0 else ""
    return Verdict(OK, f"PostgreSQL {major} is at hand{user}; Redis: {find_binary()}")


def _database() -> Verdict:
    if not settings.database.is_given and not home_folder.running(settings.home):
        return Verdict(WARNING, "the embedded database is not running", "Run `tradewright up`.")
    found, head = revisions.current(database_url()), revisions.head()
    if found != head:
        return Verdict(FAILED, f"revision {found}, newest {head}", "Run `tradewright db upgrade`.")
    return Verdict(OK, f"answers, at the newest revision {head}")


def _redis() -> Verdict:
    if not settings.redis.is_given and not home_folder.running(settings.home):
        return Verdict(WARNING, "the embedded Redis is not running", "Run `tradewright up`.")
    try:
        with redis.Redis.from_url(redis_url(), socket_timeout=3) as client:
            client.ping()
    except redis.RedisError as error:
        return Verdict(FAILED, f"does not answer: {error}", "Check REDIS_URL.")
    return Verdict(OK, "answers")


def _api() -> Verdict:
    running = home_folder.running(settings.home)
    address = urlsplit((running and running.api_url) or settings.api.url)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    certificate = settings.api.tls_certificate if address.scheme == "https" else None
    if answer := ask_health(host, port, certificate):
        status = str(answer["status"])
        return Verdict(OK if status == "healthy" else WARNING, f"{address.geturl()} is {status}")
    if is_free(port, host):
        return Verdict(WARNING, f"nothing runs at {address.geturl()}", "Run `tradewright up`.")
    return Verdict(
        FAILED, f"another program listens at {address.geturl()}", "Choose another with API_PORT."
    )


def _ui() -> Verdict:
    built = project_root() / "frontend" / "dist" / "index.html"
    if built.is_file():
        return Verdict(OK, "the UI is built")
    return Verdict(WARNING, "the UI is not built", "Run `make install`.")


FIRST_CHECKS: Final[dict[str, Callable[[], Verdict]]] = {"python": _python, "settings": _settings}
CHECKS: Final[dict[str, Callable[[], Verdict]]] = {
    "home": _home,
    "disk": _disk,
    "key": _key,
    "binaries": _binaries,
    "database": _database,
    "redis": _redis,
    "api": _api,
    "ui": _ui,
}
