"""The process of a deployment from inside: requests in, answers out, also for nonsense."""

import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from app.hosting import messages, server, wire
from app.hosting.messages import Made, Told, error_of
from app.hosting.worker import REMEMBERED, Worker
from app.strategies.base import Opinion
from tests.hosting.conftest import Write

BARS = {name: np.arange(5.0) for name in ("open", "high", "low", "close", "volume", "session")}


def told(answer: bytes) -> Any:
    return msgspec.msgpack.decode(answer, ext_hook=lambda *_: None)


@pytest.fixture
def worker(folder: Path, write: Write) -> Worker:
    write("calm")
    return Worker((folder,))


def test_a_worker_makes_prepares_decides_and_remembers(worker: Worker) -> None:
    made = msgspec.convert(told(worker.answer(messages.Make("calm", {})))["is"], Made)
    assert (made.number, made.name, made.is_panel, made.memory) == (0, "calm", False, {"rows": 0})
    for token in range(REMEMBERED + 2):
        assert "is" in told(worker.answer(messages.Prepare(0, token, BARS)))
    newest = REMEMBERED + 1
    assert told(worker.answer(messages.Decide(0, newest, 4, 0.0)))["is"] == [
        ["bare", 1.0],
        {"rows": 1},
    ]
    forgotten = told(worker.answer(messages.Decide(0, 0, 4, 0.0)))
    assert forgotten["error"]["type"] == "KeyError"
    sent = messages.Decide(0, 77, 4, 0.0, BARS)
    assert told(worker.answer(sent))["is"] == [["bare", 1.0], {"rows": 2}]
    assert told(worker.answer(messages.Restore(0, {"rows": 9})))["is"] == {"rows": 9}
    assert told(worker.answer(messages.Check(0, ["A"], "1m")))["is"] is None
    said = told(worker.answer(messages.Describe()))["is"]
    assert "calm" in {one["name"] for one in said["strategies"]}


def test_refusals_are_told_as_such_and_errors_by_name(worker: Worker, write: Write) -> None:
    refused = msgspec.convert(told(worker.answer(messages.Make("calm", {"x": 1})))["error"], Told)
    assert (refused.kind, refused.field) == ("invalid", "x")
    assert type(error_of(refused)).__name__ == "InvalidInput"
    unknown = msgspec.convert(told(worker.answer(messages.Make("calmer", {})))["error"], Told)
    assert unknown.kind == "not found"
    assert type(error_of(unknown)).__name__ == "NotFound"
    write("stubborn", top="import dataclasses\n", prepare="raise ValueError('no')")
    worker.answer(messages.Make("stubborn", {}))
    raised = msgspec.convert(told(worker.answer(messages.Prepare(0, 1, BARS)))["error"], Told)
    assert (raised.kind, raised.type, raised.text) == ("user", "ValueError", "no")
    assert "stubborn.py" in raised.traceback


def test_a_constructor_that_refuses_is_a_refusal(worker: Worker, folder: Path) -> None:
    (folder / "choosy.py").write_text(
        "from dataclasses import dataclass\nfrom tradewright import Strategy, parameter\n"
        "@dataclass\nclass Choosy(Strategy):\n    n: int = parameter(1)\n"
        "    def __post_init__(self):\n        if self.n == 2: raise ValueError('not two')\n"
        "    @property\n    def lookback(self): return 1\n"
        "    def prepare(self, bars): return {}\n"
    )
    said = told(worker.answer(messages.Make("choosy", {"n": 2})))["error"]
    assert said["text"] == "choosy refuses its parameters: not two"


PANEL = """
from dataclasses import dataclass
from tradewright import PanelStrategy

@dataclass
class Two(PanelStrategy):
    @property
    def lookback(self): return 1
    def shares(self, symbols): return 7
    def prepare(self, panel):
        return {s: {"x": panel[s]["close"] * 2} for s in panel.symbols}
    def decide(self, row, held):
        return {s: one["x"] for s, one in row.items()}
"""


def test_a_panel_is_put_together_again(worker: Worker, folder: Path) -> None:
    (folder / "two.py").write_text(PANEL)
    made = told(worker.answer(messages.Make("two", {})))["is"]
    assert made["is_panel"] is True
    ends = np.arange(5, dtype=np.int64)
    views = [(symbol, "1m", BARS, ends) for symbol in ("A", "B")]
    asked = messages.PreparePanel(0, 1, ["A", "B"], "1m", ends, BARS["session"], views)
    assert set(told(worker.answer(asked))["is"]) == {"A", "B"}
    said = told(worker.answer(messages.Decide(0, 1, 3, {"A": 0.0, "B": 0.0})))["is"]
    assert said[0] == ["by symbol", {"A": ["bare", 6.0], "B": ["bare", 6.0]}]
    assert told(worker.answer(messages.Shares(0, 2)))["is"] == 7


# --------------------------------------------------------------------------------------- frames


