"""Lines go to the right file, rotate daily, carry the correlation id and hold no secret."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.adapters.clients.alpaca import AlpacaOptions
from app.core import logging as logs
from app.core.config import get_settings
from app.core.errors import ConfigurationError
from app.core.redaction import redact, remember

DAY_SECONDS = 86_400
CANARY = "canary-5f2d9e"
Read = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def console() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, console: io.StringIO) -> Iterator[Read]:
    """Logging of an `api` process into a folder; gives the parsed lines of a component's file."""
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    monkeypatch.setenv("LOG_DIR", str(tmp_path))
    logs.configure_logging("api", console=console)

    def lines(component: str) -> list[dict[str, Any]]:
        file = tmp_path / f"{component}.log"
        text = file.read_text() if file.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    yield lines
    logs.reset_logging()
    root.handlers, root.level = before


def test_each_component_has_its_own_file(read: Read) -> None:
    for component in logs.COMPONENTS:
        logs.get_logger(component).info("hello", component_name=component)
    for component in logs.COMPONENTS:
        assert [line["component_name"] for line in read(component)] == [component]


def test_a_line_has_level_logger_and_utc_time(read: Read) -> None:
    logs.get_logger("trading").warning("late", seconds=2.5)
    (line,) = read("trading")
    assert (line["level"], line["event"], line["seconds"]) == ("warning", "late", 2.5)
    assert line["logger"] == "tradewright.trading"
    assert line["timestamp"].endswith("Z")


def test_what_names_no_component_goes_to_the_process_file(read: Read) -> None:
    logging.getLogger("some.library").warning("watch %s", "out", extra={"code": 7})
    (line,) = read("api")
    assert (line["event"], line["code"], line["logger"]) == ("watch out", 7, "some.library")


def test_an_error_carries_its_stack_trace(read: Read) -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logs.get_logger("trading").exception("failed")
    assert "RuntimeError: broken" in read("trading")[0]["exception"]


def test_the_console_is_readable_in_development(read: Read, console: io.StringIO) -> None:
    logs.get_logger("trading").info("hello", symbol="SPY")
    assert "hello" in console.getvalue()
    assert "symbol=SPY" in console.getvalue()


def test_the_console_leaves_detail_and_good_requests_to_the_files(
    read: Read, console: io.StringIO
) -> None:
    log = logs.get_logger("api")
    log.debug("detail")
    log.info("request", status=200)
    log.warning("request", status=503)
    assert [line["event"] for line in read("api")] == ["detail", "request", "request"]
    assert "detail" not in console.getvalue()
    assert console.getvalue().count("request") == 1


