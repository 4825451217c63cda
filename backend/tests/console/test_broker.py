"""`tradewright broker certify`: what it asks before orders are placed, prints, and returns."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import main

BACKEND = Path(__file__).parents[2]


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Alpaca's loopback in a process of its own, and the settings that find it."""
    command = [sys.executable, "-m", "tests.vendors.alpaca_trading", "--symbols", "AAPL,BRK.B"]
    with subprocess.Popen(command, cwd=BACKEND, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        _, url, key, secret = server.stdout.readline().split()
        monkeypatch.setenv("ALPACA_BASE_URL", url)
        monkeypatch.setenv("ALPACA_API_KEY", key)
        monkeypatch.setenv("ALPACA_SECRET_KEY", secret)
        yield url
        server.terminate()


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["broker", "certify", *arguments])
    return int(ended.value.code or 0)


def certify(*arguments: str) -> int:
    return run("alpaca", "--yes-place-orders", "--pause", "0", *arguments)


def test_cases_are_run_at_the_broker(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert certify("--only", "told apart by their ids") == 0
    said = capsys.readouterr().out
    assert "passed  identity  orders are told apart by their ids" in said
    assert said.endswith("alpaca: 1 passed.\n")


def test_as_json_with_what_was_not_tried(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert certify("--only", "an open order is found", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["cases"][0]["status"]) == (1, "passed")
    assert certify("--only", "exact", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert "nobody here can make a trade" in json.dumps(found["cases"])


def test_a_case_that_fails_fails_the_command(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert certify("--only", "symbol with a class", "--other-symbol", "NOPE.X") == 1
    assert "failed" in capsys.readouterr().out


def test_nothing_is_placed_that_nobody_agreed_to(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("alpaca") == 2
    assert "Say --yes-place-orders" in capsys.readouterr().err


def test_real_money_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALPACA_BASE_URL", "https://api.alpaca.markets")
    assert certify() == 1
    assert "address of real money" in capsys.readouterr().err


def test_a_broker_that_is_not_there_is_told_with_what_the_link_said(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALPACA_BASE_URL", "http://127.0.0.1:9")
    assert certify("--seconds", "1") == 1
    assert "the link is up" in capsys.readouterr().err


def test_a_name_of_no_case_is_told(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert certify("--only", "nothing like that") == 2
    assert "Groups are orders, identity" in capsys.readouterr().err
