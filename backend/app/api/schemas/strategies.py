"""The strategy catalogue, with the JSON schema that forms are made from."""

from typing import Any

from pydantic import Field

from app.api.schemas.base import In, Out


class StrategyOut(Out):
    """A strategy that can be deployed."""

    id: int | None = Field(default=None, examples=[1])
    name: str = Field(examples=["sma_cross"])
    title: str = Field(examples=["Sma cross"])
    description: str = Field(examples=["Long while the fast mean stands above the slow one"])
    active: bool = True
    parameters_schema: dict[str, Any] = Field(
        description="JSON schema (2020-12) of the parameters: title, description, default, bounds.",
        examples=[
            {
                "type": "object",
                "properties": {"fast": {"type": "integer", "minimum": 1, "default": 10}},
            }
        ],
    )
    defaults: dict[str, Any] = Field(examples=[{"fast": 10, "slow": 30}])
    lookback: int = Field(
        description="Bars before the first opinion, with the defaults.", examples=[30]
    )
    is_panel: bool = Field(
        default=False, description="It decides for all symbols of a deployment at once."
    )
    origin: str = Field(
        description="`built in`, `package NAME`, or the file's path.", examples=["built in"]
    )


class StrategyDetailOut(StrategyOut):
    """A strategy with its whole description, columns and source."""

    documentation: str = ""
    columns: dict[str, str] = Field(
        default_factory=dict, description="What it computes, by column, for panes of the chart."
    )
    source: str | None = Field(default=None, examples=["class SmaCross(Strategy): …"])


class StrategyListOut(Out):
    """The whole catalogue; it is short enough for one page."""

    items: list[StrategyOut]
    problems: dict[str, str] = Field(
        default_factory=dict, description="Files or packages that cannot be used, and why."
    )
    next_cursor: None = None


class ParametersIn(In):
    """Parameters to try; what is missing takes its default."""

    parameters: dict[str, Any] = Field(default={}, examples=[{"fast": 10, "slow": 30}])


class ParametersOut(Out):
    """Complete, checked parameters and the lookback that follows from them."""

    parameters: dict[str, Any] = Field(examples=[{"fast": 10, "slow": 30}])
    lookback: int = Field(examples=[30])
