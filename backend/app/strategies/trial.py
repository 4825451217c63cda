"""Asks a strategy for its opinions on given bars, as the engine would if every wish were filled."""

from collections.abc import Iterator

from app.strategies.base import Columns, Opinion, Row, Strategy


def opinions(strategy: Strategy, bars: Columns) -> list[Opinion | None]:
    """One opinion a bar, from the first bar that the lookback allows; None is no opinion."""
    columns = strategy.prepare(bars)
    return list(decided(strategy, columns, range(strategy.lookback - 1, len(bars["close"]))))


def decided(
    strategy: Strategy, columns: Columns, rows: range, held: float = 0.0
) -> Iterator[Opinion | None]:
    """The opinions on these rows of prepared columns; `held` is what is held before the first."""
    for index in rows:
        said = strategy.decide(Row(columns, index), held)
        opinion = as_opinion(said)
        held = held if opinion is None else opinion.exposure
        yield opinion


def as_opinion(said: object) -> Opinion | None:
    """What `decide` said, found to be sound. Raises ValueError."""
    if said is None:
        return None
    opinion = said if isinstance(said, Opinion) else Opinion(said)  # type: ignore[arg-type]  # checked below
    exposure: object = opinion.exposure
    if not isinstance(exposure, int | float) or not -1 <= exposure <= 1:
        raise ValueError(f"an exposure must be from -1 to 1, or None, not {exposure!r}")
    for name in ("stop_loss", "take_profit", "stop_trail"):
        price = getattr(opinion, name)
        if price is not None and not price > 0:
            raise ValueError(f"{name} must be above 0, or None, not {price!r}")
    return opinion
