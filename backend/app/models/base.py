"""What every table shares: the base class, column types by annotation, and the words of CHECKs."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    LargeBinary,
    MetaData,
    Numeric,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

MONEY = Numeric(20, 8)
"""Money, quantities and order prices; market data is double precision."""


class Base(DeclarativeBase):
    """Base of every model. The annotation decides the column's type, nullability included."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        int: BigInteger(),
        float: Double(),
        Decimal: MONEY,
        bytes: LargeBinary(),
        date: Date(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text()),
    }


class TimestampMixin:
    """When a row was made and last changed. A trigger keeps `updated_at` true for raw SQL too."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=1000)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=1001)


Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
"""INET and CIDR as asyncpg gives them; psycopg2 gives text."""

Id = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
AccountId = Annotated[int, mapped_column(ForeignKey("accounts.id"))]
InstrumentId = Annotated[int, mapped_column(ForeignKey("instruments.id"))]
Recorded = Annotated[datetime, mapped_column(server_default=func.now(), sort_order=1000)]
"""Wall-clock time at which an append-only row was written."""
Json = Annotated[dict[str, Any], mapped_column(JSONB(none_as_null=True), server_default="{}")]
Texts = Annotated[list[str], mapped_column(ARRAY(Text()), server_default="{}")]

LedgerDeployment = Annotated[
    int | None,
    mapped_column(
        BigInteger,
        Computed(
            "CASE WHEN ledger ~ '^d[0-9]+$'::text THEN substr(ledger, 2)::bigint "
            "ELSE NULL::bigint END",
            persisted=True,
        ),
        ForeignKey("deployments.id"),
    ),
]
"""The deployment that a ledger belongs to, made from `ledger` by the database: never written."""


def check(name: str, condition: str) -> CheckConstraint:
    """A named CHECK: `ck_<table>_<name>`."""
    return CheckConstraint(condition, name=name)


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """`column` holds one of a closed set of words."""
    words = ", ".join(f"'{value}'" for value in values)
    return check(column, f"{column} IN ({words})")


def known_ledger() -> CheckConstraint:
    """`ledger` is a deployment's (`d7`), `manual` or `external`."""
    return check("ledger", "ledger ~ '^(d[1-9][0-9]*|manual|external)$'")


def known_dataset() -> CheckConstraint:
    """`dataset` is live, simulated, replay:NAME or import:NAME."""
    named = ("replay:", "import:")
    either = " OR ".join(f"starts_with(dataset, '{word}')" for word in named)
    return check(
        "dataset", f"dataset IN ('live', 'simulated') OR (length(dataset) > 7 AND ({either}))"
    )


def sound_prices() -> CheckConstraint:
    """Open, high, low, close and volume that a market could have shown; NaN and infinity fail."""
    return check(
        "prices",
        "low > 0 AND high < 'Infinity' AND open BETWEEN low AND high "
        "AND close BETWEEN low AND high AND volume >= 0 AND volume < 'Infinity'",
    )
