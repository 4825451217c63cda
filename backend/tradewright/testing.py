"""What tests of a strategy need: made-up bars, its opinions on them, the check of a file."""

from app.indicators.samples import bars_of, sample_bars
from app.strategies.loading import load_file
from app.strategies.panel_trial import panel_opinions
from app.strategies.trial import opinions
from app.strategies.validation import Report, validate

__all__ = [
    "Report",
    "bars_of",
    "load_file",
    "opinions",
    "panel_opinions",
    "sample_bars",
    "validate",
]
