"""Carrying out commands: each ends in exactly one CommandCompleted."""

from typing import Any, assert_never

from app.core.errors import InvalidInput, TradewrightError
from app.domain.deployments import Deployment, DeploymentState, TradingState
from app.domain.events import CommandCompleted, CommandReceived
from app.engine import commands, controls, limits
from app.engine.by_hand import ByHand
from app.engine.commands import Refused
from app.engine.deployments import Deployments
from app.engine.desk import Desk

Result = dict[str, Any]


class Requests:
    """Does what people ask for, through the same desk as the strategies."""

    def __init__(self, desk: Desk, deployments: Deployments) -> None:
        self.desk, self.deployments, self.by_hand = desk, deployments, ByHand(desk)

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
            case (
                commands.OrderPlace()
                | commands.SignalRaise()
                | commands.OrderCancel()
                | commands.OrderReplace()
            ):
                return self.by_hand.carry_out(event, asked)
            case commands.DeploymentStart():
                return self._start(event, asked)
            case commands.DeploymentPause() | commands.DeploymentStop():
                return self._end(event, asked)
            case commands.LimitsChange():
                return self._change_limits(event, asked)
            case commands.TradingHalt() | commands.TradingReduce() | commands.TradingResume():
                return self._control(event, asked)
            case commands.Reconcile():
                return "code" not in asked.outcome, asked.outcome
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
