"""What people did: append-only and hash-chained like the journal."""

import hmac
from datetime import datetime
from typing import Any, Final

import msgspec

from app.core.errors import ChainBroken
from app.repositories.paging import Db

_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_HEAD: Final = "SELECT seq, hash FROM journal_streams WHERE stream = 'audit' FOR UPDATE"
_PAGE: Final = 1000
_GENESIS: Final = bytes(32)
"The hash that a head starts with."


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to which thing. `before` and `after` never hold a secret."""

    actor: str
    action: str
    resource: str
    user_id: int | None = None
    resource_id: str | None = None
    address: str | None = None
    correlation_id: str | None = None
    before: Any = None
    after: Any = None
    reason: str | None = None


async def append(db: Db, key: bytes, act: Act, at: datetime) -> int:
    """Record an act within the caller's transaction, so that it stands or falls with its effect."""
    head = await db.fetchrow(_HEAD)
    if head is None:
        raise ChainBroken("The audit trail has no head.", remedy="Restore it from a backup.")
    seq = int(head["seq"]) + 1
    payload = _encode({"seq": seq, "at": at, **msgspec.structs.asdict(act)}).decode()
    hashed = _link(key, bytes(head["hash"]), payload)
    await db.execute(
        """
        WITH moved AS (UPDATE journal_streams SET seq = $1, hash = $9 WHERE stream = 'audit')
        INSERT INTO audit_trail (seq, at, actor, user_id, action, resource, resource_id, address,
                                 hash, correlation_id, payload)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::json)
        """,
        seq,
        at,
        act.actor,
        act.user_id,
        act.action,
        act.resource,
        act.resource_id,
        act.address,
        hashed,
        act.correlation_id,
        payload,
    )
    return seq


async def verify(db: Db, key: bytes) -> int:
    """Recompute the chain; returns the number of rows.

    Raises ChainBroken whose context names the first bad seq: edited, deleted, reordered, truncated.
    """
    head = await db.fetchrow("SELECT seq, hash FROM journal_streams WHERE stream = 'audit'")
    seq, last = 0, _GENESIS
    while rows := await db.fetch(
        "SELECT seq, payload::text AS payload, hash FROM audit_trail WHERE seq > $1"
        " ORDER BY seq LIMIT $2",
        seq,
        _PAGE,
    ):
        for row in rows:
            if row["seq"] != seq + 1 or _link(key, last, row["payload"]) != bytes(row["hash"]):
                raise _broken(seq + 1)
            seq, last = row["seq"], bytes(row["hash"])
    if head is None or (head["seq"], bytes(head["hash"])) != (seq, last):
        raise _broken(seq + 1)
    return seq


def _link(key: bytes, previous: bytes, payload: str) -> bytes:
    return hmac.digest(key, previous + b"\n" + payload.encode(), "sha256")


def _broken(seq: int) -> ChainBroken:
    return ChainBroken(
        f"The audit trail's row {seq} is missing or does not match its hash.",
        remedy="It was edited, truncated or restored under another key: compare with a backup.",
        seq=seq,
    )