def test_a_level_that_was_asked_for_is_shown_on_the_console(
    read: Read, console: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    get_settings.cache_clear()
    logs.configure_logging("api", console=console)
    logs.get_logger("api").debug("detail")
    assert "detail" in console.getvalue()


def test_the_console_is_json_and_quieter_in_production(
    read: Read, console: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    get_settings.cache_clear()
    logs.configure_logging("api", console=console)
    logs.get_logger("trading").debug("not shown")
    logs.get_logger("trading").info("shown", n=1)
    assert json.loads(console.getvalue())["event"] == "shown"


async def test_the_correlation_id_follows_into_tasks(read: Read) -> None:
    async def work() -> None:
        logs.get_logger("api").info("in a task")

    with logs.correlated("abc", path="/x"):
        assert logs.current_correlation_id() == "abc"
        await asyncio.create_task(work())
    logs.get_logger("api").info("after")
    first, second = read("api")
    assert (first["correlation_id"], first["path"]) == ("abc", "/x")
    assert "correlation_id" not in second
    assert logs.current_correlation_id() is None


@pytest.mark.parametrize(
    "fields",
    [
        {"password": CANARY},
        {"headers": {"Authorization": f"Bearer {CANARY}", "Cookie": f"tw={CANARY}"}},
        {"nested": [{"api_key": CANARY}, ("x", {"refresh_token": CANARY})]},
        {"url": f"postgresql://tradewright:{CANARY}@127.0.0.1/x"},
        {"said": f"authorization: bearer {CANARY}"},
        {"query": f"?token={CANARY}&x=1"},
        {"raw": f"password={CANARY}".encode()},
        {"value": f"tw_12_{CANARY}"},
        {"value": f"eyJhbGciOi.eyJzdWIiOi.{CANARY}"},
    ],
)
def test_no_secret_reaches_a_file_or_the_console(
    read: Read, console: io.StringIO, tmp_path: Path, fields: dict[str, Any]
) -> None:
    logs.get_logger("api").info("request", **fields)
    written = "".join(file.read_text() for file in tmp_path.glob("*.log")) + console.getvalue()
    assert "[redacted]" in written
    assert CANARY not in written


def test_a_key_from_the_settings_is_hidden_wherever_it_stands(
    read: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, console: io.StringIO
) -> None:
    monkeypatch.setenv("ALPACA_SECRET_KEY", "quite-unlike-a-secret")
    AlpacaOptions()
    try:
        raise RuntimeError("the vendor said quite-unlike-a-secret")
    except RuntimeError:
        logging.getLogger("vendor").exception("failed with %s", "quite-unlike-a-secret")
    written = (tmp_path / "api.log").read_text() + console.getvalue()
    assert "quite-unlike-a-secret" not in written


def test_the_password_of_a_remembered_address_is_hidden_alone() -> None:
    remember("redis://:pass%20word-9@127.0.0.1:1/0")
    assert redact("it is pass%20word-9 or pass word-9") == "it is [redacted] or [redacted]"


def test_plain_values_pass_unchanged() -> None:
    plain = {"symbol": "SPY", "n": 1, "x": None, "ok": True, "token": None}
    assert redact(plain) == plain


def test_a_new_day_starts_a_new_file_and_thirty_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "trading.log"
    for day in range(1, 41):
        (tmp_path / f"trading.log.2025-{1 + day // 29:02}-{1 + day % 28:02}").touch()
    file = logs.DailyFile(path, retention_days=30)
    file.emit(_record("yesterday"))
    file.rolloverAt -= DAY_SECONDS
    file.emit(_record("today"))
    file.close()
    assert path.read_text() == "today\n"
    assert len(list(tmp_path.glob("trading.log.20*"))) == 30


def test_two_processes_rotate_a_shared_file_once(tmp_path: Path) -> None:
    path = tmp_path / "performance.log"
    first, second = logs.DailyFile(path, 30), logs.DailyFile(path, 30)
    first.emit(_record("old one"))
    second.emit(_record("old two"))
    first.rolloverAt = second.rolloverAt = first.rolloverAt - DAY_SECONDS
    first.emit(_record("new one"))
    second.emit(_record("new two"))
    first.close()
    second.close()
    (rotated,) = tmp_path.glob("performance.log.2*")
    assert rotated.read_text() == "old one\nold two\n"
    assert path.read_text() == "new one\nnew two\n"


def test_a_folder_that_is_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="Set LOG_DIR to a writable folder"):
        logs.configure_logging("api")


def test_a_timed_function_is_logged_with_its_outcome(read: Read) -> None:
    @logs.timed("work")
    def work(fail: bool) -> str:
        if fail:
            raise ValueError("bad")
        return "done"

    assert work(False) == "done"
    with pytest.raises(ValueError, match="bad"):
        work(True)
    assert [(line["name"], line["succeeded"]) for line in read("performance")] == [
        ("work", True),
        ("work", False),
    ]


async def test_a_timed_coroutine_is_logged_when_it_ends(read: Read) -> None:
    @logs.timed()
    async def work() -> int:
        await asyncio.sleep(0)
        return 3

    assert await work() == 3
    (line,) = read("performance")
    assert line["name"].endswith("work")
    assert line["seconds"] >= 0


def _record(message: str) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "", 0, message, None, None)
