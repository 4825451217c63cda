"""Settings that people change while the system runs: checked, kept with history, told to engines.

Three kinds share one list, one table and one history: the limits of the risk engine, the thresholds
of alerts (`alerts.…`), and the operational settings of `core.system_config` (`log.level`, …).
"""

from decimal import Decimal
from typing import Any, Final, Protocol

import asyncpg
import msgspec

from app.alerting import thresholds
from app.core import system_config
from app.core.clock import Clock
from app.core.errors import InvalidInput, NotFound
from app.core.registry import suggestion
from app.core.system_config import OPERATIONS
from app.domain.commands import CommandKind
from app.domain.events import ConfigChanged
from app.domain.limits import BOUNDS, EXPLANATIONS, Limits, out_of_bounds
from app.domain.ports import Entry
from app.domain.scopes import ALL, typed
from app.domain.scopes import checked as checked_scope
from app.domain.users import Caller
from app.repositories import account_reports, audit, config, deployment_reports
from app.repositories.audit import setting_changed
from app.repositories.journal import SharedJournal
from app.repositories.paging import Row

SCOPE: Final = ALL
LIMITS: Final = "limits"
ALERTS: Final = "alerts"
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(Limits)}
_KEYS: Final = (*_FIELDS, *(thresholds.PREFIX + one for one in thresholds.BOUNDS), *OPERATIONS)
CATEGORIES: Final = tuple(
    dict.fromkeys((LIMITS, ALERTS, *(one.category for one in OPERATIONS.values())))
)
"In the order of the list."
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

    async def entries(self, category: str | None = None) -> list[Row]:
        """Every setting, or those of a category, with value, default, source and schema."""
        stored = await config.values(self._pool, SCOPE)
        return [entry(key, stored.get(key)) for key in keys(category)]

    async def entry(self, key: str) -> Row:
        """One setting. Raises NotFound with the nearest name."""
        known(key)
        return entry(key, (await config.values(self._pool, SCOPE)).get(key))

    async def scoped(self) -> list[Row]:
        """What accounts, deployments and symbols are limited to beyond `all`."""
        return await config.stored_scopes(self._pool)

    async def change(
        self,
        caller: Caller,
        key: str,
        value: object,
        reason: str | None,
        scope: str = SCOPE,
    ) -> Row:
        """Store a value and tell every process it concerns. Raises NotFound, or InvalidInput.

        In a scope that is not `all` None takes the limit away. Nothing loosens: of all values that
        apply to an order the tightest holds. None of a setting that is no limit takes back what is
        stored: the environment, or the default, applies again.
        """
        known(key)
        is_limit = category_of(key) == LIMITS
        if not is_limit and scope != SCOPE:
            raise InvalidInput(
                f"{key} is one for the whole platform.", field="scope", remedy="Leave it at all."
            )
        accounts = await self._accounts(scope) if is_limit else []
        forget = value is None and not (is_limit and scope == SCOPE)
        plain = None if forget else checked(key, value)
        if plain is not None and is_limit:
            typed(key, plain, scope)
        now = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            before = await config.change(
                db, scope, key, plain, caller.actor, reason or "", forget=forget
            )
            if before != plain:
                name = key if scope == SCOPE else f"{scope}/{key}"
                event = ConfigChanged(
                    key=name, before=before, after=plain, actor=caller.actor, at=now
                )
                await self._journal.append_within(db, [Entry(event)])
                act = setting_changed(caller, name, before, plain, reason)
                await audit.append(db, self._audit_key, act, now)
        if before != plain:
            for account in accounts:
                await self._tell(account, scope, key, plain, caller.actor)
        stored = (await config.values(self._pool, scope)).get(key)
        return entry(key, stored, scope)

    async def rollback(self, caller: Caller, change_id: int, reason: str | None) -> Row:
        """Set what a change had changed back to what it was. Raises NotFound."""
        past = await config.past(self._pool, change_id)
        if past is None:
            raise NotFound(
                f"There is no change {change_id}.", remedy="See `tradewright config history`."
            )
        known(past["key"])
        value = past["before"]
        is_limit = category_of(past["key"]) == LIMITS
        if is_limit and past["is_first"] and past["scope"] == SCOPE:
            value = msgspec.to_builtins(_FIELDS[past["key"]].default)
        why = reason or f"change {change_id} rolled back"
        return await self.change(caller, past["key"], value, why, past["scope"])

    async def _accounts(self, scope: str) -> list[int]:
        """The accounts whose engines a scope concerns. Raises InvalidInput, or NotFound."""
        kind, _, number = checked_scope(scope).partition(":")
        every = await account_reports.ids(self._pool)
        if kind == "deployment":
            row = await deployment_reports.get(self._pool, int(number), None)
            return [row["account_id"]]
        if kind != "account":
            return every
        if not number or int(number) not in every:
            remedy = f"There are {', '.join(f'account:{one}' for one in every) or 'none yet'}."
            raise NotFound(f"There is no account for the scope {scope}.", remedy=remedy)
        return [int(number)]

    async def _tell(self, account: int, scope: str, key: str, plain: object, actor: str) -> None:
        if scope.startswith(("deployment:", "symbol:")):
            payload: dict[str, Any] = {"limits": {key: plain}, "scope": scope}
        else:
            limits = await config.limits(self._pool, account)
            payload = {"limits": {key: msgspec.to_builtins(getattr(limits, key))}}
        await self._desk.submit(account, CommandKind.LIMITS_CHANGE, payload, actor)


