"""Trading from the command line: lists, deploying, stopping, explaining, verifying."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import cli
from app.console.connection import Connected
from app.console.connection import run as connected_run
from app.core.config import get_settings
from tests import servers
from tests.core_process import REPLAY_OVER, SECRET, CoreProcess
from tests.runner.conftest import waves, write_bars
from tests.servers import TestServers

Run = Callable[..., tuple[int, str, str]]
LISTS = {
    "accounts": ("name", "Replay waves"),
    "deployments": ("strategy", "sma_cross"),
    "signals": ("symbol", "AAPL"),
    "orders": ("symbol", "AAPL"),
    "trades": ("symbol", "AAPL"),
    "events": ("stream", "account:1"),
}


@pytest.fixture(scope="module")
def traded(
    test_servers: TestServers,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, Path]]:
    """A core that has replayed two hours and waits for commands: its database and its home."""
    home = tmp_path_factory.mktemp("core")
    bars = write_bars(home / "waves", {"AAPL": waves(120), "SPY": waves(120, 400)})
    with servers.copied(test_servers.database_url, template_database) as url:
        core = CoreProcess(url, home, TRADEWRIGHT_REPLAY=bars, TRADEWRIGHT_REPLAY_SPEED=0)
        core.begin()
        try:
            wait_until(url, REPLAY_OVER)
            yield url, home
        finally:
            core.end()


def wait_until(url: str, question: str) -> None:
    deadline = time.monotonic() + 60
    with servers.administered(url) as cursor:
        while time.monotonic() < deadline:
            cursor.execute(question)
            row = cursor.fetchone()
            if row is not None and row[0]:
                return
            time.sleep(0.05)
    raise AssertionError(f"never true: {question}")


@pytest.fixture
def run(
    traded: tuple[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """`run("orders", "--json")` → exit code, stdout, stderr."""
    url, home = traded
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("TRADEWRIGHT_HOME", str(home))
    monkeypatch.setenv("TRADEWRIGHT_SECRET_KEY", SECRET)
    get_settings.cache_clear()

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        output = capsys.readouterr()
        return int(end.value.code or 0), output.out, output.err

    return call


def answer(run: Run, *words: str) -> Any:
    code, said, more = run(*words, "--json")
    assert code == 0, said + more
    return json.loads(said)


@pytest.mark.parametrize("command", LISTS)
def test_lists_answer_people_and_programs(run: Run, command: str) -> None:
    column, value = LISTS[command]
    assert value in [row[column] for row in answer(run, command)[command]]
    code, said, _ = run(command)
    assert code == 0
    assert value in said


def test_lists_are_narrowed(run: Run) -> None:
    assert answer(run, "trades", "--symbol", "nope")["trades"] == []
    orders = answer(run, "orders", "--symbol", "spy", "--status", "filled", "--limit", "2")
    assert {row["symbol"] for row in orders["orders"]} == {"SPY"}
    events = answer(run, "events", "--type", "order_filled", "--limit", "1")["events"]
    assert [event["type"] for event in events] == ["order_filled"]
    assert answer(run, "positions", "--account", "99")["positions"] == []


def test_a_strategy_is_deployed_and_its_deployment_can_be_explained(run: Run) -> None:
    found = answer(
        run, "deploy", "rsi_reversion", "--symbols", "spy", "--timeframe", "5m",
        "--capital", "5000", "--param", "length=5", "--name", "By hand",
    )  # fmt: skip
    assert found["status"] == "completed"
    assert found["result"]["state"] == "running"
    newest = answer(run, "deployments", "--limit", "1")["deployments"][0]
    assert (newest["id"], newest["symbols"]) == (found["deployment_id"], ["SPY"])
    explained = answer(run, "explain", "AAPL", "--deployment", "1")
    assert explained["signal"]["symbol"] == "AAPL"
    code, said, _ = run("explain", "AAPL", "--deployment", "1", "--at", "2024-03-01T16:00")
    assert code == 0
    assert "Because: sma_cross" in said
    assert run("explain", "TSLA", "--deployment", "1")[0] == 2


def test_an_instant_is_explained_whether_or_not_something_happened(run: Run) -> None:
    found = answer(run, "explain", "aapl", "--at", "2024-03-01T15:07", "--account", "1")
    assert found["slice_end"].startswith("2024-03-01 15:07")
    (decider,) = (one for one in found["deployments"] if one["deployment_id"] == 1)
    assert decider["indicator_values"].keys() == {"fast", "slow"}
    assert decider["is_earlier"]
    code, said, _ = run("explain", "AAPL", "--at", "2024-03-01T15:00")
    assert code == 0
    assert "position_limit: passed, 0.049594 of 0.05" in said
    assert "filled 48" in said
    assert "is 48 shares" in said


def test_limits_of_parts_are_set_shown_and_taken_back(run: Run) -> None:
    entry = answer(
        run, "risk", "set", "max_position_size", "0.02", "--scope", "symbol:IBM", "--reason", "thin"
    )
    assert (entry["scope"], entry["value"]) == ("symbol:IBM", "0.02")
    shown = answer(run, "risk", "show", "--account", "1")
    assert [(one["scope"], one["value"]) for one in shown["scopes"]] == [("symbol:IBM", "0.02")]
    assert "max_drawdown" in {use["name"] for use in shown["use"]}
    code, said, _ = run("risk", "show")
    assert code == 0
    assert "symbol:IBM" in said
    change = answer(run, "config", "history", "max_position_size", "--limit", "1")[0]
    assert change["scope"] == "symbol:IBM"
    code, said, _ = run("risk", "rollback", str(change["id"]))
    assert said.strip() == "max_position_size of symbol:IBM is None now."
    assert answer(run, "risk", "show")["scopes"] == []
    answer(run, "risk", "set", "max_day_trades", "2")
    change = answer(run, "config", "history", "max_day_trades", "--limit", "1")[0]
    assert answer(run, "risk", "rollback", str(change["id"]))["value"] == 3


def test_other_limits_would_have_cut_orders(run: Run) -> None:
    period = ("--from", "2024-03-01", "--to", "2024-03-01T15:20")
    found = answer(run, "risk", "what-if", *period, "--set", "max_position_size=0.02")
    assert (found["asked"], found["cut"], found["denied"]) == (2, 2, 0)
    assert [one["would_be"] for one in found["orders"]] == ["19", "4"]
    code, said, _ = run("risk", "what-if", *period, "--set", 'restricted_symbols=["SPY"]')
    assert code == 0
    assert "2 orders were asked for: 1 would have been denied, 0 cut" in said
    assert "would have taken another path" in said


def test_orders_are_placed_changed_and_cancelled(run: Run) -> None:
    placed = answer(
        run, "order", "buy", "spy", "2", "--limit", "390", "--tif", "gtc",
        "--stop-trail", "5", "--take-profit", "450", "--reason", "by hand",
    )  # fmt: skip
    assert placed["status"] == "completed", placed
    name = placed["result"]["client_order_id"]
    (order,) = answer(run, "orders", "--status", "open", "--symbol", "SPY")["orders"]
    assert (order["client_order_id"], order["type"], order["rests"]) == (
        name,
        "limit",
        "at the broker",
    )
    assert answer(run, "order", "replace", name, "--limit", "385", "--quantity", "3")
    (order,) = answer(run, "orders", "--status", "open", "--symbol", "SPY")["orders"]
    assert (float(order["limit_price"]), float(order["quantity"])) == (385, 3)
    code, said, _ = run("order", "cancel", name)
    assert (code, f"The cancel of {name}" in said) == (0, True)
    assert answer(run, "orders", "--status", "open", "--symbol", "SPY")["orders"] == []


def test_a_pair_of_orders_is_placed_and_a_denial_is_exit_code_1(run: Run) -> None:
    placed = answer(run, "order", "buy", "SPY", "1", "--limit", "390", "--oco-stop", "420")
    name = placed["result"]["client_order_id"]
    both = answer(run, "orders", "--status", "open", "--symbol", "SPY")["orders"]
    assert sorted(one["type"] for one in both) == ["limit", "stop"]
    assert answer(run, "order", "cancel", name)
    assert answer(run, "orders", "--status", "open", "--symbol", "SPY")["orders"] == []
    code, said, _ = run("order", "sell", "SPY", "1", "--trail", "3000")
    assert (code, "Refused: trail must be less" in said) == (1, True)


@pytest.mark.usefixtures("run")
def test_a_reader_that_has_gone_is_not_blamed_on_the_database() -> None:
    async def written(_: Connected) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        connected_run(written)


def test_stop_reduce_and_resume_are_obeyed(run: Run) -> None:
    stopped = answer(run, "estop", "--reason", "drill")
    assert (stopped["state"], stopped["unconfirmed"]) == ("halted", [])
    code, said, _ = run("resume")
    assert (code, said.strip()) == (0, "Trading is active.")
    assert answer(run, "reduce", "--account", "1")["confirmed"] == [1]
    assert answer(run, "resume", "--account", "1")["state"] == "active"


def test_the_chains_are_verified(run: Run, traded: tuple[str, Path]) -> None:
    found = answer(run, "audit", "verify")
    assert found["ok"]
    assert found["rows"] > 100
    assert found["first_bad"] is None
    with servers.administered(traded[0]) as cursor:
        cursor.execute("SET session_replication_role = replica")
        change = "UPDATE trading_events SET actor = %s WHERE stream = 'account:1' AND seq = 3"
        cursor.execute(change, ("mallory",))
        code, said, _ = run("audit", "verify")
        assert code == 1
        assert "account:1 is broken at 3" in said
        cursor.execute(change, ("first run",))
    assert run("audit", "verify")[0] == 0


def test_events_are_followed_until_ctrl_c(run: Run, traded: tuple[str, Path]) -> None:
    words = [sys.executable, "-m", "app.cli", "events", "--follow", "--json", "--limit", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["seq"] > 0
        answer(run, "reduce")
        types = {json.loads(following.stdout.readline())["type"] for _ in range(2)}
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0
    assert types <= {"command_received", "trading_halted", "cancel_requested", "command_completed"}
    answer(run, "resume")


def test_books_are_held_against_the_brokers(run: Run) -> None:
    code, said, _ = run("reconcile")
    assert (code, said.strip()) == (0, "Replay waves: our books and the broker's agree.")
    code, said, _ = run("reconcile", "1", "--dry-run", "--json")
    found = json.loads(said)
    assert (found["status"], found["dry_run"], found["result"]["differences"]) == (
        "completed", True, [],
    )  # fmt: skip
    code, _, said = run("reconcile", "Replay wafes")
    assert (code, "Did you mean Replay waves?" in said) == (2, True)
    code, said, _ = run("status")
    assert "Replay waves" in said.partition("Brokers")[2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("deploy", "sma_crss", "--symbols", "SPY"), "Did you mean sma_cross?"),
        (("deploy", "sma_cross", "--symbols", "SPX"), "Did you mean SPY?"),
        (("deploy", "sma_cross", "--symbols", " , "), "at least one symbol"),
        (("deploy", "sma_cross", "--symbols", "SPY", "--param", "fast"), "name=value"),
        (("deploy", "sma_cross", "--symbols", "SPY", "--param", "fast=99"), "less than slow"),
        (("deploy", "sma_cross", "--symbols", "SPY", "--param", "fsat=9"), "fast"),
        (("deploy", "sma_cross", "--symbols", "SPY", "--timeframe", "2m"), "no timeframe"),
        (("deploy", "sma_cross", "--symbols", "SPY", "--capital", "-1"), "above zero"),
        (("orders", "--status", "opne"), "Did you mean open?"),
        (("order", "buy", "SPX", "1"), "Did you mean SPY?"),
        (("order", "buy", "SPY", "none"), "quantity must be above zero"),
        (("order", "buy", "SPY", "1", "--limit", "9", "--trail", "1"), "Give --trail alone"),
        (("order", "buy", "SPY", "1", "--type", "limti"), "Did you mean limit?"),
        (("order", "buy", "SPY", "1", "--type", "stop"), "Send stop_price"),
        (("order", "buy", "SPY", "1", "--stop", "9", "--tif", "ioc"), "Use day or gtc"),
        (("order", "sell", "SPY", "1", "--oco-stop", "9"), "limit order"),
        (("order", "cancel", "nobody"), "no order"),
        (("order", "replace", "nobody", "--limit", "9"), "no order"),
        (("events", "--type", "order_fild"), "Did you mean order_filled?"),
        (("explain", "SPY", "--at", "noon"), "no instant"),
        (("explain", "SPY", "--at", "2020-01-01"), "had seen no market"),
        (("explain", "SPY", "--account", "7"), "There is no account 7"),
        (("risk", "set", "max_position_siz", "0.1"), "Did you mean max_position_size?"),
        (("risk", "set", "max_position_size", "0.1", "--scope", "AAPL"), "no scope 'AAPL'"),
        (("risk", "set", "max_position_size", "0.1", "--scope", "account:9"), "no account"),
        (("risk", "set", "max_position_size", "0.1", "--scope", "deployment:99"), "deployment 99"),
        (("risk", "set", "max_drawdown", "0.1", "--scope", "symbol:SPY"), "cannot be set"),
        (("risk", "rollback", "999"), "no change 999"),
        (("risk", "what-if", "--from", "2024-03-01", "--to", "2024-03-02", "--set", "x"), "name="),
        (
            ("risk", "what-if", "--from", "2024-03-02", "--to", "2024-03-01", "--set", "x=1"),
            "x cannot be set",
        ),
        (
            (
                "risk",
                "what-if",
                "--from",
                "2024-03-02",
                "--to",
                "2024-03-01",
                "--set",
                "max_drawdown=0.1",
            ),
            "ends before it begins",
        ),
        (
            (
                "risk",
                "what-if",
                "--from",
                "2024-03-01",
                "--to",
                "2024-03-02",
                "--set",
                "max_drawdown=0.1",
                "--account",
                "9",
            ),
            "no account 9",
        ),
    ],
)
def test_a_wrong_word_is_answered_with_the_remedy(
    run: Run, words: tuple[str, ...], sentence: str
) -> None:
    code, _, said = run(*words)
    assert code == 2
    assert sentence in said


def test_without_a_database_the_sentence_says_what_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    get_settings.cache_clear()
    code, _, said = run("orders")
    assert code == 1
    assert "tradewright up" in said


def test_each_component_has_its_own_log(traded: tuple[str, Path]) -> None:
    folder = traded[1] / "logs"
    assert '"strategy_prepared"' in (folder / "agents.log").read_text()
    assert '"name":"recovery"' in (folder / "performance.log").read_text()
    assert '"lease_taken"' in (folder / "trading.log").read_text()
