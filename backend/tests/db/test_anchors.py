"""The file of anchors: appended, authenticated, and none the worse for a crash."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.core.errors import ChainBroken
from app.db.anchors import Anchor, Anchors

AT = datetime(2026, 11, 20, 15, 17, tzinfo=UTC)
KEY = b"k" * 32


def one(seq: int, stream: str = "account:1") -> Anchor:
    return Anchor(at=AT, stream=stream, seq=seq, hash="ab" * 32)


def test_the_last_line_of_each_stream_counts(tmp_path: Path) -> None:
    anchors = Anchors(tmp_path, KEY)
    assert anchors.newest() == {}
    anchors.add([one(3), one(7, "audit")])
    anchors.add([one(9)])
    assert {name: anchor.seq for name, anchor in anchors.newest().items()} == {
        "account:1": 9,
        "audit": 7,
    }
    assert stat.S_IMODE(anchors.path.stat().st_mode) == 0o600


def test_a_line_that_a_crash_left_unfinished_is_passed_over(tmp_path: Path) -> None:
    anchors = Anchors(tmp_path, KEY)
    anchors.add([one(3)])
    with anchors.path.open("ab") as file:
        file.write(b'{"at":"2026-11-20T1')
    assert anchors.newest()["account:1"].seq == 3
    anchors.add([one(4)])
    assert anchors.newest()["account:1"].seq == 4


@pytest.mark.parametrize(("old", "new"), [('"seq":3', '"seq":2'), ('"mac":"', '"mac":"0')])
def test_a_changed_line_is_refused(tmp_path: Path, old: str, new: str) -> None:
    anchors = Anchors(tmp_path, KEY)
    anchors.add([one(3)])
    anchors.path.write_text(anchors.path.read_text().replace(old, new))
    with pytest.raises(ChainBroken, match="Line 1 of"):
        anchors.newest()


def test_another_key_is_refused(tmp_path: Path) -> None:
    Anchors(tmp_path, KEY).add([one(3)])
    with pytest.raises(ChainBroken):
        Anchors(tmp_path, b"x" * 32).newest()


def test_whole_garbage_is_refused(tmp_path: Path) -> None:
    anchors = Anchors(tmp_path, KEY)
    anchors.add([one(3)])
    with anchors.path.open("ab") as file:
        file.write(b'{"seq":1}\n')
    with pytest.raises(ChainBroken, match="Line 2"):
        anchors.newest()
