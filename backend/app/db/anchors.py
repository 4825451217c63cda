"""Heads of the hash chains, noted outside the database: what was cut off there is missed here."""

import fcntl
import hmac
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from app.core.errors import ChainBroken

FILE: Final = Path("audit") / "anchors.jsonl"
"In the home, 0600; a line for every head that had moved, appended and never rewritten."


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """That a stream ended with this row, which had this hash (hex), at this instant."""

    at: datetime
    stream: str
    seq: int
    hash: str
    mac: str = ""


class Anchors:
    """The file. `key` authenticates its lines."""

    def __init__(self, home: Path, key: bytes) -> None:
        self.path = home / FILE
        self._key = key

    def newest(self) -> dict[str, Anchor]:
        """The last line of every stream. Raises ChainBroken for a line that is not ours.

        A last line that a crash left unfinished is passed over: its fact was never relied on.
        """
        if not self.path.exists():
            return {}
        *lines, _ = self.path.read_bytes().split(b"\n")
        found: dict[str, Anchor] = {}
        for number, line in enumerate(lines, 1):
            if line and (anchor := self._read(line, number)):
                found[anchor.stream] = anchor
        return found

    def add(self, anchors: Iterable[Anchor]) -> None:
        """Append, durably. Raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        signed = (msgspec.structs.replace(one, mac=self._mac(one)) for one in anchors)
        text = b"".join(msgspec.json.encode(one) + b"\n" for one in signed)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if self._is_torn():
                text = b"\n" + text
            os.write(descriptor, text)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def set_aside(self, now: datetime) -> Path | None:
        """Begin anew, as after a restore from an older backup; the old file is kept beside."""
        if not self.path.exists():
            return None
        return self.path.rename(self.path.with_name(f"anchors-until-{now:%Y%m%dT%H%M%S}.jsonl"))

    def _read(self, line: bytes, number: int) -> Anchor | None:
        try:
            anchor = msgspec.json.decode(line, type=Anchor)
        except msgspec.DecodeError:
            if not line.endswith(b"}"):
                return None  # torn by a crash, and closed by whoever wrote next
            anchor = None
        if anchor is None or not hmac.compare_digest(self._mac(anchor), anchor.mac):
            raise ChainBroken(
                f"Line {number} of {self.path} was changed.",
                remedy="It was edited, or written under another master key.",
                stream="anchors",
                seq=number,
            )
        return anchor

    def _mac(self, anchor: Anchor) -> str:
        bare = msgspec.structs.replace(anchor, mac="")
        return hmac.digest(self._key, msgspec.json.encode(bare), "sha256").hex()

    def _is_torn(self) -> bool:
        size = self.path.stat().st_size
        return size > 0 and not self.path.read_bytes().endswith(b"\n")
