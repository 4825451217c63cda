"""`tradewright alerts` from the command line, on a real database and a real web hook."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest
from typer.testing import CliRunner, Result

from app.console import alerts
from app.core.config import get_settings
from app.core.errors import InvalidInput, NotFound
from app.db.session import create_pool
from app.domain.events import Severity
from app.repositories import alerts as rows
from app.repositories.alerts import NewAlert
from app.repositories.journal import SharedJournal


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("NOTIFICATIONS_ALLOW_PRIVATE", "true")
    monkeypatch.setenv("NOTIFICATIONS_TIMEOUT_SECONDS", "60")
    get_settings.cache_clear()


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(alerts.app, arguments, input=typed)


def said(*arguments: str, typed: str | None = None) -> Any:
    done = run(*arguments, "--json", typed=typed)
    assert done.exit_code == 0, (done.output, done.exception)
    return orjson.loads(done.output)


class Hook(BaseHTTPRequestHandler):
    """Takes what is posted."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def hook() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"json://127.0.0.1:{server.server_port}/s3cret"
        server.shutdown()
        thread.join()


def raised(url: str) -> int:
    async def work() -> int:
        pool = await create_pool(url, max_size=1)
        try:
            async with pool.acquire() as db, db.transaction():
                alert = NewAlert(
                    key="disk", category="system", severity=Severity.CRITICAL, title="Disk full"
                )
                journal = SharedJournal(pool, b"k" * 32)
                at = await db.fetchval("SELECT now()")
                return await rows.raise_alert(db, journal, alert, at)
        finally:
            await pool.close()

    return asyncio.run(work())


def test_an_alert_is_listed_acknowledged_and_resolved(database_url: str) -> None:
    alert = raised(database_url)
    assert "Disk full" in run("list").output
    assert said("acknowledge", str(alert), "--note", "on it")["state"] == "acknowledged"
    assert said("deliveries", str(alert)) == {"deliveries": []}
    assert "resolved: Disk full" in run("resolve", str(alert)).output
    assert said("list") == {"alerts": []}
    assert [one["state"] for one in said("list", "--all")["alerts"]] == ["resolved"]
    with psycopg2.connect(database_url) as db, db.cursor() as cursor:
        cursor.execute("SELECT actor, action, payload ->> 'reason' FROM audit_trail ORDER BY seq")
        assert cursor.fetchall()[0] == ("console@localhost", "acknowledged", "on it")
    db.close()
    assert isinstance(run("deliveries", "999").exception, NotFound)


def test_a_channel_is_added_tried_and_removed_and_its_address_is_never_shown(hook: str) -> None:
    options = ("--category", "system", "--quiet", "22:00-07:00", "--zone", "Europe/Berlin")
    added = said("add-channel", "desk hook", *options, typed=f"{hook}\n")
    assert (added["service"], added["categories"]) == ("JSON", ["system"])
    shown = run("channels").output
    assert "desk hook" in shown
    assert "s3cret" not in shown + str(added)
    assert said("test", "desk hook")["is_delivered"] is True
    assert "removed" in run("remove-channel", "desk hook").output
    refused = run("test", "desk hook").exception
    assert isinstance(refused, NotFound)


def test_a_message_that_does_not_arrive_is_told_with_its_exit_code() -> None:
    assert run("add-channel", "nobody", typed="json://127.0.0.1:1/x\n").exit_code == 0
    done = run("test", "nobody")
    assert done.exit_code == 1
    assert "did not arrive" in done.output


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (("--category", "sistem"), "category"),
        (("--quiet", "late"), "quiet"),
        (("--zone", "Mars/Olympus"), "time_zone"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field(options: tuple[str, ...], field: str) -> None:
    refused = run("add-channel", "desk", *options, typed="json://127.0.0.1:1/x\n").exception
    assert isinstance(refused, InvalidInput)
    assert refused.field == field


def test_rules_and_thresholds_are_listed_and_a_threshold_is_changed() -> None:
    assert "no_backup" in run("rules").output
    assert said("set", "backup_hours", "30", "--reason", "slow")["value"] == 30
    found = {one["key"]: one for one in said("thresholds")["thresholds"]}
    changed = found["alerts.backup_hours"]
    assert (changed["value"], changed["updated_by"]) == (30, "console@localhost")
    assert isinstance(run("set", "backup_hours", "soon").exception, InvalidInput)
    assert isinstance(run("set", "backup_days", "1").exception, NotFound)
