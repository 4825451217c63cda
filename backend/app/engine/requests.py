"""Carrying out commands: each ends in exactly one CommandCompleted."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, assert_never

import msgspec

from app.core.errors import InvalidInput, TradewrightError
from app.domain.deployments import MANUAL, Deployment, DeploymentState, TradingState
from app.domain.events import (
    CommandCompleted,
    CommandReceived,
    OrderApproved,
    OrderDenied,
    SignalSatisfied,
)
from app.domain.signals import Signal
from app.engine import commands, controls, limits
from app.engine.deployments import Deployments
from app.engine.desk import Desk
from app.engine.protection import protect
from app.engine.pursuit import pursue
from app.engine.state import Standing
from app.risk.sizing import budget_of, quantity_of

ZERO: Final = Decimal(0)
Result = dict[str, Any]


class Refused(TradewrightError):
    """The command is understood but cannot be carried out; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.result: Result = {"code": code, "detail": message}


class Requests:
    """Does what people ask for, through the same desk as the strategies."""

    def __init__(self, desk: Desk, deployments: Deployments) -> None:
        self.desk, self.deployments = desk, deployments

    def carry_out(self, event: CommandReceived) -> None:
        """Do it and say what became of it; a bad command changes nothing."""
        try:
            succeeded, result = self._do(event, commands.parse(event.kind, event.payload))
        except InvalidInput as error:
            succeeded, result = False, commands.result_of(error)
        except Refused as error:
            succeeded, result = False, error.result
        self.desk.emit(
            CommandCompleted(
                command_id=event.command_id, succeeded=succeeded, result=result, at=event.at
            )
        )

    def _do(self, event: CommandReceived, asked: commands.Payload) -> tuple[bool, Result]:
        match asked:
            case commands.OrderPlace():
                return self._place(event, asked)
            case commands.SignalRaise():
                return self._raise(event, asked)
            case commands.OrderCancel():
                return self._cancel(event, asked)
            case commands.DeploymentStart():
                return self._start(event, asked)
            case commands.DeploymentPause() | commands.DeploymentStop():
                return self._end(event, asked)
            case commands.LimitsChange():
                return self._change_limits(event, asked)
            case commands.TradingHalt() | commands.TradingReduce() | commands.TradingResume():
                return self._control(event, asked)
            case _:
                assert_never(asked)

    # ------------------------------------------------------------------------ trading state

    def _control(
        self,
        event: CommandReceived,
        asked: commands.TradingHalt | commands.TradingReduce | commands.TradingResume,
    ) -> tuple[bool, Result]:
        desk, book = self.desk, self.desk.book
        match asked:
            case commands.TradingHalt():
                controls.halt(desk, asked.reason, event.actor, event.at)
                if asked.flatten:
                    controls.flatten_all(desk, event.command_id, asked.reason, event.at)
            case commands.TradingReduce():
                if book.trading_state is TradingState.HALTED:
                    raise Refused("trading_halted", "Trading is halted; resume it first.")
                controls.restrict(desk, asked.reason, event.actor, event.at)
            case _:
                controls.resume(desk, event.actor, event.at)
        return True, {"trading_state": book.trading_state.value}

    def _change_limits(
        self, event: CommandReceived, asked: commands.LimitsChange
    ) -> tuple[bool, Result]:
        return True, limits.change(self.desk, event, asked)

    # --------------------------------------------------------------------------- deployments

    def _start(
        self, event: CommandReceived, asked: commands.DeploymentStart
    ) -> tuple[bool, Result]:
        runtime = self.deployments.runtimes.get(asked.deployment_id)
        if runtime is not None and runtime.state is DeploymentState.RUNNING:
            raise Refused("already_running", f"Deployment {asked.deployment_id} is running.")
        deployment = Deployment(
            deployment_id=asked.deployment_id,
            strategy=asked.strategy,
            parameters=asked.parameters,
            symbols=asked.symbols,
            timeframe=asked.timeframe,
            capital=asked.capital,
        )
        try:
            self.deployments.start(deployment, event.at)
        except TradewrightError as error:
            raise Refused(error.code, str(error)) from error
        except Exception as error:
            raise Refused("strategy_error", f"{type(error).__name__}: {error}") from error
        return True, {"deployment_id": asked.deployment_id, "state": DeploymentState.RUNNING.value}

    def _end(
        self,
        event: CommandReceived,
        asked: commands.DeploymentPause | commands.DeploymentStop,
    ) -> tuple[bool, Result]:
        runtime = self.deployments.runtimes.get(asked.deployment_id)
        if runtime is None:
            raise Refused("not_found", f"There is no deployment {asked.deployment_id} here.")
        if isinstance(asked, commands.DeploymentPause):
            if runtime.state is not DeploymentState.RUNNING:
                raise Refused(
                    "not_running", f"Deployment {asked.deployment_id} is {runtime.state}."
                )
            self.deployments.pause(asked.deployment_id, asked.reason, event.at)
        else:
            self.deployments.stop(asked.deployment_id, asked.reason, event.at)
            if asked.flatten:
                controls.flatten_all(
                    self.desk, event.command_id, asked.reason, event.at, runtime.ledger
                )
        return True, {"deployment_id": asked.deployment_id, "state": runtime.state.value}

    # ---------------------------------------------------------------------- orders by hand

    def _place(self, event: CommandReceived, asked: commands.OrderPlace) -> tuple[bool, Result]:
        """An explicit order: the target is what there is plus the order; tried once."""
        book = self.desk.book
        instrument = book.instrument(asked.symbol)
        if asked.quantity != instrument.quantity(asked.quantity):
            raise InvalidInput(f"quantity must be a multiple of {instrument.lot}", field="quantity")
        same_side = [
            order.signed_remaining
            for order in book.working(MANUAL, asked.symbol)
            if order.side is asked.side and not order.leg.is_protective
        ]
        target = book.held(MANUAL, asked.symbol) + sum(same_side, asked.signed_quantity)
        signal = self._signal(event, asked.symbol, asked, target, exposure=0.0)
        signal = msgspec.structs.replace(signal, quantity=target, terms=asked.terms)
        standing = self.desk.take_up(signal, target, is_once=True)
        return self._pursued(standing, event.at)

    def _raise(self, event: CommandReceived, asked: commands.SignalRaise) -> tuple[bool, Result]:
        book = self.desk.book
        price, quantity = book.price(asked.symbol), ZERO
        if price is None and asked.exposure:
            raise Refused("no_price", f"There is no price of {asked.symbol} yet.")
        if price is not None:
            tight = book.limits_of(MANUAL, asked.symbol)
            budget = budget_of(None, 1, book.equity, tight)
            instrument = book.instrument(asked.symbol)
            quantity = quantity_of(asked.exposure, budget, price, instrument)
        signal = self._signal(event, asked.symbol, asked, quantity, exposure=asked.exposure)
        return self._pursued(self.desk.take_up(signal, quantity), event.at)

    def _signal(
        self,
        event: CommandReceived,
        symbol: str,
        asked: commands.OrderPlace | commands.SignalRaise,
        target: Decimal,
        *,
        exposure: float,
    ) -> Signal:
        stop_loss, take_profit = self._protection(symbol, target)
        return Signal(
            signal_id=f"{MANUAL}-{symbol}-c{event.command_id}",
            ledger=MANUAL,
            deployment_id=None,
            symbol=symbol,
            exposure=exposure,
            price=float(self.desk.book.price(symbol) or ZERO),
            at=event.at,
            valid_until=event.at,
            stop_loss=stop_loss if asked.stop_loss is None else asked.stop_loss,
            take_profit=take_profit if asked.take_profit is None else asked.take_profit,
            reasons=(asked.reason,),
        )

    def _protection(self, symbol: str, target: Decimal) -> tuple[Decimal | None, Decimal | None]:
        """Stop and profit that were named for what is there: they hold for what is left of it."""
        standing = self.desk.standings.get((MANUAL, symbol))
        if standing is None:
            return None, None
        there = self.desk.book.held(MANUAL, symbol) or self.desk.projected(standing)
        if not there or there * target < 0:
            return None, None
        return standing.target.stop_loss, standing.target.take_profit

    def _pursued(self, standing: Standing, at: datetime) -> tuple[bool, Result]:
        """Pursue at once; the first answer is the command's outcome."""
        before = len(self.desk.out)
        pursue(self.desk, standing, at)
        if not standing.waits:
            protect(self.desk, standing.target.ledger, standing.target.symbol, at)
        signal_id = standing.target.signal_id
        for event in self.desk.out[before:]:
            if isinstance(event, OrderApproved):
                result = {"outcome": "order", "client_order_id": event.order.client_order_id}
                return True, {"signal_id": signal_id, **result}
            if isinstance(event, OrderDenied):
                return False, {"signal_id": signal_id, "outcome": "denied", **_why(event)}
            if isinstance(event, SignalSatisfied):
                return True, {"signal_id": signal_id, "outcome": "satisfied"}
        return True, {"signal_id": signal_id, "outcome": "pending"}

    def _cancel(self, event: CommandReceived, asked: commands.OrderCancel) -> tuple[bool, Result]:
        identity = asked.client_order_id
        record = self.desk.book.records.get(identity)
        if record is None:
            raise Refused("not_found", f"There is no order {identity} here.")
        order = record.order
        if not order.is_open:
            raise Refused("not_open", f"Order {identity} is {order.status}.")
        self.desk.cancel(order, f"canceled by {event.actor}", event.at)
        standing = self.desk.standings.get((order.ledger, order.symbol))
        if standing is not None and order.leg.is_protective:
            standing.is_guarded = standing.is_bare = False
        elif standing is not None:
            # What the person took back is not asked for again, nor is a late fill undone.
            held = self.desk.book.held(order.ledger, order.symbol)
            self.desk.retarget(standing, held, event.at)
            standing.is_live, standing.is_once = False, True
        return True, {"client_order_id": identity}


def _why(denial: OrderDenied) -> Result:
    return {
        "code": denial.code,
        "detail": denial.detail,
        "limit": None if denial.limit is None else str(denial.limit),
        "value": None if denial.value is None else str(denial.value),
    }
