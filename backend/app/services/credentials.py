"""Keys of vendors: kept sealed in the database, offered to settings, never shown to anybody."""

from collections.abc import Mapping
from typing import Final

import asyncpg

from app.core import credentials as known
from app.core.clock import Clock
from app.core.errors import ConfigurationError, InvalidInput, NotFound
from app.core.logging import get_logger
from app.core.options import given
from app.core.registry import suggestion
from app.core.vault import Vault
from app.repositories import audit
from app.repositories import credentials as rows
from app.repositories.audit import Act
from app.repositories.paging import Db, Row

LONGEST: Final = 4_096
"Characters of a key. A whole private key in PEM fits."
_BATCH: Final = 100
log = get_logger("security")


class Credentials:
    """The use cases of stored keys. `user_id` None: somebody at the command line."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, audit_key: bytes, clock: Clock) -> None:
        self._pool = pool
        self.vault = vault
        self._audit_key = audit_key
        self._clock = clock

    async def listing(self) -> list[Row]:
        """Every key that Tradewright knows of: where its value comes from, and never the value."""
        stored = {(row["provider"], row["name"]): row for row in await rows.listed(self._pool)}
        return [_entry(name, stored.get(place)) for name, place in known.NAMES.items()]

    async def entry(self, name: str) -> Row:
        """One of them. Raises NotFound with the nearest name."""
        _known(name)
        return next(row for row in await self.listing() if row["name"] == name)

    async def put(self, actor: str, user_id: int | None, name: str, value: str) -> Row:
        """Store a key, sealed. Raises NotFound for an unknown name, InvalidInput for no value."""
        provider, field = _known(name)
        value = _checked(value)
        self.vault.refresh()
        key_id, token = self.vault.seal(value.encode(), about=name)
        async with self._pool.acquire() as db, db.transaction():
            existed = await rows.put(db, provider, field, key_id, token)
            act = _act(actor, user_id, "replaced" if existed else "stored", name, key_id)
            await audit.append(db, self._audit_key, act, self._clock.now())
        return await self.entry(name)

    async def remove(self, actor: str, user_id: int | None, name: str) -> None:
        """Forget a stored key. Raises NotFound when there is none."""
        provider, field = _known(name)
        async with self._pool.acquire() as db, db.transaction():
            if not await rows.remove(db, provider, field):
                raise NotFound(
                    f"No {name} is stored.",
                    remedy="See `tradewright secrets list`; one of the environment is not stored.",
                )
            act = _act(actor, user_id, "removed", name)
            await audit.append(db, self._audit_key, act, self._clock.now())

    async def rotate(self, actor: str, user_id: int | None = None) -> Mapping[str, int]:
        """Seal everything under the newest key; how many values of each table were sealed anew.

        Works in small transactions and only on what is left, so one that was interrupted is simply
        run again. Raises ConfigurationError when a value's old key is gone: that one is untouched.
        """
        self.vault.refresh()
        done: dict[str, int] = {}
        for table in rows.tables():
            done[table] = 0
            while count := await self._renew(table):
                done[table] += count
        act = _act(actor, user_id, "rotated", "vault", self.vault.key_id, done)
        async with self._pool.acquire() as db, db.transaction():
            await audit.append(db, self._audit_key, act, self._clock.now())
        return done

    async def _renew(self, table: str) -> int:
        async with self._pool.acquire() as db, db.transaction():
            return await rows.renew(db, table, self.vault.key_id, self.vault.renew, _BATCH)


async def offer(db: Db, vault: Vault) -> tuple[str, ...]:
    """Let settings of this process fall back on the stored keys; names of those that opened.

    One that does not open is left out and logged: the others must not suffer for it.
    """
    names = {place: name for name, place in known.NAMES.items()}
    values: dict[str, str] = {}
    for row in await rows.sealed(db):
        name = names.get((row["provider"], row["name"]))
        if name is None:
            continue
        try:
            values[name] = vault.open(row["key_id"], row["ciphertext"], name).decode()
        except ConfigurationError as error:
            log.error("credential_not_usable", name=name, reason=str(error))
    known.offer(values)
    return tuple(values)


def _known(name: str) -> tuple[str, str]:
    if name not in known.NAMES:
        raise NotFound(
            f"There is no credential {name!r}.", remedy=suggestion(name, known.NAMES), name=name
        )
    return known.NAMES[name]


def _checked(value: str) -> str:
    value = value.strip()
    if not value:
        raise InvalidInput("The value is empty.", field="value", remedy="To forget one, delete it.")
    if len(value) > LONGEST or "\x00" in value:
        raise InvalidInput(
            f"The value is longer than {LONGEST} characters, or holds a zero byte.", field="value"
        )
    return value


def _entry(name: str, stored: Row | None) -> Row:
    source = "environment" if given(name) else "stored" if stored else None
    return {
        "name": name,
        "provider": known.NAMES[name][0],
        "source": source,
        "is_stored": stored is not None,
        "key_id": stored["key_id"] if stored else None,
        "updated_at": stored["updated_at"] if stored else None,
    }


def _act(
    actor: str,
    user_id: int | None,
    action: str,
    name: str,
    key_id: str | None = None,
    counts: Mapping[str, int] | None = None,
) -> Act:
    after = {"key_id": key_id, **(counts or {})} if key_id else None
    return Act(
        actor=actor,
        user_id=user_id,
        action=action,
        resource="credential",
        resource_id=name,
        after=after,
    )
