"""Opens and closes of an exchange by year, without pandas in a process that lives long.

The calendars come with pandas: 46 MB for two instants a day. So a process that has not loaded it
asks a child, once a year and exchange.
"""

import json
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from typing import Final

from app.core.clock import from_ns, system, to_ns
from app.core.environment import variables
from app.core.errors import Unavailable

Hours = tuple[datetime, datetime]
"Open and close of a session."
_LIBRARY: Final = "exchange_calendars"
_PATIENCE_SECONDS: Final = 60.0
_AGAIN_SECONDS: Final = 300.0
"After a failure: whoever looks every few seconds must not start a child each time."
_FAILURES: Final[dict[tuple[str, int], tuple[float, Unavailable]]] = {}


@cache
def hours(exchange: str, year: int) -> list[Hours]:
    """Sessions that open in a year of UTC, in order. Raises InvalidInput for an unknown exchange.

    Takes a second or two the first time: call it in a thread.
    """
    pairs = _own(exchange, year) if _LIBRARY in sys.modules else _known(exchange, year)
    return [(from_ns(opens), from_ns(closes)) for opens, closes in pairs]


def _own(exchange: str, year: int) -> list[tuple[int, int]]:
    from app.marketdata.calendar import trading_calendar  # noqa: PLC0415 - see above

    first, last = (to_ns(datetime(one, 1, 1, tzinfo=UTC)) for one in (year, year + 1))
    return [(one.open, one.close) for one in trading_calendar(exchange).sessions(first, last)]


def _known(exchange: str, year: int) -> list[tuple[int, int]]:
    """What a child says; its failure is told again for some minutes, without another child."""
    again_at, failure = _FAILURES.get((exchange, year), (0.0, None))
    if failure is not None and system.monotonic() < again_at:
        raise Unavailable(failure.message, remedy=failure.remedy)
    try:
        return _asked(exchange, year)
    except Unavailable as error:
        _FAILURES[exchange, year] = system.monotonic() + _AGAIN_SECONDS, error
        raise


def _asked(exchange: str, year: int) -> list[tuple[int, int]]:
    try:
        said = subprocess.run(
            [sys.executable, "-m", "app.jobs.hours", exchange, str(year)],
            env=variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=True,
        )
    except (subprocess.SubprocessError, OSError) as error:
        complaint = (getattr(error, "stderr", None) or b"").decode(errors="replace")
        raise Unavailable(
            f"The hours of {exchange} in {year} cannot be had.",
            remedy=complaint.strip()[-500:] or str(error),
        ) from None
    return [(opens, closes) for opens, closes in json.loads(said.stdout)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_own(sys.argv[1], int(sys.argv[2]))))
