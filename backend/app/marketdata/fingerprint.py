"""The fingerprint of a series of bars, made chunk by chunk: equal bars, equal print."""

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.market import Timeframe

_COLUMNS: Final = ("start", "open", "high", "low", "close", "volume")


class Fingerprint:
    """SHA-256 of the series and of the SHA-256 of each of its columns, starts and values."""

    def __init__(self, symbol: str, timeframe: Timeframe) -> None:
        self._head = f"{symbol}|{timeframe}|".encode()
        self._columns = {name: hashlib.sha256() for name in _COLUMNS}

    def add(self, rows: NDArray[np.void]) -> None:
        """Rows of bars that follow those added before, however they are cut."""
        for name, digest in self._columns.items():
            digest.update(np.ascontiguousarray(rows[name]).tobytes())

    def hexdigest(self) -> str:
        """Of everything that was added."""
        whole = hashlib.sha256(self._head)
        for digest in self._columns.values():
            whole.update(digest.digest())
        return whole.hexdigest()
