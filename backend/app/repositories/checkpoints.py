"""Checkpoints: where a restart of an account's engine begins."""

import zlib
from typing import Final

import msgspec

from app.repositories.paging import Db

KEPT: Final = 3


class Checkpoint(msgspec.Struct, frozen=True):
    """State after event `seq` of the account's stream, as its owner encoded it."""

    seq: int
    state: bytes


async def newest(db: Db, account_id: int) -> Checkpoint | None:
    """The newest checkpoint, None when the stream must be read from its beginning."""
    row = await db.fetchrow(
        "SELECT seq, state FROM engine_checkpoints WHERE account_id = $1 ORDER BY seq DESC LIMIT 1",
        account_id,
    )
    return Checkpoint(row["seq"], zlib.decompress(row["state"])) if row else None


async def before(db: Db, account_id: int, seq: int) -> Checkpoint | None:
    """The newest checkpoint that knows nothing after event `seq`."""
    row = await db.fetchrow(
        "SELECT seq, state FROM engine_checkpoints WHERE account_id = $1 AND seq <= $2"
        " ORDER BY seq DESC LIMIT 1",
        account_id,
        seq,
    )
    return Checkpoint(row["seq"], zlib.decompress(row["state"])) if row else None


async def save(db: Db, account_id: int, checkpoint: Checkpoint) -> None:
    """Keep it, and a few before it."""
    await db.execute(
        """
        WITH saved AS (
          INSERT INTO engine_checkpoints (account_id, seq, state) VALUES ($1, $2, $3)
          ON CONFLICT (account_id, seq) DO UPDATE SET state = excluded.state)
        DELETE FROM engine_checkpoints WHERE account_id = $1 AND seq < (
          SELECT min(seq) FROM (SELECT seq FROM engine_checkpoints WHERE account_id = $1
                                ORDER BY seq DESC LIMIT $4) AS kept)
        """,
        account_id,
        checkpoint.seq,
        zlib.compress(checkpoint.state, 1),
        KEPT - 1,
    )


async def drop(db: Db, account_id: int) -> None:
    """Forget them all: the next start reads the whole stream."""
    await db.execute("DELETE FROM engine_checkpoints WHERE account_id = $1", account_id)
