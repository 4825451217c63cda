"""What can be asked of an engine, and how it is asked: the one way in."""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol


class CommandKind(StrEnum):
    """Kinds of commands; the payload of each stands in `engine.commands`."""

    DEPLOYMENT_START = "deployment_start"
    DEPLOYMENT_PAUSE = "deployment_pause"
    DEPLOYMENT_STOP = "deployment_stop"
    ORDER_PLACE = "order_place"
    ORDER_REPLACE = "order_replace"
    ORDER_CANCEL = "order_cancel"
    SIGNAL_RAISE = "signal_raise"
    TRADING_HALT = "trading_halt"
    TRADING_REDUCE = "trading_reduce"
    TRADING_RESUME = "trading_resume"
    LIMITS_CHANGE = "limits_change"
    RECONCILE = "reconcile"


Payload = Mapping[str, Any] | Callable[[Any], Awaitable[Mapping[str, Any]]]
"""What is asked; a function makes it (and what goes with it) in the command's own transaction."""


class Once(Protocol):
    """The promise of an idempotency key: one effect, however often the request is sent."""

    @property
    def command_id(self) -> int | None:
        """The command that an earlier, interrupted request with this key has left behind."""
        ...

    async def claim(self, db: Any) -> None:  # noqa: ANN401 - a connection in a transaction
        """Take the key in the transaction of the effect. Raises Conflict when it is in flight."""
        ...

    async def bind(self, db: Any, command_id: int) -> None:  # noqa: ANN401 - as above
        """Remember, in the same transaction, which command is the effect."""
        ...


class Desk(Protocol):
    """Hands a command to the engine of an account and waits a moment for the outcome."""

    async def ask(
        self,
        account_id: int,
        kind: CommandKind,
        payload: Payload,
        actor: str,
        once: Once | None = None,
    ) -> dict[str, Any]:
        """The command's row, completed or still pending. Raises Unavailable without an engine."""
        ...
