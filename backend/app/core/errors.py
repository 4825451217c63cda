"""Every error Tradewright raises on purpose, with a stable code and what to do about it.

TradewrightError
├── ConfigurationError      the operator must change a setting
├── InvalidInput            the caller sent something wrong: names the field and the remedy (422)
├── Unauthenticated         who is this? (401)
│   └── SecondFactorNeeded  the password was right; a code is missing (401)
├── Forbidden               known, but not allowed (403)
│   └── StepUpNeeded        known, but not proved freshly enough for this (403)
├── NotFound                no such thing; says what is nearest (404)
├── Conflict                the state does not allow it (409)
├── TooManyRequests         slow down (429)
├── Unavailable             a part that is needed is not running (503)
├── BackupError             a backup cannot be made, read or restored; nothing was changed
├── StrategyLost            the process that evaluates a strategy is gone, or silent
├── TradingError            the order path
│   ├── InvalidTransition   an order cannot change that way
│   └── JournalError        the journal refused or is damaged
│       ├── Fenced          another engine owns this account now
│       └── ChainBroken     stored events no longer match their hashes
└── APIError                an outside API failed: carries api_name and status_code
    ├── TransientError      a retry may help
    │   └── FeedLost        a live connection broke, or went silent: connect again
    ├── FeedRefused         the vendor refuses us (key, plan, entitlement): a person must act
    └── BrokerRejected      a definite no: a retry will not help
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class TradewrightError(Exception):
    """Base of all our errors: a human sentence, a stable `code`, and structured `context`."""

    status_code: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, remedy: str | None = None, **context: Any) -> None:  # noqa: ANN401
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.context: Mapping[str, Any] = context

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class ConfigurationError(TradewrightError):
    """A setting is missing or wrong."""

    code = "configuration_error"


class InvalidInput(TradewrightError):
    """What the caller sent cannot be used; `field` names the culprit."""

    status_code = 422
    code = "invalid_input"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        remedy: str | None = None,
        **context: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(message, remedy=remedy, **context)
        self.field = field


class Unauthenticated(TradewrightError):
    """No valid proof of who is calling."""

    status_code = 401
    code = "unauthenticated"


class SecondFactorNeeded(Unauthenticated):
    """The password was right, and this person has a second factor."""

    code = "second_factor_required"


class Forbidden(TradewrightError):
    """The caller is known but may not do this."""

    status_code = 403
    code = "forbidden"


class StepUpNeeded(Forbidden):
    """The caller may do this, once they have proved again who they are."""

    code = "step_up_required"


class NotFound(TradewrightError):
    """The thing asked for does not exist."""

    status_code = 404
    code = "not_found"


class Conflict(TradewrightError):
    """The current state does not allow the request."""

    status_code = 409
    code = "conflict"


class TooManyRequests(TradewrightError):
    """The caller exceeded a rate limit; `context["retry_after"]` is in seconds."""

    status_code = 429
    code = "too_many_requests"


class Unavailable(TradewrightError):
    """A part that is needed to answer is not running."""

    status_code = 503
    code = "unavailable"


class BackupError(TradewrightError):
    """A backup cannot be made, read or restored; the database was left as it was."""

    status_code = 409
    code = "backup_error"


class StrategyLost(TradewrightError):
    """The process that evaluates a strategy crashed, was silent, or cannot be had."""

    status_code = 503
    code = "strategy_lost"


class TradingError(TradewrightError):
    """Something on the order path failed."""

    code = "trading_error"


class InvalidTransition(TradingError):
    """An order was asked to change along an edge that does not exist."""

    status_code = 409
    code = "invalid_transition"


class JournalError(TradingError):
    """The journal could not remember, so nobody may act."""

    code = "journal_error"


class Fenced(JournalError):
    """Another engine took the account's lease; this one must stop at once."""

    status_code = 503
    code = "fenced"


class ChainBroken(JournalError):
    """A stored event does not match its hash: edited, deleted, reordered or truncated."""

    code = "chain_broken"


class APIError(TradewrightError):
    """An outside API failed."""

    status_code = 502
    code = "api_error"

    def __init__(
        self,
        message: str,
        *,
        api_name: str,
        status_code: int | None = None,
        remedy: str | None = None,
        **context: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(message, remedy=remedy, **context)
        self.api_name = api_name
        self.upstream_status = status_code


class TransientError(APIError):
    """The outside world hiccuped; a retry may help."""

    status_code = 503
    code = "transient_error"


class FeedLost(TransientError):
    """A live connection broke, stalled or spoke garbage; connecting again may help."""

    code = "feed_lost"


class FeedRefused(APIError):
    """The vendor refuses us: a wrong or expired key, or a plan without this data."""

    status_code = 502
    code = "feed_refused"


class BrokerUnavailable(APIError):
    """The broker cannot be reached or cannot say now; certainly nothing was sent to it."""

    status_code = 503
    code = "broker_unavailable"


class BrokerRejected(APIError):
    """The broker answered with a definite no."""

    status_code = 422
    code = "broker_rejected"
