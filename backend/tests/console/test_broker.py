"""`tradewright broker certify`: what it asks before orders are placed, prints, and returns."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
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


def test_a_setting_must_be_a_pair(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert certify("--broker-setting", "account") == 2
    assert "account" in capsys.readouterr().err


def test_an_unknown_broker_is_told_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("alpacka", "--yes-place-orders") == 2
    assert "alpaca" in capsys.readouterr().err


def at_a_terminal(answer: bytes, *arguments: str) -> tuple[int, str]:
    """The command with a person before it who answers so; what it returned, and what they saw."""
    ours, theirs = os.openpty()
    os.write(ours, answer)
    command = [sys.executable, "-m", "app.cli", "broker", "certify", "alpaca", *arguments]
    with subprocess.Popen(command, cwd=BACKEND, stdin=theirs, stdout=theirs, stderr=theirs) as one:
        os.close(theirs)
        seen = bytearray()
        with suppress(OSError):  # the other end is closed
            while part := os.read(ours, 1024):
                seen += part
        os.close(ours)
    return one.returncode, seen.decode()


def test_a_person_is_asked_before_anything_is_placed(address: str) -> None:
    code, seen = at_a_terminal(b"n\n", "--only", "told apart by their ids")
    assert code == 1
    assert "Place small orders for AAPL on your paper account at alpaca?" in seen


def test_a_person_who_agrees_sees_each_case_as_it_ends(address: str) -> None:
    code, seen = at_a_terminal(b"y\n", "--only", "told apart by their ids", "--pause", "0")
    assert code == 0
    assert "passed     orders are told apart by their ids" in seen
