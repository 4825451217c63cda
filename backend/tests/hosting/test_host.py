"""Whatever a user's strategy does, it does to itself."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from app.core.errors import InvalidInput, NotFound, StrategyLost
from app.domain.market import Timeframe
from app.hosting.remote import RemotePanelStrategy, RemoteStrategy
from app.strategies.base import Columns, Row
from tests.hosting.conftest import Host, Write

BARS: Columns = {
    name: np.arange(1.0, 6.0) for name in ("open", "high", "low", "close", "volume", "session")
}


def asked(strategy: Any, held: float = 0.0, index: int = 4) -> Any:
    """What it wants at a row of the bars."""
    return strategy.decide(Row({**BARS, **strategy.prepare(BARS)}, index), held)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def eventually(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_answers_and_remembers(write: Write, host: Host) -> None:
    write("calm")
    strategy = host().make("calm", {})
    assert isinstance(strategy, RemoteStrategy)
    assert (strategy.name, strategy.lookback, strategy.parameters) == ("calm", 2, {})
    assert strategy.checkpoint() == {"rows": 0}
    assert asked(strategy) == 1.0
    assert asked(strategy, 1.0) is None
    assert strategy.checkpoint() == {"rows": 2}
    strategy.restore({"rows": 41})
    asked(strategy)
    assert strategy.checkpoint() == {"rows": 42}
    with pytest.raises(InvalidInput, match="cannot read its memory"):
        strategy.restore({"rows": "many"})


def test_each_instance_has_a_memory_of_its_own(write: Write, host: Host) -> None:
    write("calm")
    catalogue = host()
    one = catalogue.make("calm", {})
    assert isinstance(one, RemoteStrategy)
    two = catalogue.make_in(one.link.session, "calm", {})
    asked(one)
    assert (one.checkpoint(), two.checkpoint()) == ({"rows": 1}, {"rows": 0})


def test_rows_of_columns_that_are_forgotten_are_sent_again(write: Write, host: Host) -> None:
    write("calm", decide="return row['price']")
    strategy = host().make("calm", {})
    rows = [
        Row({**BARS, **strategy.prepare({**BARS, "close": BARS["close"] * n})}, 3)
        for n in range(20)
    ]  # type: ignore[attr-defined]
    assert [strategy.decide(row, 0.0) for row in rows] == [4.0 * n for n in range(20)]  # type: ignore[attr-defined]
    assert [strategy.decide(row, 0.0) for row in rows] == [4.0 * n for n in range(20)]  # type: ignore[attr-defined]


def test_it_sees_no_key_of_ours(
    write: Write, host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secrets = {"DATABASE_URL": "postgresql://u:p@h/d", "TRADEWRIGHT_SECRET_KEY": "s" * 64}
    secrets |= {"ALPACA_SECRET_KEY": "kkkk1", "REDIS_URL": "redis://h", "IBKR_PASSWORD": "dddd2"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "seen"
    write("spy", top=f"import os; open({str(out)!r}, 'w').write(repr(dict(os.environ)))\n")
    host().make("spy", {})
    seen = out.read_text()
    assert "PATH" in seen
    assert not [name for name, value in secrets.items() if name in seen or value in seen]
    assert "SECRET" not in seen.replace("TRADEWRIGHT_SECRETS_DIR", "")


@pytest.mark.parametrize("where", ["prepare", "decide"])
def test_one_that_never_ends_is_killed(where: str, write: Write, host: Host) -> None:
    write("endless", **{where: "while True: pass"})
    strategy = host(silence_seconds=0.5).make("endless", {})
    pid = strategy.link.session.pid  # type: ignore[attr-defined]
    with pytest.raises(StrategyLost, match=r"silent for 0\.5 s"):
        asked(strategy)
    eventually(lambda: gone(pid))
    with pytest.raises(StrategyLost, match="silent"):
        asked(strategy)


def test_the_others_go_on(write: Write, host: Host) -> None:
    write("endless", decide="while True: pass")
    write("calm")
    catalogue = host(silence_seconds=0.5)
    endless, calm = catalogue.make("endless", {}), catalogue.make("calm", {})
    with pytest.raises(StrategyLost):
        asked(endless)
    assert asked(calm) == 1.0


def test_one_that_takes_memory_without_end_is_refused_more(write: Write, host: Host) -> None:
    write("greedy", decide="np.ones(1 << 28)")  # 2 GiB
    strategy = host(memory_mb=256).make("greedy", {})
    with pytest.raises(Exception, match="allocate") as caught:
        asked(strategy)
    assert type(caught.value).__name__.endswith("MemoryError")
    write("growing", decide="kept = []\n        while True: kept.append(bytearray(1 << 22))")
    growing = host(memory_mb=256).make("growing", {})
    with pytest.raises(Exception, match=r"^$|process ended"):
        asked(growing)


@pytest.mark.parametrize(
    "start",
    ["os.fork()", "os.system('true')", "__import__('subprocess').run(['true'])", "os.kill(1, 9)"],
)
def test_it_cannot_start_or_end_programs(start: str, write: Write, host: Host) -> None:
    write("forker", decide=start)
    strategy = host().make("forker", {})
    with pytest.raises(Exception, match="may not start or end programs") as caught:
        asked(strategy)
    assert type(caught.value).__name__ == "PermissionError"


def test_what_it_left_behind_ends_with_it(write: Write, host: Host, tmp_path: Path) -> None:
    """By a way around our words: a process of a group of its own."""
    out = tmp_path / "pid"
    stray = (
        "import ctypes; pid = ctypes.CDLL(None).fork()\n"
        f"        if pid: open({str(out)!r}, 'w').write(str(pid))\n"
        "        else:\n            os.setsid()\n            time.sleep(600)"
    )
    write("stray", decide=stray)
    strategy = host().make("stray", {})
    asked(strategy)
    pid = int(out.read_text())
    assert not gone(pid)
    strategy.link.session.end()  # type: ignore[attr-defined]
    eventually(lambda: gone(pid))


@pytest.mark.parametrize(
    "noise",
    [
        "print('x' * 1_000_000)",
        "os.write(1, b'x' * 1_000_000)",
        "sys.stdout.close(); sys.stderr.close()",
        "input() if False else None",
    ],
)
def test_what_it_prints_disturbs_nobody(noise: str, write: Write, host: Host) -> None:
    write("loud", decide=noise)
    strategy = host().make("loud", {})
    assert asked(strategy) == 1.0
    assert asked(strategy) == 1.0


@pytest.mark.parametrize("end", ["os._exit(3)", "os.abort()", "__import__('ctypes').string_at(0)"])
def test_one_that_crashes_is_lost_with_a_reason(end: str, write: Write, host: Host) -> None:
    write("crash", decide=end)
    strategy = host().make("crash", {})
    with pytest.raises(StrategyLost, match="process ended"):
        asked(strategy)


@pytest.mark.parametrize("end", ["sys.exit(1)", "raise KeyboardInterrupt", "raise SystemExit"])
def test_one_that_ends_the_program_ends_its_own(end: str, write: Write, host: Host) -> None:
    write("quitter", decide=end)
    with pytest.raises(StrategyLost, match="process ended"):
        asked(host().make("quitter", {}))


def test_one_that_closes_or_scribbles_on_our_link_is_lost(write: Write, host: Host) -> None:
    write("vandal", decide="[os.write(fd, b'z' * 64) for fd in range(3, 9) if _ok(fd)]", top=OK)
    with pytest.raises(StrategyLost, match="process ended"):
        asked(host().make("vandal", {}))


OK = """
import os, stat
def _ok(fd):
    try: return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError: return False
