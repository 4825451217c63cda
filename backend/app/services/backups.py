"""Backups as a whole: make one, prove it, copy it, forget old ones, and write down what became."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec

from app.core.backup import BackupOptions
from app.core.clock import Clock
from app.core.config import Settings
from app.core.errors import BackupError, TradewrightError, Unavailable
from app.core.logging import get_logger
from app.core.redaction import redact_text
from app.core.security import master_key
from app.db import backup, backup_restore
from app.db.backup import Made, Manifest
from app.db.backup_bucket import SCHEME, Bucket
from app.db.backup_database import NotTried
from app.db.backup_retention import outdated
from app.repositories import backups
from app.repositories.paging import Row

_MIB: Final = 1024**2
_NOT_TRIED: Final = (NotTried, Unavailable)
"What keeps a proof from being tried, or from its end."
log = get_logger("jobs")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Which database is saved, and where to."""

    url: str
    folder: Path
    options: BackupOptions
    secret_id: str = ""


Say = Callable[[float, str], None]
"""What share of the whole is done, and what it is at."""


def _quiet(_share: float, _note: str) -> None:
    """Nobody wants to know."""


class Backups:
    """The use cases. Work of minutes runs in threads, so that the event loop stays free.

    `say` is told how far a backup, or the proof of one, is.
    """

    def __init__(self, pool: asyncpg.Pool, place: Place, clock: Clock, say: Say = _quiet) -> None:
        self._pool = pool
        self._place = place
        self._clock = clock
        self._say = say

    async def make(self, requested_by: str | None, *, verify: bool = True) -> Row:
        """Save, copy, prove, forget old ones; the row. Raises what went wrong, which is noted too.

        A backup that does not hold or cannot be copied is kept, and counts as failed. One that was
        cancelled was interrupted: that is nobody's fault and no reason to wake anybody.
        """
        folder = self._place.folder
        backup_id = await backups.begin(self._pool, folder, requested_by, self._clock.now())
        self._say(0.0, "The database is being saved.")
        try:
            made = await asyncio.to_thread(self._create)
            at = self._clock.now()
            await backups.finish(self._pool, backup_id, figures(made), details(made.manifest), at)
        except asyncio.CancelledError:
            await backups.interrupted(self._pool, backup_id, self._clock.now())
            log.warning("backup_interrupted", id=backup_id)
            raise
        except BaseException as error:
            await self._fail(backup_id, error)
            raise
        log.info("backup_made", id=backup_id, path=str(made.path), bytes=made.size)
        try:
            await self._copy_and_prove(backup_id, made.path, verify=verify)
        finally:
            await self._tidy()  # else files pile up for as long as proofs or copies fail
        return await backups.get(self._pool, backup_id)

    async def _tidy(self) -> None:
        """Forget old ones. What keeps us from it must not hide what became of the new one."""
        try:
            await self.prune()
        except TradewrightError as error:
            log.error("backups_not_forgotten", error=redact_text(str(error)))

    async def _copy_and_prove(self, backup_id: int, path: Path, *, verify: bool) -> None:
        """Both, though one fails. Raises what went wrong first."""
        wrong: list[TradewrightError] = []
        if verify:
            try:
                await self.verify(backup_id)
            except TradewrightError as error:
                wrong.append(error)
        if self._place.options.s3_bucket:
            self._say(0.8, "The backup is being copied to S3.")
            try:
                await self._copy(backup_id, path)
            except TradewrightError as error:
                wrong.append(error)
                about = [one for one in wrong if not isinstance(one, _NOT_TRIED)]
                await self._fail(backup_id, (about or wrong)[0])
        if wrong:
            raise wrong[0]

    async def verify(self, backup_id: int) -> Row:
        """Prove one by a restore. Raises NotFound, BackupError and Unavailable.

        A proof that could not be tried says nothing about the backup, which stays what it was.
        """
        row = await backups.get(self._pool, backup_id)
        if row["status"] not in ("finished", "failed") or row["sha256"] is None:
            raise BackupError(
                f"Backup {backup_id} is {row['status']}: there is no file to prove.",
                remedy="`tradewright backup list` shows which there are.",
            )
        mib = (row["size_bytes"] or 0) / _MIB
        self._say(0.4, f"The backup of {mib:,.1f} MiB is being proved by a restore.")
        try:
            proof = await asyncio.to_thread(
                backup_restore.verify,
                self._place.url,
                Path(row["path"]),
                self._place.options.key,
                spare_bytes=self._place.options.spare_mb * _MIB,
                accept_unsealed=not row["is_encrypted"],  # we know that it was made so
            )
        except _NOT_TRIED as error:
            log.warning("backup_proof_not_tried", id=backup_id, error=redact_text(str(error)))
            raise
        except TradewrightError as error:
            said = redact_text(str(error))
            await backups.not_proved(self._pool, backup_id, said, self._clock.now())
            log.error("backup_not_proved", id=backup_id, error=said)
            raise
        await backups.proved(self._pool, backup_id, proof.restore_seconds, self._clock.now())
        log.info("backup_proved", id=backup_id, seconds=proof.seconds)
        return await backups.get(self._pool, backup_id)

    async def prune(self) -> list[str]:
        """Forget what is neither among the newest days nor weeks; the names, here and there.

        The backup that was proved last stays, however old it is.
        """
        proof = await backups.last_proof(self._pool)
        safe = {Path(proof["path"]).name} if proof else set()
        gone = await asyncio.to_thread(self._prune, safe)
        await backups.deleted(self._pool, [str(self._place.folder / name) for name in gone])
        if self._place.options.s3_bucket:
            gone += await asyncio.to_thread(self._prune_copies, safe)
        return gone

    def _create(self) -> Made:
        options = self._place.options
        return backup.create(
            self._place.url,
            self._place.folder,
            options.key,
            secret_id=self._place.secret_id,
            spare_bytes=options.spare_mb * _MIB,
            now=self._clock.now,
        )

    async def _copy(self, backup_id: int, path: Path) -> None:
        address = await asyncio.to_thread(self._put, path)
        await backups.copied(self._pool, backup_id, address, self._clock.now())
        log.info("backup_copied", id=backup_id, to=address)

    def _put(self, path: Path) -> str:
        return Bucket(self._place.options).put(path)

    def _prune(self, safe: set[str]) -> list[str]:
        folder = self._place.folder
        old = self._old([path.name for path in folder.glob(f"*{backup.SUFFIX}")], safe)
        for name in old:
            (folder / name).unlink(missing_ok=True)
        return old

    def _prune_copies(self, safe: set[str]) -> list[str]:
        bucket = Bucket(self._place.options)
        old = self._old(bucket.names(), safe)
        for name in old:
            bucket.delete(name)
        return [f"{SCHEME}{bucket.name}/{bucket.prefix}{name}" for name in old]

    def _old(self, names: list[str], safe: set[str]) -> list[str]:
        options = self._place.options
        found = outdated(names, daily=options.keep_daily, weekly=options.keep_weekly)
        return [name for name in found if name not in safe]

    async def _fail(self, backup_id: int, error: BaseException) -> None:
        said = str(error)
        if not isinstance(error, TradewrightError):
            said = f"It was broken off: {type(error).__name__}."
        log.error("backup_failed", id=backup_id, error=redact_text(said))
        await backups.fail(self._pool, backup_id, redact_text(said), self._clock.now())


def place_of(settings: Settings, url: str) -> Place:
    """The place that the settings name, for the database at `url`."""
    options = BackupOptions()
    master = master_key(settings.home, settings.app.secret_key)
    return Place(
        url=url,
        folder=options.place(settings.home),
        options=options,
        secret_id=backup.secret_id(master),
    )


def details(manifest: Manifest) -> dict[str, Any]:
    """What a list shows of a manifest: no columns, no hashes of single tables."""
    return {
        "program": manifest.program,
        "postgres": manifest.postgres,
        "timescaledb": manifest.timescaledb,
        "database": manifest.database,
        "seconds": manifest.seconds,
        "archive_bytes": manifest.archive_bytes,
        "tables": {name: table.rows for name, table in manifest.state.tables.items()},
        "heads": {head.stream: head.seq for head in manifest.heads},
    }


def figures(made: Made) -> dict[str, Any]:
    """What a row keeps of a new backup."""
    return {
        "path": str(made.path),
        "size_bytes": made.size,
        "sha256": made.sha256.hex(),
        "is_encrypted": made.is_encrypted,
        "revision": made.manifest.revision,
        "state_hash": made.manifest.state_hash,
        "rows": made.manifest.state.rows,
    }
