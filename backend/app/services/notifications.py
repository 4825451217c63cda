"""Notification channels: made, changed, tried out and removed by admins; addresses stay sealed."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
import msgspec

from app.alerting import messages
from app.alerting.dispatch import about
from app.core.clock import Clock
from app.core.errors import Conflict, InvalidInput, NotFound
from app.core.vault import Vault
from app.domain.notifications import Message, NotDelivered, Notifier
from app.repositories import audit, notification_channels
from app.repositories.audit import Act
from app.repositories.paging import Row


class Trial(msgspec.Struct, frozen=True):
    """What the test button found."""

    is_delivered: bool
    detail: str
    milliseconds: float


class Notifications:
    """The use cases of channels; `actor` is who asks, as the audit trail names them."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        vault: Vault,
        notifier: Notifier,
        audit_key: bytes,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._notifier = notifier
        self._audit_key = audit_key
        self._clock = clock

    async def add(self, actor: str, name: str, url: str, settings: Mapping[str, Any]) -> Row:
        """A new channel. Raises InvalidInput for an address or a zone, Conflict for a name."""
        _check(settings)
        address = await self._notifier.describe(url)
        key_id, ciphertext = self._vault.seal(url.encode(), about(name))
        values = {
            **settings,
            "name": name,
            "service": address.service,
            "hint": address.hint,
            "key_id": key_id,
            "ciphertext": ciphertext,
            "created_by": actor,
        }
        async with self._pool.acquire() as db, db.transaction():
            channel_id = await notification_channels.add(db, values)
            if channel_id is None:
                raise Conflict(f"There is a channel {name!r} already.", remedy="Take another name.")
            after = {"name": name, "hint": address.hint, **_plain(settings)}
            await self._note(db, actor, "created", channel_id, after)
            return await notification_channels.get(db, channel_id)

    async def change(
        self, actor: str, channel_id: int, url: str | None, settings: Mapping[str, Any]
    ) -> Row:
        """Set everything anew; without `url` the address stays. Raises NotFound, InvalidInput."""
        _check(settings)
        known = await notification_channels.get(self._pool, channel_id)
        address = await self._notifier.describe(url) if url is not None else None
        async with self._pool.acquire() as db, db.transaction():
            await notification_channels.change(db, channel_id, dict(settings))
            if address is not None and url is not None:
                sealed = self._vault.seal(url.encode(), about(known["name"]))
                await notification_channels.reseal(
                    db, channel_id, address.service, address.hint, *sealed
                )
            after = {"has_new_address": url is not None, **_plain(settings)}
            await self._note(db, actor, "changed", channel_id, after)
            return await notification_channels.get(db, channel_id)

    async def remove(self, actor: str, channel_id: int) -> None:
        """What is on its way to it is not sent any more. Raises NotFound."""
        async with self._pool.acquire() as db, db.transaction():
            known = await notification_channels.get(db, channel_id)
            await notification_channels.remove(db, channel_id)
            await self._note(db, actor, "removed", channel_id, {"name": known["name"]})

    async def try_out(self, actor: str, channel_id: int) -> Trial:
        """Send a test message now, whatever the hour. Raises NotFound."""
        row = await notification_channels.sealed_one(self._pool, channel_id)
        if row is None:
            raise NotFound(f"There is no notification channel {channel_id}.")
        url = self._vault.open(row["key_id"], row["ciphertext"], about(row["name"])).decode()
        began = self._clock.monotonic()
        detail = await self._sent(url, messages.test(row["name"], self._clock.now()))
        took = round((self._clock.monotonic() - began) * 1000, 1)
        async with self._pool.acquire() as db, db.transaction():
            await self._note(db, actor, "tested", channel_id, {"is_delivered": detail is None})
        return Trial(detail is None, detail or "The service took it.", took)

    async def _sent(self, url: str, message: Message) -> str | None:
        """None, or why not."""
        try:
            await self._notifier.send(url, message)
        except NotDelivered as error:
            return str(error)
        return None

    async def _note(
        self, db: asyncpg.Connection, actor: str, action: str, channel_id: int, after: object
    ) -> None:
        act = Act(
            actor=actor,
            action=action,
            resource="notification_channel",
            resource_id=str(channel_id),
            after=after,
        )
        await audit.append(db, self._audit_key, act, self._clock.now())


def _check(settings: Mapping[str, Any]) -> None:
    try:
        ZoneInfo(settings["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"There is no time zone {settings['time_zone']!r}.",
            field="time_zone",
            remedy="Name one like Europe/Berlin or America/New_York.",
        ) from None
    if (settings["quiet_from"] is None) != (settings["quiet_to"] is None):
        raise InvalidInput(
            "Quiet hours need both ends.",
            field="quiet_to" if settings["quiet_to"] is None else "quiet_from",
            remedy="Send both, or neither.",
        )


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As the audit trail keeps it."""
    plain: dict[str, Any] = msgspec.to_builtins(dict(settings))
    return plain
