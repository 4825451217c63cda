"""`tradewright accounts`: the list, and new accounts on live data."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from app.console import accounts
from app.core.config import get_settings
from app.core.errors import ConfigurationError, Conflict, InvalidInput, NotFound


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(tmp_path))
    get_settings.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(accounts.app, arguments)


def add(feeds: str, *more: str, symbols: str = "aapl,SPY") -> Result:
    return run("add", "Mine", "--feeds", feeds, "--symbols", symbols, *more)


def test_an_account_on_live_data_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWELVE_DATA_API_KEY", "a-key-of-a-test")
    done = add("Twelve_Data, yfinance", "--cash", "50000", "--json")
    assert done.exit_code == 0, done.output
    row = orjson.loads(done.output)
    assert (row["dataset"], row["feeds"], row["symbols"]) == (
        "live", ["twelve_data", "yfinance"], ["AAPL", "SPY"],
    )  # fmt: skip
    [listed] = orjson.loads(run("--json").output)["accounts"]
    assert (listed["name"], float(listed["cash"])) == ("Mine", 50000)
    assert isinstance(add("twelve_data").exception, Conflict)


@pytest.mark.parametrize(
    ("feeds", "error", "words"),
    [
        ("twelvedata", NotFound, "Did you mean twelve_data"),
        ("twelve_data", ConfigurationError, "TWELVE_DATA_API_KEY is not set"),
        ("yfinance,simulator", InvalidInput, "simulator has no live data"),
        (",", InvalidInput, "No provider is named"),
    ],
)
def test_a_chain_that_cannot_be_is_answered_with_a_sentence(
    feeds: str, error: type[Exception], words: str
) -> None:
    failed = add(feeds).exception
    assert isinstance(failed, error)
    assert words in str(failed)


def test_money_and_symbols_are_checked() -> None:
    assert "too little" in str(add("yfinance", "--cash", "0.5").exception)
    assert "Name at least one symbol" in str(add("yfinance", symbols=",").exception)


@pytest.fixture
def databento(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABENTO_API_KEY", "db-0123456789abcdefghijklmnopqrs")


def test_an_account_can_follow_option_chains_from_the_start(databento: None) -> None:
    done = add("databento", "--options", "aapl,IBM", "--option-days", "7", "--json")
    assert done.exit_code == 0, done.output
    row = orjson.loads(done.output)
    assert (row["options"], row["symbols"]) == (["AAPL", "IBM"], ["AAPL", "SPY", "IBM"])
    assert row["option_limits"] == {"days": 7, "percent": 10.0, "contracts": 500}


def test_option_chains_are_chosen_and_dropped_later(databento: None) -> None:
    add("databento")
    done = run("options", "Mine", "--follow", "SPY", "--strikes", "2.5", "--json")
    assert done.exit_code == 0, done.output
    row = orjson.loads(done.output)
    assert (row["options"], row["option_limits"]["percent"]) == (["SPY"], 2.5)
    done = run("options", "Mine", "--follow", "")
    assert done.output == "Account 1 'Mine' follows option chains: none.\n"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("Mone", "--follow", "AAPL"), NotFound, "Did you mean Mine?"),
        (("Mine", "--follow", "AAPL", "--days", "-1"), InvalidInput, "option_limits.days cannot"),
        (("Mine", "--follow", "AAPL", "--strikes", "0"), InvalidInput, "between 0.1 and 100"),
        (("Mine", "--follow", "AAPL", "--contracts", "9999"), InvalidInput, "between 1 and 2000"),
        (("Mine", "--follow", "AAPL261218C00250000"), InvalidInput, "is a contract"),
        (("Mine", "--follow", ",".join(map("A{}".format, range(21)))), InvalidInput, "too many"),
    ],
)
def test_chains_that_cannot_be_followed_are_answered_with_a_sentence(
    databento: None, arguments: tuple[str, ...], error: type[Exception], words: str
) -> None:
    add("databento")
    failed = run("options", *arguments).exception
    assert isinstance(failed, error)
    assert words in str(failed)


def test_chains_want_a_provider_that_carries_options() -> None:
    assert "carries no quotes of options" in str(add("yfinance", "--options", "AAPL").exception)


@pytest.fixture
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWELVE_DATA_API_KEY", "ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(name, "a-key-of-a-test")


@pytest.mark.usefixtures("_keys")
def test_an_account_at_a_real_broker_begins_with_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = add("twelve_data", "--broker", "alpaca", "--cash", "5", "--json")
    assert done.exit_code == 0, done.output
    row = orjson.loads(done.output)
    assert (row["broker"], row["mode"]) == ("alpaca", "paper")
    [listed] = orjson.loads(run("--json").output)["accounts"]
    assert float(listed["cash"]) == 0
    arguments = ("--feeds", "twelve_data", "--symbols", "SPY", "--broker", "alpaca")
    again = run("create", "Other", *arguments)
    assert isinstance(again.exception, Conflict)
    assert "Mine" in str(again.exception)
    monkeypatch.setenv("ALPACA_BASE_URL", "https://api.alpaca.markets")
    live = run("create", "Real", *arguments, "--mode", "live")
    assert live.exit_code == 0, live.output
    assert "trades at alpaca (live)" in live.output


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (("--broker", "alpacca"), NotFound, "Did you mean alpaca"),
        (("--mode", "real"), InvalidInput, "There is no mode 'real'"),
        (("--mode", "live"), ConfigurationError, "The paper broker has no live mode"),
        (("--broker", "ibkr", "--broker-setting", "account"), InvalidInput, "takes name=value"),
    ],
)
@pytest.mark.usefixtures("_keys")
def test_a_wrong_broker_is_answered_well(
    words: tuple[str, ...], error: type[Exception], sentence: str
) -> None:
    failed = add("twelve_data", *words)
    assert isinstance(failed.exception, error)
    assert sentence in str(failed.exception)


@pytest.mark.usefixtures("_keys")
def test_the_policy_of_an_account_is_shown_and_changed() -> None:
    add("twelve_data", "--broker", "alpaca")
    shown = orjson.loads(run("policy", "Mine", "--json").output)
    assert (shown["foreign_orders"], shown["positions"], shown["resume"]) == (
        "adopt",
        "flag",
        False,
    )
    words = ("--positions", "adopt", "--cash-tolerance", "0.01", "--resume", "--json")
    changed = orjson.loads(run("policy", "Mine", *words).output)
    assert (changed["positions"], changed["cash_tolerance"], changed["resume"]) == (
        "adopt", "0.01", True,
    )  # fmt: skip
    assert "positions: adopt" in run("policy", "Mine").output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--cash", "keep"), "cash: Invalid enum value 'keep'"),
        (("--cash-tolerance", "2"), "from 0 to 1"),
    ],
)
@pytest.mark.usefixtures("_keys")
def test_a_wrong_policy_names_the_field(words: tuple[str, ...], sentence: str) -> None:
    add("twelve_data", "--broker", "alpaca")
    failed = run("policy", "Mine", *words)
    assert isinstance(failed.exception, InvalidInput)
    assert sentence in str(failed.exception)


def test_a_key_that_a_broker_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWELVE_DATA_API_KEY", "a-key-of-a-test")
    failed = add("twelve_data", "--broker", "alpaca")
    assert isinstance(failed.exception, ConfigurationError)
    assert "ALPACA_API_KEY" in str(failed.exception)
