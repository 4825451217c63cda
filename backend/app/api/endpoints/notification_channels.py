"""Where alerts are sent to: for admins."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from app.api.deps import ADMIN, FRESH_ADMIN, Answer, CurrentCaller, Db, Notifications
from app.api.schemas.base import Page, PageQuery
from app.api.schemas.notification_channels import (
    NotificationChannelChangeIn,
    NotificationChannelIn,
    NotificationChannelOut,
    NotificationTestOut,
)
from app.repositories import notification_channels as rows

router = APIRouter(
    prefix="/api/notification-channels", tags=["notification-channels"], dependencies=[ADMIN]
)
ChannelId = Annotated[int, Path(ge=1, le=2**53, examples=[1])]


@router.get("")
async def list_notification_channels(
    query: Annotated[PageQuery, Query()], db: Db, answer: Answer
) -> Page[NotificationChannelOut]:
    """Those that hear first before those that hear later; never an address."""
    return await answer(NotificationChannelOut, query, rows.listing(db))


@router.post("", status_code=201, dependencies=[FRESH_ADMIN])
async def create_notification_channel(
    body: NotificationChannelIn, caller: CurrentCaller, notifications: Notifications
) -> NotificationChannelOut:
    """Add a way to reach people; try it out afterwards. Needs a person after a fresh check."""
    found = await notifications.add(
        caller.actor, body.name, body.url, body.model_dump(exclude={"name", "url"})
    )
    return NotificationChannelOut.model_validate(found)


@router.put("/{channel_id}", dependencies=[FRESH_ADMIN])
async def change_notification_channel(
    channel_id: ChannelId,
    body: NotificationChannelChangeIn,
    caller: CurrentCaller,
    notifications: Notifications,
) -> NotificationChannelOut:
    """Set what it hears of, and when; a new address replaces the old one."""
    found = await notifications.change(
        caller.actor, channel_id, body.url, body.model_dump(exclude={"url"})
    )
    return NotificationChannelOut.model_validate(found)


@router.delete("/{channel_id}", status_code=204, dependencies=[FRESH_ADMIN])
async def delete_notification_channel(
    channel_id: ChannelId, caller: CurrentCaller, notifications: Notifications
) -> None:
    """Nothing is sent to it any more; what was delivered stays on record."""
    await notifications.remove(caller.actor, channel_id)


@router.post("/{channel_id}/test")
async def test_notification_channel(
    channel_id: ChannelId, caller: CurrentCaller, notifications: Notifications
) -> NotificationTestOut:
    """Send a message now, whatever the hour; says why it did not arrive."""
    return NotificationTestOut.model_validate(
        await notifications.try_out(caller.actor, channel_id), from_attributes=True
    )
