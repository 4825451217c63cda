"""A strategy put to work: parameters, symbols, timeframe and capital on an account."""

from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from app.domain.market import Timeframe


class DeploymentState(StrEnum):
    """Life of a deployment. `stopped` and `failed` are final."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"


class TradingState(StrEnum):
    """What an account may send. Reducing: only toward zero. Halted: only cancels."""

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class AccountMode(StrEnum):
    PAPER = "paper"
    LIVE = "live"


LIVE_DATASET: Final = "live"
"The one data set whose time is the wall clock's."
MANUAL: Final = "manual"
"Ledger of orders placed by people."
EXTERNAL: Final = "external"
"Ledger of what happened at the broker without us."


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's view of a row of `deployments`. `capital` None: what the limits allow."""

    deployment_id: int
    strategy: str
    parameters: dict[str, Any]
    symbols: tuple[str, ...]
    timeframe: Timeframe
    capital: Decimal | None = None

    @property
    def ledger(self) -> str:
        return ledger_of(self.deployment_id)


def ledger_of(deployment_id: int) -> str:
    """Name of the ledger that belongs to a deployment, e.g. `d3`."""
    return f"d{deployment_id}"


def deployment_of(ledger: str) -> int | None:
    """The deployment that a ledger belongs to; None for `manual` and `external`."""
    number = ledger[1:]
    return int(number) if ledger[0] == "d" and number.isdigit() else None
