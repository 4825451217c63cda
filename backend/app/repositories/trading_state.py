"""The latch: what may be sent, for all accounts and for each; who decided it, who confirmed it."""

from collections.abc import Sequence

from app.repositories.paging import Db, Row


async def latch(db: Db, scope: str, state: str, reason: str, actor: str) -> int:
    """Set the state of a scope, now, whatever it was; returns its new epoch. Notifies the gates."""
    return int(
        await db.fetchval(
            """
            WITH latched AS (
              INSERT INTO trading_state (scope, state, epoch, reason, actor, latched_at)
              VALUES ($1, $2, 1, $3, $4, clock_timestamp())
              ON CONFLICT (scope) DO UPDATE SET state = excluded.state,
                epoch = trading_state.epoch + 1, reason = excluded.reason,
                actor = excluded.actor, latched_at = excluded.latched_at
              RETURNING epoch)
            SELECT epoch FROM latched, pg_notify('trading_state', $1)
            """,
            scope,
            state,
            reason,
            actor,
        )
    )


async def states(db: Db) -> list[Row]:
    """Every scope, `all` first."""
    found = await db.fetch(
        "SELECT scope, state, epoch, heard_epoch, confirmed_epoch, reason, actor, latched_at"
        " FROM trading_state ORDER BY scope <> 'all', length(scope), scope"
    )
    return [dict(row) for row in found]


async def hear(db: Db, account_id: int, epoch: int) -> None:
    """The account's wire gate obeys this epoch, and something may still be on its way."""
    await db.execute(
        "UPDATE trading_state SET heard_epoch = greatest(heard_epoch, $2)"
        " WHERE scope = 'account:' || $1",
        str(account_id),
        epoch,
    )


async def confirm(db: Db, account_id: int, epoch: int) -> None:
    """The account's wire gate obeys this epoch of its row, and the row `all` read with it.

    Nothing that passed the gate before is on its way any more.
    """
    await db.execute(
        """
        WITH confirmed AS (
          UPDATE trading_state SET confirmed_epoch = greatest(confirmed_epoch, $2),
            heard_epoch = greatest(heard_epoch, $2)
          WHERE scope = 'account:' || $1 RETURNING 1)
        SELECT pg_notify('trading_state', 'account:' || $1) FROM confirmed
        """,
        str(account_id),
        epoch,
    )


async def unconfirmed(db: Db, account_ids: Sequence[int]) -> list[int]:
    """Those of these accounts whose gate has not yet confirmed its newest epoch."""
    found = await db.fetch(
        "SELECT split_part(scope, ':', 2)::bigint AS id FROM trading_state"
        " WHERE scope = ANY($1) AND confirmed_epoch < epoch ORDER BY 1",
        [f"account:{account_id}" for account_id in account_ids],
    )
    return [row["id"] for row in found]


async def unheard(db: Db, seconds: float) -> list[int]:
    """Accounts halted longer ago than this whose engine, for it has one, does not obey."""
    found = await db.fetch(
        """
        SELECT split_part(scope, ':', 2)::bigint AS id
        FROM trading_state JOIN leases ON leases.resource = trading_state.scope
        WHERE trading_state.state = 'halted' AND heard_epoch < trading_state.epoch
          AND latched_at < clock_timestamp() - make_interval(secs => $1)
          AND leases.holder IS NOT NULL
        ORDER BY 1
        """,
        seconds,
    )
    return [row["id"] for row in found]
