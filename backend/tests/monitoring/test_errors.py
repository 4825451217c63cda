"""Errors are grouped by kind and place, without secrets, and survive a database that is away."""

import logging
import sys

import asyncpg
import pytest
import structlog

from app.core.clock import now, system
from app.core.logging import configure_logging, reset_logging
from app.core.redaction import HIDDEN, remember
from app.monitoring import errors
from app.monitoring.errors import ErrorLog, fingerprint, group_of, named
from app.monitoring.process import ProcessRecorder
from app.repositories import errors as stored

SECRET = "kw8-canary-of-the-errors"


def failed(message: str = "the file is full") -> logging.LogRecord:
    """As the standard library's loggers make it, with a trace."""
    try:
        raise OSError(message)
    except OSError:
        given = sys.exc_info()
    return logging.LogRecord("asyncio", logging.ERROR, "x.py", 1, "it broke", (), given)


def line(text: str, level: int = logging.ERROR, **fields: object) -> logging.LogRecord:
    """As structlog makes it, without a trace."""
    said = {"event": text, **fields}
    return logging.LogRecord("tradewright.trading", level, "x.py", 1, said, (), None)


TRACE = """Traceback (most recent call last):
  File "/opt/tw/backend/app/engine/driver.py", line {line}, in step
    await self.append()
  File "/usr/lib/python3.11/asyncio/base.py", line 9, in run
    raise ValueError("{message}")
app.core.errors.Fenced: {message}
"""


def test_line_numbers_and_messages_do_not_part_a_group() -> None:
    one, other = TRACE.format(line=3, message="a"), TRACE.format(line=80, message="b: c")
    assert named(one) == ("Fenced", "a")
    assert named(other) == ("Fenced", "b: c")
    assert fingerprint("Fenced", one, "") == fingerprint("Fenced", other, "")
    elsewhere = one.replace("driver.py", "wire.py")
    assert fingerprint("Fenced", one, "") != fingerprint("Fenced", elsewhere, "")
    assert fingerprint("Other", one, "") != fingerprint("Fenced", one, "")
    moved = one.replace("/opt/tw/backend", "/srv/x")
    assert fingerprint("Fenced", one, "") == fingerprint("Fenced", moved, "")


def test_an_error_is_described_by_its_trace() -> None:
    group = group_of(failed())
    assert (group.kind, group.message, group.component) == (
        "OSError",
        "the file is full",
        "asyncio",
    )
    assert "in failed" in group.traceback


def test_a_line_without_an_exception_is_grouped_by_its_event() -> None:
    group = group_of(line("invariant_broken", detail="x", correlation_id="c1"))
    assert (group.kind, group.component) == ("invariant_broken", "trading")
    assert (group.traceback, group.correlation_id) == ("", "c1")
    plain = logging.LogRecord("lib", logging.ERROR, "x", 1, "line %d of 7", (3,), None)
    assert group_of(plain).kind == "line # of #"


def test_a_trace_of_nothing_known_is_an_exception() -> None:
    assert named("Traceback (most recent call last):\n  File x") == ("Exception", "")


def test_no_secret_gets_in() -> None:
    remember(SECRET)
    group = group_of(failed(f"refused with {SECRET}"))
    assert HIDDEN in group.message
    assert SECRET not in group.traceback + group.message


def test_only_errors_count_and_a_strange_line_harms_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    taken = ErrorLog()
    logger = logging.Logger("lib")
    logger.addHandler(taken)
    logger.warning("not yet")
    logger.error("now")
    logger.error("too %d", "few")
    assert [group.kind for group in taken.take()] == ["now"]
    assert taken.take() == []


def test_many_kinds_at_once_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "MOST_GROUPS", 2)
    taken = ErrorLog()
    for event in ("a", "b", "c", "a", "d"):
        taken.emit(line(event))
    found = {group.kind: group.occurrences for group in taken.take()}
    assert found == {"a": 2, "b": 1, "others": 2}


async def test_what_cannot_be_written_is_kept_and_counted_once(pool: asyncpg.Pool) -> None:
    recorder = ProcessRecorder(pool, "core", system)
    recorder.errors.emit(line("disk_full"))
    await pool.execute("ALTER TABLE errors RENAME TO gone")
    with pytest.raises(asyncpg.UndefinedTableError):
        await recorder.flush()
    recorder.errors.emit(line("disk_full"))
    await pool.execute("ALTER TABLE gone RENAME TO errors")
    await recorder.flush()
    await recorder.flush()
    row = await pool.fetchrow("SELECT kind, occurrences, process FROM errors")
    assert tuple(row) == ("disk_full", 2, "core")
    assert await stored.count_since(pool, now().replace(year=2020)) == 2
    assert await stored.forget(pool, now().replace(year=2020)) == 0
    assert await stored.forget(pool, now().replace(year=2096)) == 1


async def test_what_structlog_writes_is_recorded_while_the_process_runs(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("LOG_DIR", str(tmp_path_factory.mktemp("logs")))
    configure_logging("api")
    recorder = ProcessRecorder(pool, "api", system)
    recorder.start()
    try:
        log = structlog.stdlib.get_logger("tradewright.api")
        try:
            raise KeyError("AAPL")
        except KeyError as error:
            log.error("request_failed", path="/api", exc_info=error)
    finally:
        await recorder.stop()
        reset_logging()
    row = await pool.fetchrow("SELECT * FROM errors")
    assert (row["kind"], row["message"], row["component"]) == ("KeyError", "'AAPL'", "api")
    assert "test_errors.py" in row["traceback"]
