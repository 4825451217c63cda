"""What every schema shares: exact decimals as strings, pages, and problem documents."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

Item = TypeVar("Item")


def plain(value: Decimal) -> str:
    """`value` without exponent or trailing zeros: 100.50000000 -> "100.5"."""
    return format(value.normalize() if value else Decimal(0), "f")


_as_text = PlainSerializer(plain, return_type=str, when_used="json")
Money = Annotated[Decimal, _as_text, Field(examples=["104212.4"])]
"""An amount, exact, as a string."""
Price = Annotated[Decimal, _as_text, Field(examples=["187.32"])]
Quantity = Annotated[Decimal, _as_text, Field(examples=["120"])]
Fraction = Annotated[Decimal, _as_text, Field(examples=["0.05"])]
"""0.05 means 5 %."""
Instant = Annotated[datetime, Field(examples=["2026-11-20T14:30:00Z"])]
"""ISO 8601, UTC."""
AwareInstant = Annotated[AwareDatetime, Field(examples=["2026-11-20T14:30:00Z"])]
"""An instant that somebody sends: it must say its offset, e.g. Z."""
PriceIn = Annotated[
    Decimal,
    _as_text,
    Field(gt=0, le=Decimal("1e9"), max_digits=20, decimal_places=8, examples=["187.32"]),
]
QuantityIn = Annotated[
    Decimal,
    _as_text,
    Field(gt=0, le=Decimal("1e9"), max_digits=20, decimal_places=8, examples=["100"]),
]
MoneyIn = Annotated[
    Decimal,
    _as_text,
    Field(gt=0, le=Decimal("1e11"), max_digits=20, decimal_places=8, examples=["25000"]),
]
Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=500,
        description="Why, in words: kept in the audit trail.",
        examples=["Volatility too high before the announcement"],
    ),
]
SymbolIn = Annotated[
    str,
    Field(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9.\-_/^=]+$", examples=["AAPL"]),
]


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_has_nul(one) for pair in value.items() for one in pair)
    return isinstance(value, list | tuple) and any(map(_has_nul, value))


class Out(BaseModel):
    """Base of what we answer."""

    model_config = ConfigDict(from_attributes=True)


class In(BaseModel):
    """Base of what we accept: an unknown field is an error, not a surprise."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        """No database keeps a NUL in a text."""
        if _has_nul(value):
            raise ValueError("A text holds a NUL character; leave it out")
        return value


class SecretIn(In):
    """Base of what carries a password: it is taken exactly as it was typed, blanks included."""

    model_config = ConfigDict(str_strip_whitespace=False)


class Page(Out, Generic[Item]):
    """One page of a list. `next_cursor` is null on the last page."""

    items: list[Item]
    next_cursor: str | None = Field(
        default=None,
        description="Send it back as `cursor` for the next page; null when there is none.",
        examples=["eyJpZCI6NDJ9"],
    )


class PageQuery(In):
    """How every list is paged, and written as CSV where a table is wanted."""

    limit: int = Field(default=100, ge=1, le=1000, description="Items on a page.")
    cursor: str | None = Field(
        default=None, max_length=500, description="`next_cursor` of the page before."
    )
    format: Literal["json", "csv"] | None = Field(
        default=None, description="`csv`: the whole list as a file (also by `Accept: text/csv`)."
    )

    def narrowed(self) -> dict[str, Any]:
        """What the list is narrowed to, without how it is paged."""
        return self.model_dump(exclude={"limit", "cursor", "format"})


class PeriodQuery(PageQuery):
    """A list within [start, end)."""

    start: AwareInstant | None = Field(default=None, description="From here on, inclusive.")
    end: AwareInstant | None = Field(default=None, description="Before this instant.")


class FieldProblem(Out):
    """What is wrong with one field."""

    field: str = Field(examples=["quantity"])
    detail: str = Field(examples=["Input should be greater than 0"])


class Problem(Out):
    """An RFC 9457 problem document: every error looks like this."""

    type: str = Field(
        description="A stable address of the kind of problem.",
        examples=["https://tradewright.dev/problems/not_found"],
    )
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(
        description="What happened, in words.", examples=["There is no stock 'APPL'."]
    )
    code: str = Field(description="Stable, for programs.", examples=["not_found"])
    instance: str | None = Field(
        default=None, description="The path asked for.", examples=["/api/stocks/APPL"]
    )
    field: str | None = Field(
        default=None, description="The field to change, where there is one.", examples=["symbol"]
    )
    remedy: str | None = Field(
        default=None, description="What to do about it.", examples=["Did you mean AAPL?"]
    )
    correlation_id: str = Field(
        description="Finds the request in the logs.", examples=["01JD3V7K8Y0Q4W2M"]
    )
    errors: list[FieldProblem] = Field(
        default=[], description="Every field that is wrong, when there are several."
    )
    context: dict[str, Any] = Field(default={}, description="Figures that belong to it.")
