"""Messages of the TWS socket protocol: a length, then fields that end with NUL."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

VERSIONED: Final = frozenset(
    {1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 25, 49, 50, 51, 52, 53, 54, 55, 56, 57, 62, 63, 74, 76}
)
"Requests whose second field is a version, not the request id."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A contract as a request names it; what is not said is empty."""

    con_id: int
    symbol: str
    kind: str
    expiry: str
    strike: float
    right: str
    multiplier: str
    exchange: str
    primary_exchange: str
    currency: str
    local_symbol: str
    trading_class: str


class Fields:
    """The fields of a request, read from left to right."""

    def __init__(self, values: Sequence[str]) -> None:
        self.values = values
        self._at = 0

    def text(self) -> str:
        self._at += 1
        return self.values[self._at - 1]

    def whole(self) -> int:
        return int(self.text() or 0)

    def number(self) -> float:
        return float(self.text() or 0)

    def flag(self) -> bool:
        return self.text() == "1"

    def skip(self, count: int) -> None:
        self._at += count

    def request(self, message: int) -> int:
        """The request id of a message, wherever it stands."""
        return int(self.values[2 if message in VERSIONED else 1] or 0)

    def contract(self) -> Wanted:
        """The twelve fields of a contract."""
        return Wanted(
            con_id=self.whole(),
            symbol=self.text(),
            kind=self.text(),
            expiry=self.text(),
            strike=self.number(),
            right=self.text(),
            multiplier=self.text(),
            exchange=self.text(),
            primary_exchange=self.text(),
            currency=self.text(),
            local_symbol=self.text(),
            trading_class=self.text(),
        )


def frame(*fields: object) -> bytes:
    """One message, ready to be sent."""
    content = "".join(f"{_text(value)}\0" for value in fields).encode()
    return struct.pack(">I", len(content)) + content


def instant(text: str) -> datetime:
    """A time in UTC: 20240301-21:00:00, or 20240301 21:00:00 UTC."""
    return datetime.strptime(
        f"{text.removesuffix(' UTC').replace(' ', '-')} +0000", "%Y%m%d-%H:%M:%S %z"
    )


def garbled() -> bytes:
    """The beginning of a message that nobody would send."""
    return b"\x7f\xff\xff\xffHTTP/1.1 400 Bad Request"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)
