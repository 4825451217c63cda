"""What Interactive Brokers' message codes mean, and which of its outages are planned.

Codes: https://interactivebrokers.github.io/tws-api/message_codes.html; hours of maintenance:
https://www.interactivebrokers.com/en/software/systemStatus.php (North America).
"""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.core.errors import APIError, FeedLost, FeedRefused, NotFound, TransientError

NAME: Final = "ibkr"
NEW_YORK: Final = ZoneInfo("America/New_York")

HISTORY: Final = 162
"Of the historical data service; only its text says what is the matter."
INVALID_REQUEST: Final = 321
"The libraries take it for a warning: a request that met it would wait for ever."
CLIENT_ID_IN_USE: Final = 326
SERVERS_LOST: Final = 1100
SERVERS_BACK_DATA_LOST: Final = 1101
SERVERS_BACK: Final = 1102
PORT_MOVED: Final = 1300
FARM_BROKEN: Final = frozenset({2103, 2105, 2157})
FARM_OK: Final = frozenset({2104, 2106, 2107, 2108, 2158})
"2107 and 2108: idle, and there when asked."
SERVERS_BREAKING: Final = 2110
TOO_MANY_TICK_STREAMS: Final = 10190
NO_SUCH_SUBSCRIPTION: Final = frozenset({300, 366})
"Answers to a cancellation of what had ended by itself."
SHOWN_DELAYED: Final = 10167
"Not subscribed, so delayed prices are shown instead: no failure."

_UNKNOWN: Final = 200
_PACING: Final = frozenset({100, 420})
_NOT_SUBSCRIBED: Final = frozenset({354, 10089, 10090, 10091, 10168, 10186, 10187, 10189})
_COMPETING: Final = 10197
_TOO_MANY_LINES: Final = 101
_LOST: Final = frozenset({502, 504, SERVERS_LOST, PORT_MOVED, SERVERS_BREAKING, 10182})

_NIGHTLY: Final = time(0, 15), time(1, 45)
_WEEKEND_FROM: Final = time(23)
_WEEKEND_UNTIL: Final = time(3)
_SIGN_IN_FROM: Final = time(1)
_RESTART: Final = timedelta(minutes=10)
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


def maintenance(at: datetime) -> str | None:
    """Which of IBKR's hours of maintenance `at` lies in, in words; None: in none."""
    local = at.astimezone(NEW_YORK)
    day, now = local.weekday(), local.time()
    if (day == _FRIDAY and now >= _WEEKEND_FROM) or (day == _SATURDAY and now < _WEEKEND_UNTIL):
        return "IBKR's weekend maintenance, Friday 23:00 to Saturday 03:00 New York time"
    if day != _SATURDAY and _NIGHTLY[0] <= now < _NIGHTLY[1]:
        return "IBKR's nightly reset, 00:15 to 01:45 New York time"
    return None


def planned_outage(at: datetime, restart_at: time) -> str | None:
    """Why nobody may answer at `at`, in words, or None: `restart_at` is the Gateway's own restart.

    All hours are New York's. On Sundays the week's sign-in ends, and a person has to renew it.
    """
    if (known := maintenance(at)) is not None:
        return known
    local = at.astimezone(NEW_YORK)
    if local.weekday() == _SUNDAY and local.time() >= _SIGN_IN_FROM:
        return "the weekly sign-in, due on Sunday from 01:00 New York time"
    today = local.replace(hour=restart_at.hour, minute=restart_at.minute, second=0, microsecond=0)
    for began in (today, today - timedelta(days=1)):
        if began <= local < began + _RESTART:
            return f"the Gateway's restart at {restart_at:%H:%M} New York time"
    return None


def planned_until(at: datetime, restart_at: time) -> datetime | None:
    """The end of the planned outage that `at` lies in, to the minute; None: in none."""
    end = at.replace(second=0, microsecond=0)
    while planned_outage(end, restart_at) is not None:
        end += timedelta(minutes=1)
    return end if end > at else None


def failure(code: int, said: str, symbol: str | None, outage: str | None = None) -> Exception:
    """A message about one request as one of our errors; `symbol` is what it was about.

    In the context: `code`; `no_data` on a NotFound for a span without prices, `pacing` on a
    TransientError for too many requests.
    """
    text = f"IBKR says ({code}): {said}"
    if code == HISTORY:
        return _history_failure(text, said.lower(), symbol)
    if code == _UNKNOWN:
        return _unknown(text, said, symbol, outage)
    if code in _NOT_SUBSCRIBED:
        return _not_subscribed(text, symbol, code)
    if code == _COMPETING:
        return _competing(text, code)
    if code == _TOO_MANY_LINES:
        return FeedRefused(
            text,
            api_name=NAME,
            remedy="Watch fewer symbols (100 lines are usual), or buy quote booster packs.",
            code=code,
        )
    if code in _LOST:
        return FeedLost(text, api_name=NAME, code=code)
    if code in _PACING:
        return TransientError(text, api_name=NAME, pacing=True, code=code)
    return APIError(text, api_name=NAME, symbol=symbol, code=code)


def is_about_symbol(code: int) -> bool:
    """Whether another way to the same symbol's prices may do better."""
    return code not in _LOST and code not in (_COMPETING, _UNKNOWN)


def is_about_permission(error: Exception) -> bool:
    """Whether the account lacks the prices of a symbol, so that another may fare better."""
    return isinstance(error, FeedRefused) and bool(error.context.get("permission"))


def _unknown(text: str, said: str, symbol: str | None, outage: str | None) -> Exception:
    if outage:  # seen in the wild: known symbols are not found while servers restart
        return FeedLost(f"{text} This may be due to {outage}.", api_name=NAME, code=_UNKNOWN)
    return NotFound(f"IBKR knows no {symbol!r} ({said}).", symbol=symbol, code=_UNKNOWN)


def _history_failure(text: str, said: str, symbol: str | None) -> Exception:
    if "no data" in said or "no head time stamp" in said:
        return NotFound(text, symbol=symbol, no_data=True, code=HISTORY)
    if "pacing" in said:
        return TransientError(text, api_name=NAME, pacing=True, code=HISTORY)
    if "permission" in said or "subscription" in said:
        return _not_subscribed(text, symbol, HISTORY)
    if "different ip" in said or "competing" in said:
        return _competing(text, HISTORY)
    if any(word in said for word in ("cancelled", "timed out", "not connected", "unavailable")):
        return TransientError(text, api_name=NAME, code=HISTORY)
    return APIError(text, api_name=NAME, symbol=symbol, code=HISTORY)


def _not_subscribed(text: str, symbol: str | None, code: int) -> FeedRefused:
    return FeedRefused(
        text,
        api_name=NAME,
        remedy="Subscribe to it in Client Portal (Settings, Market Data Subscriptions) and share it"
        " with the paper account, or set IBKR_MARKET_DATA=delayed.",
        permission=True,
        symbol=symbol,
        code=code,
    )


def _competing(text: str, code: int) -> FeedLost:
    return FeedLost(
        text,
        api_name=NAME,
        remedy="This user is signed in elsewhere too: sign out there, or give this one a user name"
        " of its own.",
        code=code,
    )
