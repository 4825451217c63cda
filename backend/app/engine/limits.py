"""Changing limits while trading goes on: of the account, or of one deployment or symbol of it."""

from typing import Any

import msgspec

from app.core.errors import InvalidInput
from app.domain.events import CommandReceived, LimitsChanged
from app.domain.limits import Limits, out_of_bounds
from app.domain.scopes import ACCOUNT, typed
from app.engine.commands import LimitsChange
from app.engine.desk import Desk


def change(desk: Desk, event: CommandReceived, asked: LimitsChange) -> dict[str, Any]:
    """Use the limits from here on; what they are now. Raises InvalidInput that names the field."""
    shown = _of_account(desk, asked) if asked.scope == ACCOUNT else _of_scope(desk, asked)
    desk.emit(LimitsChanged(limits=shown, scope=asked.scope, actor=event.actor, at=event.at))
    return {"limits": shown}


def _of_account(desk: Desk, asked: LimitsChange) -> dict[str, Any]:
    book = desk.book
    whole = {**msgspec.to_builtins(book.limits), **asked.limits}
    try:
        limits = msgspec.convert(whole, Limits)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"limits: {error}", field="limits") from error
    for key in asked.limits:
        problem = out_of_bounds(key, getattr(limits, key))
        if problem is not None:
            raise InvalidInput(problem, field=key)
    if book.limits.max_drawdown is None:
        book.peak = book.equity  # measured from when it counts
    book.limits = limits
    shown: dict[str, Any] = msgspec.to_builtins(limits)
    return shown


def _of_scope(desk: Desk, asked: LimitsChange) -> dict[str, Any]:
    """A value of None takes the limit away from the scope."""
    known = desk.book.scopes.get(asked.scope)
    given = {
        key: None if v is None else typed(key, v, asked.scope) for key, v in asked.limits.items()
    }
    desk.book.limit(asked.scope, {**(known.limits if known else {}), **given})
    now = desk.book.scopes.get(asked.scope)
    shown: dict[str, Any] = msgspec.to_builtins(dict(now.limits)) if now else {}
    return shown
