"""`tradewright upgrade`: migrate a copy first, then the database, with a backup before it."""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.console.backup import at_hand, key_of, located, refuse_none, taken
from app.console.output import Json, show
from app.core.backup import BackupOptions
from app.core.config import get_settings, settings
from app.core.errors import BackupError
from app.db import home as home_folder

if TYPE_CHECKING:
    from app.db.backup_state import State

PURPOSE: Final = "tradewright upgrade"


def upgrade(
    check: Annotated[
        bool, typer.Option("--check", help="Only migrate a copy, and say how that went.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option("--backup", help="Check on this backup (or newest) instead of a copy."),
    ] = None,
    within_up: Annotated[
        bool, typer.Option("--within-up", hidden=True, help="`up` asks, and holds the home.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the database to this program's revision: a backup, a migrated copy, then itself."""
    database = at_hand(PURPOSE) if check else _ours(is_held_for_us=within_up)
    with database as url, redirect_stdout(sys.stderr):
        report = checked(url, source) if check else _upgraded(url)
    show(report, _lines(report), as_json=as_json)
    if not report["ok"]:
        raise typer.Exit(1)


def _ours(*, is_held_for_us: bool) -> AbstractContextManager[str]:
    """The database, on which nothing of this home can begin to work meanwhile."""
    if is_held_for_us:
        return nullcontext(settings.database.url)
    refuse_none()
    if home_folder.is_held(settings.home):
        raise BackupError(
            f"The platform runs ({home_folder.holder(settings.home)}).",
            remedy="Stop it first; `tradewright upgrade --check` may run beside it.",
        )
    return taken(settings.home, PURPOSE, is_named=False)


def checked(url: str, source: str | None) -> dict[str, Any]:
    """Migrate a scratch copy to the newest revision; what came of it."""
    from app.db import backup_database, migrations, revisions

    with _copy(url, source) as (address, of):
        with backup_database.connected(address) as connection:
            before = backup_database.state(connection)
        found, began = revisions.current(address), time.perf_counter()
        migrations.upgrade(address)
        seconds = time.perf_counter() - began
        with backup_database.connected(address) as connection:
            after = backup_database.state(connection)
        differences = migrations.differences(address)
    fewer = _fewer(before, after)
    return {
        "ok": not differences and not fewer,
        "copy_of": of,
        "from": found,
        "to": revisions.head(),
        "seconds": round(seconds, 2),
        "rows": after.rows,
        "differences": differences,
        "fewer_rows": fewer,
        "upgraded": False,
    }


@contextmanager
def _copy(url: str, source: str | None) -> Iterator[tuple[str, str]]:
    """A scratch database, and what it is a copy of."""
    from app.db import backup_restore

    options = BackupOptions()
    spare = options.spare_mb * 1024**2
    if source is None:
        with backup_restore.copied(url, spare_bytes=spare) as address:
            yield address, "the database"
        return
    path = located(source, options)
    proved = backup_restore.unpacked(url, path, key_of(None, options), spare_bytes=spare)
    with proved as (address, manifest):
        yield address, f"{path.name} of {manifest.made_at:%Y-%m-%d %H:%M} UTC"


def _upgraded(url: str) -> dict[str, Any]:
    """Save, check on what was saved, and only then migrate."""
    from app.db import backup, migrations
    from app.services.backups import place_of

    place = place_of(get_settings(), url)
    made = backup.create(
        url,
        place.folder,
        place.options.key,
        secret_id=place.secret_id,
        spare_bytes=place.options.spare_mb * 1024**2,
    )
    report = {**checked(url, str(made.path)), "backup": made.path}
    if report["ok"]:
        migrations.upgrade(url)
        report["upgraded"] = True
    return report


def _fewer(before: "State", after: "State") -> dict[str, list[int | None]]:
    """Tables that lost rows on the way, or are gone: [before, after]."""
    counts = {name: table.rows for name, table in after.tables.items()}
    return {
        name: [table.rows, counts.get(name)]
        for name, table in before.tables.items()
        if table.rows > (counts.get(name) or 0)
    }


def _lines(report: dict[str, Any]) -> list[str]:
    way = f"from revision {report['from'] or 'none'} to {report['to']}"
    lines = [
        f"A copy of {report['copy_of']} went {way} in {report['seconds']:.1f} s"
        f" ({report['rows']} rows).",
        *(f"Differs from what the program expects: {one}" for one in report["differences"]),
        *(
            f"{name} has {after if after is not None else 'no'} rows now, and had {before}."
            for name, (before, after) in report["fewer_rows"].items()
        ),
    ]
    if "backup" in report:
        lines.append(f"Saved before: {report['backup']}")
    if report["upgraded"]:
        return [*lines, f"The database went {way}."]
    verdict = "The upgrade will work." if report["ok"] else "The upgrade would go wrong."
    return [*lines, f"{verdict} The database itself was not touched."]
