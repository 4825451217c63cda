"""Leases: which process owns an account, until when, and with which fencing epoch."""

from app.repositories.paging import Db


async def is_held(db: Db, account_id: int) -> bool:
    """Whether an engine holds the account now: its heartbeat is not overdue."""
    return bool(
        await db.fetchval(
            "SELECT EXISTS (SELECT FROM leases WHERE resource = 'account:' || $1"
            " AND holder IS NOT NULL AND expires_at > clock_timestamp())",
            str(account_id),
        )
    )


async def held(db: Db) -> list[int]:
    """Accounts that an engine holds now."""
    found = await db.fetch(
        "SELECT split_part(resource, ':', 2)::bigint AS id FROM leases"
        " WHERE resource LIKE 'account:%' AND holder IS NOT NULL"
        " AND expires_at > clock_timestamp() ORDER BY 1"
    )
    return [row["id"] for row in found]
