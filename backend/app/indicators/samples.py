"""Made-up bars, the same at every call, to try indicators and strategies on."""

from collections.abc import Sequence

import numpy as np

from app.indicators.rows import Array

SESSION_ROWS = 78
"Bars a session: five-minute bars of a regular trading day."
FIRST_SESSION = 738_522
"Ordinal of 2 January 2023."


def sample_bars(
    rows: int, seed: int = 0, *, step: float = 0.004, drift: float = 0.0
) -> dict[str, Array]:
    """Bars of a random walk from 100: open, high, low, close, volume and session.

    `step` is the size of a bar's move, `drift` its mean, both as fractions of the price.
    """
    random = np.random.default_rng(seed)
    return bars_of((100 * np.exp(np.cumsum(random.normal(drift, step, rows)))).tolist(), seed)


def bars_of(closes: Sequence[float], seed: int = 0) -> dict[str, Array]:
    """Bars with these closes: each opens near the last close; its wicks and volume are made up."""
    random = np.random.default_rng(seed + 1)
    close = np.array(closes, dtype=np.float64)
    rows = len(close)
    open_ = np.concatenate([close[:1], close[:-1]]) * np.exp(random.normal(0, 0.0005, rows))
    wicks = np.exp(np.abs(random.normal(0, 0.001, (2, rows))))
    return {
        "open": open_,
        "high": np.maximum(open_, close) * wicks[0],
        "low": np.minimum(open_, close) / wicks[1],
        "close": close,
        "volume": random.integers(1_000, 50_000, rows).astype(np.float64),
        "session": np.float64(FIRST_SESSION) + np.arange(rows) // SESSION_ROWS,
    }