"""


def test_an_error_keeps_its_name_its_words_and_its_lines(write: Write, host: Host) -> None:
    path = write("wrong", decide="raise LookupError('no such thing')")
    with pytest.raises(Exception, match="no such thing") as caught:
        asked(host().make("wrong", {}))
    assert type(caught.value).__name__ == "LookupError"
    told: str = caught.value.told  # type: ignore[attr-defined]
    assert f'File "{path}"' in told
    assert "raise LookupError('no such thing')" in told
    assert "hosting" not in told


@pytest.mark.parametrize("answer", ["object()", "[object()]", "np.array([object()])"])
def test_an_answer_that_cannot_travel_is_its_error(answer: str, write: Write, host: Host) -> None:
    write("odd", decide=f"return {answer}")
    strategy = host().make("odd", {})
    with pytest.raises(Exception, match="is no number, text, or array of numbers") as caught:
        asked(strategy)
    assert type(caught.value).__name__ == "TypeError"


def test_the_host_that_was_killed_is_started_again(write: Write, host: Host) -> None:
    write("calm")
    catalogue = host()
    strategy = catalogue.make("calm", {})
    pid = catalogue.host.pid
    assert pid is not None
    worker = strategy.link.session.pid  # type: ignore[attr-defined]
    os.kill(pid, 9)
    eventually(lambda: gone(worker))
    with pytest.raises(StrategyLost):
        asked(strategy)
    assert asked(catalogue.make("calm", {})) == 1.0
    assert catalogue.host.pid != pid


def test_nothing_remains_when_it_is_closed(write: Write, host: Host) -> None:
    write("calm")
    catalogue = host()
    strategy = catalogue.make("calm", {})
    pids = [catalogue.host.pid, strategy.link.session.pid]  # type: ignore[attr-defined]
    catalogue.close()
    for pid in pids:
        assert pid is not None
        eventually(lambda pid=pid: gone(pid))  # type: ignore[misc]


def test_built_in_strategies_stay_here_and_need_no_host(host: Host) -> None:
    catalogue = host()
    catalogue.look()
    strategy = catalogue.make("sma_cross", {})
    assert not strategy.answers_ahead
    assert catalogue.host.pid is None
    with pytest.raises(NotFound, match="Did you mean sma_cross"):
        catalogue.make("sma_crosses", {})
    assert catalogue.host.pid is None


def test_what_files_offer_is_told_without_running_them_here(write: Write, host: Host) -> None:
    write("calm")
    write("broken", top="1 / 0\n")
    catalogue = host()
    catalogue.look()
    assert "calm" in catalogue.names()
    assert catalogue.describe("calm").lookback == 2
    assert catalogue.describe("sma_cross").origin == "built in"
    assert any("ZeroDivisionError" in why for why in catalogue.problems.values())
    assert {one.name for one in catalogue.describe_all()} == set(catalogue.names())


def test_a_file_that_never_ends_is_a_problem_and_no_more(write: Write, host: Host) -> None:
    write("calm")
    write("endless", top="while True: pass\n")
    catalogue = host(start_seconds=3)
    catalogue.look()
    assert "sma_cross" in catalogue.names()
    assert any("silent" in why for why in catalogue.problems.values())
    assert asked(catalogue.make("calm", {})) == 1.0, "its own file is read first"


def test_parameters_are_refused_as_they_are_here(write: Write, host: Host) -> None:
    write("calm")
    with pytest.raises(InvalidInput, match="fast"):
        host().make("calm", {"fast": 1})
    with pytest.raises(NotFound, match="There is no strategy calmer"):
        host().make("calmer", {})


PANEL = """
from dataclasses import dataclass
from tradewright import PanelStrategy

@dataclass
class Two(PanelStrategy):
    timeframes = ("1d",)
    @property
    def lookback(self): return 2
    def check_symbols(self, symbols):
        return None if len(symbols) == 2 else "symbols must be two"
    def shares(self, symbols): return symbols + 1
    def prepare(self, panel):
        return {}
"""


def test_a_panel_says_what_it_can_trade(folder: Path, host: Host) -> None:
    (folder / "two.py").write_text(PANEL)
    strategy = host().make("two", {})
    assert isinstance(strategy, RemotePanelStrategy)
    strategy.check_deployment(("A", "B"), Timeframe.M1)
    for _ in range(2):
        with pytest.raises(InvalidInput, match="symbols must be two") as caught:
            strategy.check_deployment(("A",), Timeframe.M1)
        assert caught.value.field == "symbols"
    assert strategy.shares(2) == 3
    assert strategy.shares(2) == 3
    assert strategy.bars_needed(Timeframe.M1) == {Timeframe.M1: 2, Timeframe.D1: 2}
