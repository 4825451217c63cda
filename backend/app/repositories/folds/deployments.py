"""Deployments, what people read about them, commands and trading state as folds of the stream."""

from datetime import datetime
from typing import Any

from app.domain.deployments import DeploymentState, TradingState
from app.domain.events import (
    CommandCompleted,
    CommandReceived,
    DeploymentFailed,
    DeploymentPaused,
    DeploymentStarted,
    DeploymentStopped,
    Reconciled,
    Severity,
    StrategyNoted,
    TradingHalted,
    TradingResumed,
)
from app.repositories.chain import Record
from app.repositories.folds.book import Book
from app.repositories.folds.tables import (
    ACCOUNTS,
    COMMANDS,
    DEPLOYMENTS,
    RECONCILIATIONS,
    STRATEGY_EVENTS,
    TRADING_STATE,
)

State = DeploymentState


def started(book: Book, record: Record, event: DeploymentStarted) -> None:
    """Running, for the first time or again."""
    number = event.deployment.deployment_id
    row = book.rows.find(DEPLOYMENTS, number)
    if row is not None:
        since = row["started_at"] or event.at
        book.rows.change(
            DEPLOYMENTS, row, state=State.RUNNING, reason=None, started_at=since, stopped_at=None
        )
    told = f"Started on {', '.join(event.deployment.symbols)} at {event.deployment.timeframe}."
    _tell(book, record, number, Severity.INFO, told, event.at)


def paused(book: Book, record: Record, event: DeploymentPaused) -> None:
    _end(book, event.deployment_id, State.PAUSED, event.reason, None)
    _tell(book, record, event.deployment_id, Severity.WARNING, event.reason, event.at)


def stopped(book: Book, record: Record, event: DeploymentStopped) -> None:
    _end(book, event.deployment_id, State.STOPPED, event.reason, event.at)
    _tell(book, record, event.deployment_id, Severity.INFO, event.reason, event.at)


def failed(book: Book, record: Record, event: DeploymentFailed) -> None:
    _end(book, event.deployment_id, State.FAILED, event.reason, event.at)
    trace = {"traceback": event.traceback} if event.traceback else {}
    _tell(book, record, event.deployment_id, Severity.CRITICAL, event.reason, event.at, trace)


def noted(book: Book, record: Record, event: StrategyNoted) -> None:
    _line(
        book,
        record,
        event.deployment_id,
        event.kind,
        event.severity,
        event.message,
        event.at,
        event.metadata,
    )


def _end(
    book: Book, deployment_id: int, state: DeploymentState, reason: str, at: datetime | None
) -> None:
    row = book.rows.find(DEPLOYMENTS, deployment_id)
    if row is not None:
        book.rows.change(DEPLOYMENTS, row, state=state, reason=reason, stopped_at=at)


def _tell(
    book: Book,
    record: Record,
    deployment_id: int,
    severity: Severity,
    message: str,
    at: datetime,
    metadata: dict[str, Any] | None = None,
) -> None:
    kind = record.event_type.removeprefix("deployment_")
    _line(book, record, deployment_id, kind, severity, message, at, metadata or {})


def _line(
    book: Book,
    record: Record,
    deployment_id: int,
    event_type: str,
    severity: Severity,
    message: str,
    at: datetime,
    metadata: dict[str, Any],
) -> None:
    book.rows.add(
        STRATEGY_EVENTS,
        {
            "account_id": book.account_id,
            "deployment_id": deployment_id,
            "seq": record.seq,
            "event_type": event_type,
            "severity": severity,
            "message": message,
            "metadata": metadata,
            "at": at,
        },
    )


def reconciled(book: Book, record: Record, event: Reconciled) -> None:
    """One comparison with the broker's books."""
    book.rows.add(
        RECONCILIATIONS,
        {
            "account_id": book.account_id,
            "seq": record.seq,
            "open_orders": event.open_orders,
            "positions": event.positions,
            "differences": list(event.differences),
            "at": event.at,
        },
    )
    account = book.rows.find(ACCOUNTS, book.account_id)
    if account is not None:
        book.rows.change(ACCOUNTS, account, reconciled_at=event.at)


def received(book: Book, record: Record, event: CommandReceived) -> None:
    """Remembered until the batch is done: what follows may need to know who asked, and when."""
    book.commands[record.seq] = event.command_id


def completed(book: Book, record: Record, event: CommandCompleted) -> None:
    """The answer to whoever asked; `completed_at` is wall time, as `created_at` is."""
    book.rows.add(
        COMMANDS,
        {
            "id": event.command_id,
            "status": "completed" if event.succeeded else "failed",
            "result": event.result,
            "completed_at": record.recorded_at,
        },
    )
    book.notices.append(("command_done", str(event.command_id)))


def halted(book: Book, record: Record, event: TradingHalted) -> None:
    """Tightened, by a command or by the engine's own limits."""
    _latch(book, record, event.state, event.reason, event.actor)


def resumed(book: Book, record: Record, event: TradingResumed) -> None:
    """Back to active; an emergency stop that was latched after the resume was asked for stays."""
    _latch(book, record, TradingState.ACTIVE, "", event.actor)


def _latch(book: Book, record: Record, state: TradingState, reason: str, actor: str) -> None:
    scope = f"account:{book.account_id}"
    book.rows.add(
        TRADING_STATE,
        {
            "scope": scope,
            "state": state,
            "reason": reason,
            "actor": actor,
            "command_id": book.commands.get(record.caused_by or 0),
        },
    )
    book.notices.append(("trading_state", scope))
