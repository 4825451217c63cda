"""Which backups are kept: the last day's, and the newest of so many days and so many weeks."""

import re
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

NAME: Final = re.compile(r"tradewright-(\d{8}T\d{6}Z)-[0-9a-f]{8}\.backup")


def made_at(name: str) -> datetime | None:
    """When the backup of this name was made; None for a file that is none of ours."""
    if not (match := NAME.fullmatch(name)):
        return None
    try:
        return datetime.strptime(match[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def outdated(names: Iterable[str], *, daily: int, weekly: int) -> list[str]:
    """Names that may go, the oldest first.

    Kept is what was made within a day before the newest of all, the newest of each of the last
    `daily` days that have one, and of each of the last `weekly` weeks that have one: after a long
    pause nothing is deleted for being old. Files with other names are nobody's business.
    """
    dated = sorted((at, name) for name in names if (at := made_at(name)) is not None)
    young = {name for at, name in dated if dated[-1][0] - at <= timedelta(days=1)}
    kept = (
        young
        | _newest(dated, lambda at: at.date(), daily)
        | _newest(dated, lambda at: at.isocalendar()[:2], weekly)
    )
    return [name for _, name in dated if name not in kept]


def _newest(
    dated: list[tuple[datetime, str]], period: Callable[[datetime], Hashable], count: int
) -> set[str]:
    newest: dict[Hashable, str] = {period(at): name for at, name in dated}
    return set(list(newest.values())[-count:]) if count else set()
