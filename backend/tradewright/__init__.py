"""Everything that a strategy needs: `from tradewright import Strategy, parameter, ta`."""

from app.core.errors import InvalidInput
from app.indicators import functions as ta
from app.strategies.base import Array, Columns, Opinion, Row, Strategy, parameter
from app.strategies.panel import Panel, PanelRow, PanelStrategy, View

__all__ = [
    "Array",
    "Columns",
    "InvalidInput",
    "Opinion",
    "Panel",
    "PanelRow",
    "PanelStrategy",
    "Row",
    "Strategy",
    "View",
    "parameter",
    "ta",
]
