"""Uploaded files of market data: what is sent with them, and what became of them."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from app.api.schemas.base import In, Instant, Out, SymbolIn
from app.domain.market import Timeframe


class ImportState(StrEnum):
    """queued, running; done; failed: see `detail`; interrupted: the server ended, import again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class ImportQuery(In):
    """What is known of the file; what is left out, the file must say itself."""

    file: str = Field(
        min_length=1,
        max_length=200,
        description="Its name, with the ending: .csv, .csv.gz, .parquet, .dbn, .dbn.zst.",
        examples=["SPY_1m.csv"],
    )
    dataset: str = Field(
        default="files",
        max_length=64,
        pattern=r"^(import:)?[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="NAME of the data set import:NAME.",
    )
    kind: Literal["bars", "ticks", "quotes", "options", "definitions"] | None = Field(
        default=None, description="What it holds: bars unless a DBN file says otherwise."
    )
    symbol: SymbolIn | None = Field(default=None, description="Whose, when no column says it.")
    timeframe: Timeframe | None = Field(
        default=None, description="Of bars, when their times do not tell."
    )
    tz: str | None = Field(
        default=None,
        max_length=64,
        description="Time zone of times that do not say it.",
        examples=["America/New_York"],
    )
    exchange: str | None = Field(
        default=None, max_length=16, description="Whose sessions.", examples=["XNYS"]
    )
    date_format: str | None = Field(
        default=None,
        max_length=64,
        description="How times are written.",
        examples=["%d.%m.%Y %H:%M"],
    )


class ImportOut(Out):
    """One uploaded file."""

    id: int = Field(examples=[3])
    file: str = Field(examples=["SPY_1m.csv"])
    bytes: int = Field(examples=[5242880])
    dataset: str = Field(examples=["import:files"])
    hints: dict[str, str] = Field(examples=[{"symbol": "SPY"}])
    actor: str = Field(examples=["ada@example.com"])
    state: ImportState
    rows_done: int = Field(examples=[120000])
    rows_total: int = Field(
        description="About how many rows the file has; 0 while nobody knows.", examples=[390000]
    )
    report: dict[str, Any] = Field(
        description="What became of every row: rows_read, rows_stored, rows_corrected, duplicates,"
        " rows_quarantined, reasons (with `explained` in words), symbols, notes.",
        examples=[{"rows_read": 390000, "rows_stored": 389998, "rows_quarantined": 2}],
    )
    detail: str | None = Field(default=None, description="Why it failed, and what to do.")
    created_at: Instant
    finished_at: Instant | None = None
