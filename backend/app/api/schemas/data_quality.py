"""Data quality: series and their verdicts, gaps with the evidence, coverage, refused records."""

from datetime import date
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import AwareInstant, In, Instant, Out, PageQuery, PeriodQuery, SymbolIn
from app.domain.market import Timeframe

_DATASET = Field(
    default=None,
    max_length=100,
    description="live, simulated, replay:NAME, import:NAME; left out: every one.",
    examples=["live"],
)


class SeriesVerdict(StrEnum):
    GOOD = "good"
    GAPS = "gaps"
    STALE = "stale"
    BAD = "bad"
    UNCHECKED = "unchecked"


class GapState(StrEnum):
    UNEXPLAINED = "unexplained"
    CLOSED = "closed"
    NO_TRADE = "no_trade"
    PROVIDER_HOLE = "provider_hole"
    REPAIRED = "repaired"


class FindingsOut(Out):
    """Bars that look wrong or odd, by kind."""

    refused: int = Field(default=0, description="The rules would refuse them today.", examples=[0])
    overlapping: int = Field(
        default=0, description="Begin before the bar before has ended.", examples=[0]
    )
    spikes: int = Field(
        default=0, description="Far from both neighbours, then back again.", examples=[1]
    )
    repeated_bars: int = Field(
        default=0, description="In runs with the same prices and volume.", examples=[0]
    )
    zero_range_bars: int = Field(
        default=0, description="In runs of 30 and more whose high is their low.", examples=[40]
    )
    zero_volume_bars: int = Field(
        default=0, description="In runs of 30 and more without volume.", examples=[0]
    )


class SeriesQualityOut(Out):
    """One stored series: how much, how whole, how believable."""

    dataset: str = Field(examples=["live"])
    symbol: str = Field(examples=["AAPL"])
    timeframe: Timeframe
    bars: int = Field(examples=[390780])
    bars_exact: bool = Field(
        default=True, description="Counted with every write, not estimated.", examples=[True]
    )
    first_start: Instant
    last_start: Instant
    verdict: SeriesVerdict = Field(
        description="good, gaps (bars are missing), stale (live, and overdue), bad (some bar is"
        " not believable), unchecked (nobody has looked yet)."
    )
    checked_at: Instant | None = None
    completeness: float | None = Field(
        default=None, description="Share of expected bars that are there or explained.",
        examples=[0.99987],
    )  # fmt: skip
    expected: int | None = Field(
        default=None, description="Bars that the exchange's sessions promise.", examples=[390800]
    )
    missing: int | None = Field(
        default=None, description="Of those, not there and not explained.", examples=[52]
    )
    gaps: int = Field(
        description="Open gaps: unexplained, or holes of all providers.", examples=[3]
    )
    gaps_explained: int = Field(description="Closed, no trade, or repaired.", examples=[7])
    bad: int | None = Field(default=None, examples=[0])
    suspicious: int | None = Field(default=None, examples=[2])
    quarantined: int = Field(description="Bars that were refused on arrival.", examples=[4])
    behind_seconds: float | None = Field(
        default=None,
        description="For how much trading time a live series is overdue; null for others.",
        examples=[0.0],
    )
    sources: list[str] = Field(default_factory=list, examples=[["alpaca"]])
    fingerprint: str | None = Field(
        default=None, description="SHA-256: equal bars, equal print.", examples=["9f86d081884c…"]
    )
    findings: FindingsOut | None = None


class SeriesQualityQuery(PageQuery):
    """By data set, symbol and timeframe."""

    dataset: str | None = _DATASET
    symbol: list[str] = Field(
        default=[], max_length=200, description="Any of these.", examples=[["AAPL"]]
    )
    timeframe: Timeframe | None = None
    verdict: list[SeriesVerdict] = Field(default=[], description="Any of these.")


class TargetOut(Out):
    """One promise about live data, and how it is kept."""

    name: str = Field(examples=["freshness"])
    title: str = Field(examples=["From the end of a live bar to its arrival"])
    value: float | None = Field(description="Null: nothing live has been seen.", examples=[1.2])
    limit: float = Field(examples=[5.0])
    unit: str = Field(description="share, s or ms.", examples=["s"])
    better: Literal["higher", "lower"]
    state: Literal["met", "missed", "unknown"]
    detail: str = Field(examples=["The newest live bars came 1.2 s after their end."])


