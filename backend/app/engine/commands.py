"""Commands: the one way in for people. Each kind has a payload of its own and one outcome."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.core.errors import InvalidInput, TradewrightError
from app.domain.commands import CommandKind
from app.domain.market import Timeframe
from app.domain.orders import AT_ONCE, PRICES, STOPS, OrderType, Side, TimeInForce

_MOST: Final = Decimal(10) ** 9
_RICHEST: Final = Decimal(10) ** 11
"The API's own bounds: what is larger would not fit the tables, and stop the account."
CHANGES: Final = ("quantity", *PRICES)
_FITS: Final = "must be above zero, and a number that an account can have"


class Refused(TradewrightError):
    """The command is understood but cannot be carried out; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.result: dict[str, Any] = {"code": code, "detail": message}


class DeploymentStart(msgspec.Struct, frozen=True):
    deployment_id: int
    strategy: str
    symbols: tuple[str, ...]
    timeframe: Timeframe
    parameters: dict[str, Any] = {}
    capital: Decimal | None = None

    def __post_init__(self) -> None:
        _require(bool(self.symbols), "symbols", "name at least one symbol")
        _require(len(set(self.symbols)) == len(self.symbols), "symbols", "name each symbol once")
        _require(self.capital is None or _fits(self.capital, _RICHEST), "capital", _FITS)


class DeploymentPause(msgspec.Struct, frozen=True):
    deployment_id: int
    reason: str = "asked for"


class DeploymentStop(msgspec.Struct, frozen=True):
    deployment_id: int
    reason: str = "asked for"
    flatten: bool = False


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How an order meets the market. Each type has just its own prices."""

    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None

    def __post_init__(self) -> None:
        for name, types in PRICES.items():
            value, is_needed = getattr(self, name), self.type in types
            _require(value is None or _fits(value), name, _FITS)
            _require(
                is_needed == (value is not None),
                name,
                f"is {'needed for' if is_needed else 'not part of'} a {self.type} order",
            )


class OrderPlace(Terms, frozen=True, kw_only=True):
    """An explicit order. Prices are absolute, distances in money; quantity is positive.

    `stop_loss`, `stop_trail` and `take_profit` make it a bracket: legs that rest from the first
    fill on. `oco` is a second order for the same shares, of which one cancels the other.
    """

    symbol: str
    side: Side
    quantity: Decimal
    time_in_force: TimeInForce = TimeInForce.DAY
    stop_loss: Decimal | None = None
    stop_trail: Decimal | None = None
    take_profit: Decimal | None = None
    oco: Terms | None = None
    reason: str = "placed by hand"

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(_fits(self.quantity), "quantity", _FITS)
        _check_protection(self)
        waits = self.type in STOPS or self.oco is not None
        _require(
            not waits or self.time_in_force not in AT_ONCE,
            "time_in_force",
            f"{self.time_in_force} is for one market or limit order; what waits is day or gtc",
        )
        if self.oco is not None:
            kinds = {self.type in STOPS, self.oco.type in STOPS}
            is_pair = kinds == {True, False} and OrderType.MARKET not in (self.type, self.oco.type)
            _require(is_pair, "oco", "must be a limit beside a stop, or a stop beside a limit")

    @property
    def signed_quantity(self) -> Decimal:
        return self.quantity * self.side.sign


class OrderReplace(msgspec.Struct, frozen=True, kw_only=True):
    """Other prices or another whole quantity (fills before count) of an open order."""

    client_order_id: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    reason: str = "changed by hand"

    def __post_init__(self) -> None:
        for name in CHANGES:
            value = getattr(self, name)
            _require(value is None or _fits(value), name, _FITS)
        given = [name for name in CHANGES if getattr(self, name) is not None]
        _require(bool(given), "quantity", "or limit_price, stop_price or trail must be given")


class SignalRaise(msgspec.Struct, frozen=True):
    """A person's target: exposure -1 .. +1 of what the limits allow."""

    symbol: str
    exposure: float
    stop_loss: Decimal | None = None
    stop_trail: Decimal | None = None
    take_profit: Decimal | None = None
    reason: str = "raised by hand"

    def __post_init__(self) -> None:
        _require(-1 <= self.exposure <= 1, "exposure", "must be between -1 and 1")
        _check_protection(self)


class OrderCancel(msgspec.Struct, frozen=True):
    client_order_id: str


class TradingHalt(msgspec.Struct, frozen=True):
    reason: str = "emergency stop"
    flatten: bool = False


class TradingReduce(msgspec.Struct, frozen=True):
    reason: str = "asked for"


class TradingResume(msgspec.Struct, frozen=True):
    reason: str = "asked for"


class LimitsChange(msgspec.Struct, frozen=True):
    """New values by name; of a deployment or symbol None takes the limit away again."""

    limits: dict[str, Any]
    scope: str = "account"


class Reconcile(msgspec.Struct, frozen=True):
    """Our books were held against the broker's; `outcome` is put in by whoever did it.

    `adopt`: what the broker has is right, says a person. `dry_run`: say what would be done.
    """

    dry_run: bool = False
    adopt: bool = False
    outcome: dict[str, Any] = {}


Payload = (
    DeploymentStart
    | DeploymentPause
    | DeploymentStop
    | OrderPlace
    | SignalRaise
    | OrderReplace
    | OrderCancel
    | TradingHalt
    | TradingReduce
    | TradingResume
    | LimitsChange
    | Reconcile
)
PAYLOADS: Final[dict[CommandKind, type[Payload]]] = {
    CommandKind.DEPLOYMENT_START: DeploymentStart,
    CommandKind.DEPLOYMENT_PAUSE: DeploymentPause,
    CommandKind.DEPLOYMENT_STOP: DeploymentStop,
    CommandKind.ORDER_PLACE: OrderPlace,
    CommandKind.SIGNAL_RAISE: SignalRaise,
    CommandKind.ORDER_REPLACE: OrderReplace,
    CommandKind.ORDER_CANCEL: OrderCancel,
    CommandKind.TRADING_HALT: TradingHalt,
    CommandKind.TRADING_REDUCE: TradingReduce,
    CommandKind.TRADING_RESUME: TradingResume,
    CommandKind.LIMITS_CHANGE: LimitsChange,
    CommandKind.RECONCILE: Reconcile,
}


def parse(kind: str, payload: Mapping[str, Any]) -> Payload:
    """The payload as its type. Raises InvalidInput that names the field."""
    if kind not in PAYLOADS:
        known = ", ".join(PAYLOADS)
        raise InvalidInput(f"There is no command {kind!r}.", field="kind", remedy=f"Use {known}.")
    try:
        return msgspec.convert(dict(payload), PAYLOADS[CommandKind(kind)])
    except msgspec.ValidationError as error:
        sentence, _, path = str(error).partition(" - at `$.")
        field = path.removesuffix("`") or sentence.partition(" ")[0].strip("`")
        raise InvalidInput(f"{field}: {sentence}" if path else sentence, field=field) from error


def result_of(error: InvalidInput) -> dict[str, Any]:
    """The outcome of a command that cannot be understood."""
    return {"code": error.code, "detail": str(error), "field": error.field}


def _check_protection(asked: OrderPlace | SignalRaise) -> None:
    for name in ("stop_loss", "stop_trail", "take_profit"):
        value = getattr(asked, name)
        _require(value is None or _fits(value), name, _FITS)


def _fits(value: Decimal, most: Decimal = _MOST) -> bool:
    return value.is_finite() and 0 < value <= most


def _require(holds: bool, field: str, sentence: str) -> None:
    if not holds:
        raise ValueError(f"{field} {sentence}")
