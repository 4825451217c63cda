"""Keys of vendors that a person may keep in the database: settings fall back on them."""

from collections.abc import Mapping
from typing import Final

from app.core.redaction import remember

NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "ALPACA_API_KEY": ("alpaca", "api_key"),
    "ALPACA_SECRET_KEY": ("alpaca", "secret_key"),
    "DATABENTO_API_KEY": ("databento", "api_key"),
    "IBKR_PASSWORD": ("ibkr", "password"),
    "QUIVER_API_KEY": ("quiver", "api_key"),
    "TWELVE_DATA_API_KEY": ("twelve_data", "api_key"),
}
"""Variable: provider and name of its row. Every secret of every vendor, which a test holds true;
written out here so that the API need not import vendors' libraries to know them."""

_offered: dict[str, str] = {}


def offer(values: Mapping[str, str]) -> None:
    """Let settings made from now on fall back on these values, by variable; replaces the last ones.

    Only this process has them: no environment, so no child process either.
    """
    for value in values.values():
        remember(value)
    _offered.clear()
    _offered.update(values)


def offered(variable: str) -> str | None:
    """The stored value of a variable, where there is one."""
    return _offered.get(variable)