class QualitySummaryOut(Out):
    """All series at a glance."""

    series: int = Field(examples=[18])
    verdicts: dict[str, int] = Field(examples=[{"good": 16, "gaps": 1, "unchecked": 1}])
    gaps: dict[str, int] = Field(description="By state.", examples=[{"unexplained": 1}])
    targets: list[TargetOut]
    datasets: list[str] = Field(examples=[["live", "simulated"]])


class EvidenceOut(Out):
    """What one provider answered when it was asked for missing bars."""

    provider: str = Field(examples=["alpaca"])
    answer: str = Field(
        description="bars, nothing (though it has bars around), nothing_around, unknown, refused,"
        " failed, or peers (other series were looked at).",
        examples=["nothing"],
    )
    bars: int = Field(default=0, examples=[0])
    around: int = Field(default=0, description="Bars it has just beside the gap.", examples=[24])
    at: Instant | None = None
    detail: str = ""


class GapOut(Out):
    """Bars missing in [start, end) of one series, and why."""

    id: int = Field(examples=[7])
    dataset: str = Field(examples=["live"])
    symbol: str = Field(examples=["AAPL"])
    timeframe: Timeframe
    start: Instant
    end: Instant
    bars: int = Field(
        description="How many are missing; of a repaired gap, how many came.", examples=[12]
    )
    state: GapState
    detail: str = Field(examples=["alpaca and twelve_data have bars around it and none in it."])
    evidence: list[EvidenceOut] = Field(default_factory=list)
    detected_at: Instant
    asked_at: Instant | None = Field(default=None, description="When providers were asked last.")
    repaired_at: Instant | None = None


class GapQuery(PeriodQuery):
    """The newest first."""

    dataset: str | None = _DATASET
    symbol: list[str] = Field(
        default=[], max_length=200, description="Any of these.", examples=[["AAPL"]]
    )
    timeframe: Timeframe | None = None
    state: list[GapState] = Field(default=[], description="Any of these.")


class CoverageQuery(In):
    """Which series, and which part of it; without `start` and `end`: its last 366 days."""

    symbol: SymbolIn
    timeframe: Timeframe = Timeframe.M1
    dataset: str = Field(max_length=100, examples=["live"])
    start: AwareInstant | None = None
    end: AwareInstant | None = None


class SessionCoverageOut(Out):
    """One session of a calendar of coverage."""

    session: date = Field(examples=["2026-11-19"])
    open: Instant
    close: Instant
    expected: int = Field(examples=[390])
    found: int = Field(examples=[388])
    share: float = Field(examples=[0.994872])
    is_half_day: bool = Field(examples=[False])
    gaps: dict[str, int] = Field(
        default_factory=dict,
        description="Missing bars by state of the ledger.",
        examples=[{"no_trade": 2}],
    )


class CoverageOut(Out):
    """One value a session, the oldest first."""

    symbol: str = Field(examples=["AAPL"])
    dataset: str = Field(examples=["live"])
    timeframe: Timeframe
    exchange: str = Field(examples=["XNYS"])
    items: list[SessionCoverageOut]


class RefusedOut(Out):
    """One record of market data that was refused."""

    id: int = Field(examples=[12])
    dataset: str = Field(examples=["live"])
    symbol: str = Field(examples=["AAPL"])
    kind: str = Field(description="bar, tick, quote or option.", examples=["bar"])
    timeframe: Timeframe | None = None
    at: Instant | None = None
    reason: str = Field(description="Every rule it broke, joined by commas.", examples=["jump"])
    record: dict[str, Any] = Field(examples=[{"close": "1873.2"}])
    source: str = Field(examples=["alpaca"])
    recorded_at: Instant


class RefusedQuery(PeriodQuery):
    """The newest first; `start` and `end` are about when it was refused."""

    dataset: str | None = _DATASET
    symbol: list[str] = Field(
        default=[], max_length=200, description="Any of these.", examples=[["AAPL"]]
    )
    kind: Literal["bar", "tick", "quote", "option"] | None = None
    reason: str | None = Field(default=None, max_length=64, examples=["jump"])


class RepairIn(In):
    """Which open gaps of live series to ask about: all, those of a series, or those named."""

    symbol: SymbolIn | None = None
    timeframe: Timeframe | None = None
    ids: list[int] | None = Field(default=None, max_length=1000, examples=[[7, 8]])


class RepairOut(Out):
    """Gaps that providers will be asked about."""

    queued: int = Field(examples=[3])
    detail: str = Field(examples=["Providers are asked about 3 gaps, one after the other."])
