"""`tradewright backup`: create, list, verify, restore."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr

from app.console import backup_words as words
from app.console.output import Json, show, table
from app.core import tasks
from app.core.backup import BackupOptions
from app.core.config import get_settings, settings
from app.core.errors import BackupError
from app.db import home as home_folder
from app.db.embedded import EmbeddedPostgres, attach_or_start, started

if TYPE_CHECKING:
    from app.db.backup import Manifest

app = typer.Typer(
    help="Backups: create, list, verify, restore.", add_completion=False, no_args_is_help=True
)
Which = Annotated[str, typer.Argument(help="A file, its name, s3://…, or newest.")]
KeyFile = Annotated[
    Path | None, typer.Option(help="File with the key that it was made with, if not BACKUP_KEY.")
]
Unsealed = Annotated[
    bool,
    typer.Option(
        "--accept-unsealed", help="Though it is not encrypted and there is a key: it is your own."
    ),
]
_COLUMNS = (
    "name",
    "made_at",
    "mb",
    "rows",
    "revision",
    "encrypted",
    "proved_at",
    "copy",
    "problem",
)


@app.command()
def create(
    verify: Annotated[
        bool, typer.Option(help="Prove it by a restore into a scratch database.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Save the database, prove the backup by a restore, copy it, forget old ones."""
    with at_hand("tradewright backup create") as url, redirect_stdout(sys.stderr):
        row = _made(url, verify)
    lines = [
        f"{row['path']}: {row['size_bytes'] / 1e6:.1f} MB, {row['rows']} rows.",
        f"Proved by a restore that took {row['restore_seconds']:.1f} s."
        if row.get("verified_at")
        else "Not proved; `tradewright backup verify` does that.",
        *([] if row["is_encrypted"] else ["It is not encrypted: BACKUP_KEY is not set."]),
        *([f"Copied to {row['copied_to']}."] if row.get("copied_to") else []),
    ]
    show(row, lines, as_json=as_json)


@app.command("list")
def list_backups(key_file: KeyFile = None, as_json: Json = False) -> None:
    """The backups in the folder, newest first, and when each was proved."""
    from app.db import backup

    options = BackupOptions()
    folder = options.place(settings.home)
    known = _known()
    if not known:
        _say("The database does not run, so when they were proved is not shown.")
    rows = [
        words.listed(found, known.get(str(found.path), {}))
        for found in backup.listed(folder, key_of(key_file, options))
    ]
    show(rows, table(rows, _COLUMNS), as_json=as_json)


@app.command()
def verify(
    which: Which = "newest",
    key_file: KeyFile = None,
    accept_unsealed: Unsealed = False,
    as_json: Json = False,
) -> None:
    """Restore a backup into a scratch database and compare the state hash."""
    from app.db import backup_restore

    options = BackupOptions()
    path = located(which, options)
    with _any_server() as url:
        proof = backup_restore.verify(
            url,
            path,
            key_of(key_file, options),
            spare_bytes=options.spare_mb * 1024**2,
            accept_unsealed=accept_unsealed,
        )
        _note_proof(url, path, proof.restore_seconds)
    found = {
        "path": path,
        "state_hash": proof.manifest.state_hash,
        "rows": proof.manifest.state.rows,
        "restore_seconds": proof.restore_seconds,
        "seconds": proof.seconds,
    }
    line = (
        f"{path} holds: restored in {proof.restore_seconds:.1f} s, {found['rows']} rows, state hash"
        f" {proof.manifest.state_hash[:16]}…"
    )
    show(found, line, as_json=as_json)


