"""Which channels hear of an alert now, and until when one wants quiet."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from app.domain.events import Severity

DIGEST: Final = "digest"
"The rule of the daily digest: channels want it or not, whatever else they hear of."
_RANKS: Final = {one.value: rank for rank, one in enumerate(Severity)}


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One way to reach people, its address still sealed."""

    id: int
    name: str
    key_id: str
    ciphertext: bytes
    min_severity: str
    categories: tuple[str, ...] = ()
    quiet_from: time | None = None
    quiet_to: time | None = None
    time_zone: str = "UTC"
    level: int = 0
    tells_resolved: bool = True
    wants_digest: bool = True
    is_enabled: bool = True

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Channel":
        """From `repositories.notification_channels.sealed`."""
        return cls(**{**row, "categories": tuple(row["categories"])})

    def hears(self, alert: Mapping[str, Any]) -> bool:
        """Whether it wants to know of such an alert at all."""
        if not self.is_enabled or alert["context"].get("not_by") == self.name:
            return False
        if alert["rule"] == DIGEST:
            return self.wants_digest
        is_grave = _RANKS[alert["severity"]] >= _RANKS[self.min_severity]
        return is_grave and (not self.categories or alert["category"] in self.categories)

    def quiet_until(self, now: datetime, severity: str) -> datetime | None:
        """When it may be disturbed again; None: now. What is critical always may."""
        if self.quiet_from is None or self.quiet_to is None or severity == Severity.CRITICAL:
            return None
        zone = ZoneInfo(self.time_zone)
        local = now.astimezone(zone)
        for day in (local.date() - timedelta(days=1), local.date()):
            begin = datetime.combine(day, self.quiet_from, zone)
            end = datetime.combine(day, self.quiet_to, zone)
            if end <= begin:
                end = datetime.combine(day + timedelta(days=1), self.quiet_to, zone)
            # Compared in UTC: local times of a day that clocks change on are not in order.
            if begin.astimezone(UTC) <= now < end.astimezone(UTC):
                return end.astimezone(UTC)
        return None


def chosen(
    channels: Sequence[Channel], alert: Mapping[str, Any], escalations: int
) -> list[Channel]:
    """Who hears of this round: the first level, and with each escalation the next one as well.

    Levels without a channel that wants to hear of it do not count, so that nobody waits for them.
    """
    hearing = [one for one in channels if one.hears(alert)]
    levels = sorted({one.level for one in hearing})
    if not levels:
        return []
    highest = levels[min(escalations, len(levels) - 1)]
    return [one for one in hearing if one.level <= highest]
