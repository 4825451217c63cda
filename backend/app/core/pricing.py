"""What option prices are compared with: interest rates and dividend yields."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.core.config import split_list
from app.core.options import Options

_HIGHEST = 1.0


class PricingOptions(Options):
    """Option pricing: what money and the underlying earn until expiry."""

    model_config = SettingsConfigDict(env_prefix="OPTIONS_")

    rates: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("0.04",),
        description="Continuously compounded yearly interest: one rate (0.04), or a curve of"
        " years:rate (0.25:0.043,1:0.041,5:0.039)",
    )
    dividend_yields: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Comma-separated SYMBOL:yield a year (SPY:0.012); others pay none"
    )

    _split = field_validator("rates", "dividend_yields", mode="before")(split_list)

    @field_validator("rates", mode="after")
    @classmethod
    def _is_curve(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        points = [curve_point(text) for text in texts]
        years = [one for one, _ in points]
        if not points or sorted(set(years)) != years or (len(points) > 1 and years[0] == 0):
            raise ValueError("must be one rate, or years:rate by rising years")
        return texts

    @field_validator("dividend_yields", mode="after")
    @classmethod
    def _are_yields(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            dividend_yield(text)
        return texts

    @property
    def curve(self) -> tuple[tuple[float, float], ...]:
        """(years, rate), by rising years."""
        return tuple(curve_point(text) for text in self.rates)

    @property
    def yields(self) -> dict[str, float]:
        """Dividend yields by symbol."""
        return dict(dividend_yield(text) for text in self.dividend_yields)


def curve_point(text: str) -> tuple[float, float]:
    """`years:rate`, or a rate alone. Raises ValueError."""
    years, colon, rate = text.rpartition(":")
    return (_number(years, 0, 100) if colon else 0.0), _number(rate, -_HIGHEST, _HIGHEST)


def dividend_yield(text: str) -> tuple[str, float]:
    """`SYMBOL:yield`. Raises ValueError."""
    symbol, colon, share = text.partition(":")
    if not colon or not symbol.strip():
        raise ValueError("must be SYMBOL:yield, as SPY:0.012")
    return symbol.strip().upper(), _number(share, 0, _HIGHEST)


def _number(text: str, lowest: float, highest: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not lowest <= value <= highest:
        raise ValueError(f"must be numbers between {lowest:g} and {highest:g}; 0.04 is 4 %")
    return value