@app.command()
def restore(
    which: Which = "newest",
    home: Annotated[
        Path | None, typer.Option(help="Home to restore into; a fresh folder is made.")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Though the database is not empty; the old one is kept."),
    ] = False,
    halt: Annotated[
        bool,
        typer.Option(help="Nothing may be sent to a broker until you resume; no: as it was saved."),
    ] = True,
    key_file: KeyFile = None,
    accept_unsealed: Unsealed = False,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of the database; refused while anything uses it."""
    from app.db import backup, backup_restore

    options = BackupOptions()
    path, key = located(which, options), key_of(key_file, options)
    with backup.opened(path, key, accept_unsealed=accept_unsealed) as reader:
        backup.checked(reader)  # before a home is made for it
    into = home.expanduser().absolute() if home else settings.home
    with taken(into, "tradewright backup restore", is_named=home is not None) as url:
        settle = _halt if halt else backup_restore.as_it_is
        done = backup_restore.restore(
            url, path, key, replace=replace, accept_unsealed=accept_unsealed, settle=settle
        )
    result = {
        "path": path,
        "home": into,
        "made_at": done.manifest.made_at,
        "revision": done.manifest.revision,
        "state_hash": done.manifest.state_hash,
        "rows": done.manifest.state.rows,
        "seconds": done.seconds,
        "kept": done.kept,
        "halted": halt,
        **_forgotten(),
    }
    show(
        result,
        [*words.restored_lines(result), *words.key_lines(into, done.manifest)],
        as_json=as_json,
    )


def _forgotten() -> dict[str, Any]:
    """What became of what a Redis of one's own remembers; the embedded one remembers nothing."""
    from app.core.errors import Unavailable
    from app.db import remembered

    if not settings.redis.is_given:
        return {}
    try:
        return {"redis_keys_removed": remembered.forget(settings.redis.url)}
    except Unavailable as error:
        return {"redis_problem": str(error)}


# ----------------------------------------------------------------------------- databases


@contextmanager
def at_hand(purpose: str) -> Iterator[str]:
    """The database as it is, not migrated. Raises BackupError when there is none."""
    if settings.database.is_given:
        yield settings.database.url
        return
    refuse_none()
    with attach_or_start(settings.home, purpose=purpose, say=_say) as url:
        yield url


def refuse_none() -> None:
    """Raises BackupError when there is no database yet, here or elsewhere."""
    if not settings.database.is_given and not (settings.home / "postgres.password").exists():
        raise BackupError(
            "There is no database here yet, so there is nothing to save.",
            remedy="Start one with `tradewright up`, or set DATABASE_URL.",
        )


@contextmanager
def _any_server() -> Iterator[str]:
    """The database at hand, or on a machine without one a server for this command alone."""
    from tempfile import TemporaryDirectory

    if settings.database.is_given or (settings.home / "postgres.password").exists():
        with at_hand("tradewright backup verify") as url:
            yield url
        return
    with TemporaryDirectory(prefix="tradewright-verify-") as folder:
        place = Path(folder) / "home"
        home_folder.prepare(place)
        with started(EmbeddedPostgres(place)) as postgres:
            yield postgres.url


@contextmanager
def taken(into: Path, purpose: str, *, is_named: bool) -> Iterator[str]:
    """The database of a home, which nothing on this home uses, or can begin to use, meanwhile.

    A home that a person named has one of its own, whatever DATABASE_URL says.
    """
    with home_folder.held(into, purpose):
        if settings.database.is_given and not is_named:
            yield settings.database.url
            return
        with started(EmbeddedPostgres(into, say=_say)) as postgres:
            yield postgres.url


def _made(url: str, verify: bool) -> dict[str, Any]:
    """The row of a new backup; of a database of another revision there is none to be written."""
    from app.db import revisions
    from app.services.backups import place_of

    if revisions.current(url) != revisions.head():
        return _made_apart(url, verify)

    async def work() -> dict[str, Any]:
        from app.core import clock
        from app.db.session import opened_pool
        from app.services.backups import Backups
        from app.services.system_config import SystemConfig

        async with opened_pool(url, min_size=0, max_size=2) as pool:
            await SystemConfig(pool).load()  # how many are kept, as people have changed it
            place = place_of(get_settings(), url)
            return await Backups(pool, place, clock.system).make("console", verify=verify)

    return tasks.run(work())


def _made_apart(url: str, verify: bool) -> dict[str, Any]:
    from app.core import clock
    from app.db import backup, backup_restore
    from app.services.backups import figures, place_of

    place = place_of(get_settings(), url)
    made = backup.create(
        url,
        place.folder,
        place.options.key,
        secret_id=place.secret_id,
        spare_bytes=place.options.spare_mb * 1024**2,
    )
    row = figures(made)
    if verify:
        spare = place.options.spare_mb * 1024**2
        proof = backup_restore.verify(url, made.path, place.options.key, spare_bytes=spare)
        row |= {"verified_at": clock.now(), "restore_seconds": proof.restore_seconds}
    return row


# --------------------------------------------------------------------------- files, keys


def located(which: str, options: BackupOptions) -> Path:
    """The file that is meant; a copy in a bucket is fetched. Raises BackupError."""
    from app.db import backup
    from app.db.backup_bucket import SCHEME, Bucket

    folder = options.place(settings.home)
    if which.startswith(SCHEME):
        return Bucket(options).get(which, folder)
    if which == "newest":
        names = sorted(folder.glob(f"tradewright-*{backup.SUFFIX}"))
        if not names:
            raise BackupError(
                f"There is no backup in {folder}.",
                remedy="Make one with `tradewright backup create`, or name a file.",
            )
        return names[-1]
    given = Path(which).expanduser()
    return given if given.exists() or "/" in which else folder / which


def key_of(key_file: Path | None, options: BackupOptions) -> SecretStr | None:
    """BACKUP_KEY, or what the named file holds. Raises BackupError."""
    if key_file is None:
        return options.key
    try:
        text = key_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BackupError(f"The key file {key_file} cannot be read: {reason}.") from None
    return SecretStr(text)


def _known() -> dict[str, dict[str, Any]]:
    """What the database notes of each file, where one answers; nothing is started for this."""
    from app.db.address import database_url

    async def work() -> dict[str, dict[str, Any]]:
        from app.db.session import opened_pool
        from app.repositories import backups

        async with opened_pool(database_url(), min_size=0, max_size=1) as pool:
            rows = await backups.listing(pool)(1000, None)
            return {row["path"]: row for row in rows.items}

    return _or_nothing(work)


def _halt(url: str, manifest: "Manifest") -> None:
    """Latch the restored database: its orders and positions are those of another day.

    It also still says that the backup which it is made of is being made. Raises BackupError when
    it has no latch that we know.
    """
    import asyncpg

    if manifest.revision is None:
        return
    reason = f"Restored from the backup of {manifest.made_at:%Y-%m-%d %H:%M} UTC"

    async def work() -> None:
        from app.db.session import opened_pool
        from app.repositories import backups, trading_state

        async with opened_pool(url, min_size=0, max_size=1) as pool:
            await backups.restored(pool)
            await trading_state.latch(pool, "all", "halted", reason, "backup restore")

    try:
        tasks.run(work())
    except asyncpg.PostgresError as error:
        raise BackupError(
            f"What was restored could not be halted, so it was taken back: {error}",
            remedy="Restore it with the version that made it, or say --no-halt.",
        ) from error


def _note_proof(url: str, path: Path, seconds: float) -> None:
    """Write the proof down, if this database made the backup."""
    place = str(path.absolute())

    async def work() -> dict[str, Any]:
        from app.core import clock
        from app.db.session import opened_pool
        from app.repositories import backups

        async with opened_pool(url, min_size=0, max_size=1) as pool:
            backup_id = await backups.by_path(pool, place)
            if backup_id is not None:
                await backups.proved(pool, backup_id, seconds, clock.now())
        return {}

    _or_nothing(work)


def _or_nothing(work: Any) -> dict[str, Any]:  # noqa: ANN401 - a coroutine function
    """What is asked of a database that may be away, or of another revision."""
    import asyncpg

    from app.core.errors import TradewrightError

    try:
        found: dict[str, Any] = tasks.run(work())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TradewrightError):
        return {}
    return found


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
