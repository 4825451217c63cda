"""Everything that a strategy needs: `from tradewright import Strategy, parameter, ta`."""

from app.core.errors import InvalidInput
from app.indicators import functions as ta
from app.strategies.base import Array, Columns, Opinion, Row, Strategy, parameter

__all__ = [
    "Array",
    "Columns",
    "InvalidInput",
    "Opinion",
    "Row",
    "Strategy",
    "parameter",
    "ta",
]