def keys(category: str | None = None) -> list[str]:
    """Every key, or those of a category. Raises NotFound with the nearest name."""
    if category is None:
        return list(_KEYS)
    if category not in CATEGORIES:
        remedy = suggestion(category, CATEGORIES)
        raise NotFound(f"There is no category {category!r}.", remedy=remedy)
    return [key for key in _KEYS if category_of(key) == category]


def category_of(key: str) -> str:
    """What a setting is about; the first word of the key, but for limits."""
    return key.partition(".")[0] if "." in key else LIMITS


def known(key: str) -> None:
    """Raises NotFound for a key that is no setting."""
    if key not in _KEYS:
        raise NotFound(f"There is no setting {key!r}.", remedy=suggestion(key, _KEYS), key=key)


def checked(key: str, value: object) -> object:
    """`value` as JSON stores it. Raises InvalidInput for a wrong type or one out of bounds."""
    if key in OPERATIONS:
        return system_config.checked(key, value)
    if key not in _FIELDS:
        return thresholds.checked(key, value)
    return _checked_limit(key, value)


def _checked_limit(key: str, value: object) -> object:
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


def entry(key: str, stored: Row | None, scope: str = SCOPE) -> Row:
    """A setting as the API shows it. `fallback`: what applies where nothing is stored."""
    default, fallback, source = _unstored(key)
    operation = OPERATIONS.get(key)
    return {
        "key": key,
        "category": category_of(key),
        "scope": scope,
        "value": stored["value"] if stored else fallback if scope == SCOPE else None,
        "default": default,
        "fallback": fallback,
        "source": "stored" if stored else source,
        "variable": operation.variable if operation else None,
        "description": operation.description if operation else _explanation(key),
        "value_schema": schema(key),
        "updated_at": stored["updated_at"] if stored else None,
        "updated_by": stored["updated_by"] if stored else None,
    }


def _unstored(key: str) -> tuple[object, object, str]:
    """Default, what applies where nothing is stored, and where that comes from."""
    if operation := OPERATIONS.get(key):
        return (
            system_config.default(operation),
            *system_config.unchanged(operation.cls, operation.field),
        )
    default: object = (
        msgspec.to_builtins(_FIELDS[key].default)
        if key in _FIELDS
        else thresholds.default(key.removeprefix(thresholds.PREFIX))
    )
    return default, default, "default"


def _explanation(key: str) -> str:
    if key in _FIELDS:
        return EXPLANATIONS[key]
    return thresholds.EXPLANATIONS[key.removeprefix(thresholds.PREFIX)]


def schema(key: str) -> dict[str, Any]:
    """JSON schema of one value, with its bounds."""
    if key in OPERATIONS:
        return system_config.schema(key)
    if key not in _FIELDS:
        name = key.removeprefix(thresholds.PREFIX)
        bounds = thresholds.BOUNDS[name]
        kind = "integer" if isinstance(thresholds.default(name), int) else "number"
        return {"type": kind, "minimum": bounds[0], "maximum": bounds[1]}
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
