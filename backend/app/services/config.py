"""Limits that people change while the system runs: checked, kept with history, told to engines."""

from decimal import Decimal
from typing import Any, Final, Protocol

import asyncpg
import msgspec

from app.core.clock import Clock
from app.core.errors import InvalidInput, NotFound
from app.core.registry import suggestion
from app.domain.commands import CommandKind
from app.domain.events import ConfigChanged
from app.domain.limits import BOUNDS, Limits, out_of_bounds
from app.domain.ports import Entry
from app.domain.users import Caller
from app.repositories import account_reports, audit, config
from app.repositories.audit import Act
from app.repositories.journal import SharedJournal
from app.repositories.paging import Row

SCOPE: Final = "all"
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(Limits)}
_SCHEMA: Final = msgspec.json.schema(Limits)["$defs"]["Limits"]["properties"]


class Submit(Protocol):
    """Stores a command without waiting for its outcome."""

    async def submit(
        self, account_id: int, kind: CommandKind, payload: dict[str, Any], actor: str
    ) -> int: ...


class Config:
    """The use cases of one setting."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        desk: Submit,
        journal: SharedJournal,
        audit_key: bytes,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._desk = desk
        self._journal = journal
        self._audit_key = audit_key
        self._clock = clock

    async def entries(self) -> list[Row]:
        """Every setting with value, default, description and schema."""
        stored = await config.values(self._pool, SCOPE)
        return [entry(key, stored.get(key)) for key in _FIELDS]

    async def entry(self, key: str) -> Row:
        """One setting. Raises NotFound with the nearest name."""
        known(key)
        return entry(key, (await config.values(self._pool, SCOPE)).get(key))

    async def change(
        self,
        caller: Caller,
        key: str,
        value: object,
        reason: str | None,
    ) -> Row:
        """Store a value and tell every engine. Raises NotFound, or InvalidInput with the bounds."""
        known(key)
        plain = checked(key, value)
        now = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            before = await config.change(db, SCOPE, key, plain, caller.actor, reason or "")
            if before != plain:
                event = ConfigChanged(
                    key=key, before=before, after=plain, actor=caller.actor, at=now
                )
                await self._journal.append_within(db, [Entry(event)])
                await audit.append(
                    db, self._audit_key, _act(caller, key, before, plain, reason), now
                )
        if before != plain:
            for account in await account_reports.ids(self._pool):
                payload = {"limits": {key: plain}}
                await self._desk.submit(account, CommandKind.LIMITS_CHANGE, payload, caller.actor)
        return await self.entry(key)


def known(key: str) -> None:
    """Raises NotFound for a key that is not a limit."""
    if key not in _FIELDS:
        raise NotFound(f"There is no setting {key!r}.", remedy=suggestion(key, _FIELDS), key=key)


def checked(key: str, value: object) -> object:
    """`value` as JSON stores it. Raises InvalidInput for a wrong type or one out of bounds."""
    if isinstance(value, float):
        value = str(Decimal(repr(value)))
    try:
        found = msgspec.convert(value, _FIELDS[key].type, strict=not isinstance(value, str | int))
    except (msgspec.ValidationError, ArithmeticError) as error:
        raise InvalidInput(
            f"{key} cannot be {value!r}: {error}.", field="value", remedy=_allowed(key)
        ) from None
    if isinstance(value, bool) != (_FIELDS[key].type is bool):
        raise InvalidInput(f"{key} cannot be {value!r}.", field="value", remedy=_allowed(key))
    if why := out_of_bounds(key, found):
        raise InvalidInput(why, field="value", remedy=_allowed(key))
    return msgspec.to_builtins(found)


def entry(key: str, stored: Row | None) -> Row:
    """A setting as the API shows it."""
    default = msgspec.to_builtins(_FIELDS[key].default)
    return {
        "key": key,
        "value": stored["value"] if stored else default,
        "default": default,
        "description": stored["description"] if stored else "",
        "value_schema": schema(key),
        "updated_at": stored["updated_at"] if stored else None,
        "updated_by": stored["updated_by"] if stored else None,
    }


def schema(key: str) -> dict[str, Any]:
    """JSON schema of one value, with its bounds."""
    found = {name: part for name, part in _SCHEMA[key].items() if name != "default"}
    if key in BOUNDS:
        least, most = BOUNDS[key]
        found |= {"minimum": float(least), "maximum": float(most)}
    return found


def _allowed(key: str) -> str:
    if key in BOUNDS:
        least, most = BOUNDS[key]
        return f"A value between {least} and {most}."
    return "See its schema at GET /api/config."


def _act(caller: Caller, key: str, before: object, after: object, reason: str | None) -> Act:
    return Act(
        actor=caller.actor,
        user_id=caller.user_id,
        action="changed",
        resource="config",
        resource_id=key,
        before=before,
        after=after,
        reason=reason,
    )
