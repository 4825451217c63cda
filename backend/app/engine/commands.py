"""Commands: the one way in for people. Each kind has a payload of its own and one outcome."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.core.errors import InvalidInput
from app.domain.commands import CommandKind
from app.domain.market import Timeframe
from app.domain.orders import OrderTerms, OrderType, Side, TimeInForce

_MOST: Final = Decimal(10) ** 9
_RICHEST: Final = Decimal(10) ** 11
"The API's own bounds: what is larger would not fit the tables, and stop the account."
_FITS: Final = "must be above zero, and a number that an account can have"


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


class OrderPlace(msgspec.Struct, frozen=True):
    """An explicit order. Prices are absolute; quantity is positive."""

    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    reason: str = "placed by hand"

    def __post_init__(self) -> None:
        _require(_fits(self.quantity), "quantity", _FITS)
        for name in ("limit_price", "stop_price", "stop_loss", "take_profit"):
            value = getattr(self, name)
            _require(value is None or _fits(value), name, _FITS)
        limits = self.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        stops = self.type in (OrderType.STOP, OrderType.STOP_LIMIT)
        _require(
            limits == (self.limit_price is not None),
            "limit_price",
            f"is {'needed for' if limits else 'not part of'} a {self.type} order",
        )
        _require(
            stops == (self.stop_price is not None),
            "stop_price",
            f"is {'needed for' if stops else 'not part of'} a {self.type} order",
        )

    @property
    def signed_quantity(self) -> Decimal:
        return self.quantity * self.side.sign

    @property
    def terms(self) -> OrderTerms:
        return OrderTerms(
            type=self.type,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            time_in_force=self.time_in_force,
        )


class SignalRaise(msgspec.Struct, frozen=True):
    """A person's target: exposure -1 .. +1 of what the limits allow."""

    symbol: str
    exposure: float
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    reason: str = "raised by hand"

    def __post_init__(self) -> None:
        _require(-1 <= self.exposure <= 1, "exposure", "must be between -1 and 1")
        for name in ("stop_loss", "take_profit"):
            value = getattr(self, name)
            _require(value is None or _fits(value), name, _FITS)


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


Payload = (
    DeploymentStart
    | DeploymentPause
    | DeploymentStop
    | OrderPlace
    | SignalRaise
    | OrderCancel
    | TradingHalt
    | TradingReduce
    | TradingResume
    | LimitsChange
)
PAYLOADS: Final[dict[CommandKind, type[Payload]]] = {
    CommandKind.DEPLOYMENT_START: DeploymentStart,
    CommandKind.DEPLOYMENT_PAUSE: DeploymentPause,
    CommandKind.DEPLOYMENT_STOP: DeploymentStop,
    CommandKind.ORDER_PLACE: OrderPlace,
    CommandKind.SIGNAL_RAISE: SignalRaise,
    CommandKind.ORDER_CANCEL: OrderCancel,
    CommandKind.TRADING_HALT: TradingHalt,
    CommandKind.TRADING_REDUCE: TradingReduce,
    CommandKind.TRADING_RESUME: TradingResume,
    CommandKind.LIMITS_CHANGE: LimitsChange,
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


def _fits(value: Decimal, most: Decimal = _MOST) -> bool:
    return value.is_finite() and 0 < value <= most


def _require(holds: bool, field: str, sentence: str) -> None:
    if not holds:
        raise ValueError(f"{field} {sentence}")
