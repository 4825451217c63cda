"""`tradewright data fetch` and `data gaps --repair` against a vendor's loopback."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.cli import main
from app.core.config import get_settings
from tests.factories import make_batch
from tests.vendors.twelve_data import TwelveDataLoopback

Run = Callable[..., tuple[int, str, str]]
SPAN = ("--from", "2024-03-01", "--to", "2024-03-02")


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[TwelveDataLoopback]:
    """The loopback in a loop of its own: the command has one, too."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> TwelveDataLoopback:
        return await TwelveDataLoopback().__aenter__()

    loopback = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    for name, value in loopback.variables.items():
        monkeypatch.setenv(name, value)
    yield loopback
    asyncio.run_coroutine_threadsafe(loopback.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def run(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["data", *words])
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out, output.err

    return call


def test_bars_are_fetched_checked_and_repaired(run: Run, vendor: TwelveDataLoopback) -> None:
    whole = make_batch([100.0 + i % 5 for i in range(390)])
    vendor.know("AAPL")
    vendor.hold(whole[:100])
    vendor.hold(whole[110:])
    code, said, _ = run("fetch", "aapl", *SPAN, "--provider", "twelve_data", "--json")
    (report,) = json.loads(said)
    assert (code, report["rows_stored"], report["missing"], report["dataset"]) == (
        0, 380, 10, "live",
    )  # fmt: skip
    (verdict,) = json.loads(run("check", "--json")[1])
    assert (verdict["verdict"], verdict["missing"], verdict["gaps"]) == ("stale", 10, 1)
    vendor.hold(whole[100:110])
    code, said, _ = run("gaps", "--repair", "--providers", "twelve_data", "--evidence")
    assert code == 0
    assert "repaired" in said
    assert "twelve_data: bars, 10 bars in it, 40 around it." in said
    code, said, _ = run("fetch", "AAPL", *SPAN, "--provider", "twelve_data")
    assert (code, "wanted                 0" in said) == (0, True)


def test_corporate_actions_are_fetched(run: Run, vendor: TwelveDataLoopback) -> None:
    vendor.know("AAPL")
    vendor.dividends["AAPL"] = [{"ex_date": "2024-03-01", "amount": 0.24}]
    words = ("fetch", "AAPL", *SPAN, "--provider", "twelve_data", "--kind", "actions", "--json")
    (report,) = json.loads(run(*words)[1])
    assert (report["rows_stored"], report["sources"]) == (1, {"twelve_data": 1})
    (report,) = json.loads(run(*words)[1])
    assert (report["rows_stored"], report["duplicates"]) == (0, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--provider", "twelvedata"), "Did you mean twelve_data?"),
        (("--provider", "alpaca"), "ALPACA_API_KEY"),
        (("--provider", "alpaca", "--providers", "alpaca"), "not both"),
        (("--kind", "bar"), "Did you mean bars?"),
        (("--timeframe", "7m"), "'7m' is no timeframe"),
        ((), "No provider is named"),
    ],
)
def test_wrong_use_is_a_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    for name in ("TWELVE_DATA_API_KEY", "ALPACA_API_KEY", "DATABENTO_API_KEY", "LIVE_FEEDS"):
        monkeypatch.delenv(name, raising=False)
    code, _, error = run("fetch", "AAPL", *SPAN, *words)
    assert code != 0
    assert said in error


def test_what_a_vendor_lacks_and_what_is_not_live_is_said(
    run: Run, vendor: TwelveDataLoopback
) -> None:
    vendor.know("AAPL")
    vendor.hold(make_batch([100.0] * 390))
    code, _, error = run("fetch", "AAPL", *SPAN, "--provider", "twelve_data", "--kind", "ticks")
    assert (code, "twelve_data has no ticks." in error) == (2, True)
    run("fetch", "AAPL", *SPAN, "--provider", "twelve_data", "--dataset", "mine")
    code, _, error = run("gaps", "--dataset", "mine", "--repair", "--providers", "twelve_data")
    assert (code, "import:mine cannot be fetched" in error) == (2, True)