@pytest.fixture
def links() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_a_worker_serves_until_the_other_side_is_gone(
    worker: Worker, links: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = links
    thread = threading.Thread(target=worker.serve, args=(theirs,))
    thread.start()
    wire.send(ours, messages.Make("calm", {}))
    assert wire.receive(ours)["is"]["name"] == "calm"
    ours.close()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "value",
    [
        np.array([1.0, np.nan, -0.0]),
        np.array([[1, 2], [3, 4]], np.int32),
        np.array([True, False]),
        np.array(["a", "bc"]),
        np.empty(0),
    ],
)
def test_arrays_arrive_bit_by_bit(value: Any, links: tuple[socket.socket, socket.socket]) -> None:
    wire.send(links[0], {"it": value})
    found = wire.receive(links[1])["it"]
    assert (found.dtype, found.shape) == (value.dtype, value.shape)
    assert found.tobytes() == value.tobytes()
    assert found.flags.writeable


def test_series_and_scalars_arrive_as_what_they_hold(
    links: tuple[socket.socket, socket.socket],
) -> None:
    wire.send(links[0], [pd.Series([1.0, 2.0]), np.int64(3), np.float64(0.1)])
    series, whole, real = wire.receive(links[1])
    assert series.tolist() == [1.0, 2.0]
    assert (whole, real) == (3, 0.1)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\xc1",
        b"\x00\x00\x00\x03\xc7\x00\x09",
        b"\x00\x00\x00\x05\x81",
    ],
)
def test_nonsense_ends_the_talk(frame: bytes, links: tuple[socket.socket, socket.socket]) -> None:
    links[0].sendall(frame)
    links[0].shutdown(socket.SHUT_WR)
    with pytest.raises(wire.Closed):
        wire.receive(links[1])


def test_arrays_of_objects_are_never_made(links: tuple[socket.socket, socket.socket]) -> None:
    head = msgspec.msgpack.encode(("|O", (1,)))
    bad = msgspec.msgpack.Ext(1, len(head).to_bytes(4, "big") + head + bytes(8))
    content = msgspec.msgpack.encode(bad)
    links[0].sendall(len(content).to_bytes(4, "big") + content)
    with pytest.raises(wire.Closed, match="objects"):
        wire.receive(links[1])


def test_a_talk_has_its_time(links: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(TimeoutError):
        wire.receive(links[0], deadline=0.0)
    with pytest.raises(TimeoutError):
        wire.send(links[0], "x", deadline=0.0)
    links[1].close()
    with pytest.raises(wire.Closed):
        wire.send(links[0], np.zeros(1 << 20))


@pytest.mark.parametrize(
    "answer",
    [None, 1, 0.5, "long", Opinion(0.5, 1.0, None, ("why",)), {"A": Opinion(1.0), "B": None}],
)
def test_answers_come_back_as_they_were(answer: Any) -> None:
    packed = msgspec.msgpack.decode(wire.packed(wire.answer_out(answer)))
    assert wire.answer_in(packed) == answer


# --------------------------------------------------------------------------------------- server


def test_the_bounds_are_those_that_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: dict[int, int] = {}
    monkeypatch.setattr(resource, "setrlimit", lambda which, most: wanted.update({which: most[0]}))
    server.limit(1 << 30)
    assert wanted[resource.RLIMIT_CORE] == 0
    assert wanted[resource.RLIMIT_AS] > 1 << 30
    assert os.getpid() not in server._children()


def test_programs_are_forbidden_by_name() -> None:
    with pytest.raises(PermissionError, match=r"subprocess\.Popen"):
        server._forbid("subprocess.Popen", ())
    server._forbid("open", ())


def test_a_confined_process_may_not_start_others(tmp_path: Path) -> None:
    code = (
        "import os\nfrom app.hosting import server\nserver.confine(1 << 30)\n"
        "try:\n    os.fork()\nexcept PermissionError:\n    raise SystemExit(7)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(server.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == 7


def test_the_server_forks_reaps_and_ends_with_its_engine(folder: Path, write: Write) -> None:
    """The whole of it, in a child, over the real link."""
    write("calm")
    ours, theirs = socket.socketpair()
    with theirs:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "app.hosting.server", str(folder)],
            {**os.environ, "PYTHONPATH": str(Path(server.__file__).parents[2])},
            file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0)],
        )
    mine, worker = socket.socketpair()
    with ours, mine:
        with worker:
            socket.send_fds(ours, [msgspec.msgpack.encode({"memory": 1 << 30})], [worker.fileno()])
        child = msgspec.msgpack.decode(ours.recv(4096))["pid"]
        wire.send(mine, messages.Make("calm", {}))
        assert wire.receive(mine)["is"]["name"] == "calm"
        ours.sendall(msgspec.msgpack.encode({"end": child}))
        assert msgspec.msgpack.decode(ours.recv(4096))["pid"] == child
        with pytest.raises(wire.Closed):
            wire.receive(mine)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
