"""The indicator catalogue."""

from typing import Any

from pydantic import Field

from app.api.schemas.base import Out


class IndicatorOut(Out):
    """An indicator that charts, strategies and the CLI can use."""

    name: str = Field(examples=["macd"])
    title: str = Field(examples=["MACD"])
    description: str = Field(examples=["Difference of two exponential means, and its signal"])
    group: str = Field(description="trend, momentum, volatility or volume.", examples=["momentum"])
    inputs: list[str] = Field(examples=[["close"]])
    outputs: list[str] = Field(examples=[["macd", "macd_signal", "macd_histogram"]])
    pane: str = Field(description="`price`: drawn over the bars; `own`: below.", examples=["own"])
    lookback: int = Field(description="Bars before the first value, with the defaults.")
    source: str = Field(description="talib or pandas-ta.", examples=["talib"])
    memory: str = Field(description="finite, decaying or cumulative.", examples=["decaying"])
    parameters_schema: dict[str, Any] = Field(
        description="JSON schema of the parameters, with defaults and bounds.",
        examples=[{"type": "object", "properties": {"fast": {"type": "integer", "default": 12}}}],
    )
    defaults: dict[str, Any] = Field(examples=[{"fast": 12, "slow": 26, "signal": 9}])


class IndicatorListOut(Out):
    """The whole catalogue; it is short enough for one page."""

    items: list[IndicatorOut]
    next_cursor: None = None
