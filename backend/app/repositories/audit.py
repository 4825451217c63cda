"""What people did: append-only and hash-chained like the journal."""

import hmac
from datetime import datetime
from typing import Any, Final

import msgspec

from app.core.errors import ChainBroken
from app.domain.users import Caller
from app.repositories.paging import Db, Fetch, Listing, Where, lister

_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_HEAD: Final = "SELECT seq, hash FROM journal_streams WHERE stream = 'audit' FOR UPDATE"
_PAGE: Final = 2_000
_END: Final = """
SELECT seq, hash, EXISTS (SELECT FROM audit_trail a WHERE a.seq > s.seq) AS beyond
FROM journal_streams s WHERE stream = 'audit'
"""
_READ: Final = """
SELECT seq, payload::text AS payload, hash FROM audit_trail WHERE seq > $1 AND seq <= $2
ORDER BY seq
"""
_ODD_COLUMNS: Final = """
SELECT a.seq FROM audit_trail a, json_to_record(a.payload) AS n (
  at timestamptz, actor text, user_id bigint, action text, resource text, resource_id text,
  address inet, correlation_id text, seq bigint
)
WHERE a.seq > $1 AND a.seq <= $2 AND (
  n.at, n.actor, n.user_id, n.action, n.resource, n.resource_id, n.address, n.correlation_id, n.seq
) IS DISTINCT FROM (
  a.at, a.actor, a.user_id, a.action, a.resource, a.resource_id, a.address, a.correlation_id, a.seq
)
ORDER BY a.seq LIMIT 1
"""
"Payloads are hashed; the columns are copies of them, to search by."
_LISTING: Final = Listing(
    select="""a.seq, a.at, a.actor, a.user_id, a.action, a.resource, a.resource_id,
       host(a.address) AS address, a.correlation_id, a.payload -> 'before' AS before,
       a.payload -> 'after' AS after, a.payload ->> 'reason' AS reason""",
    source="audit_trail a",
    keys=(("a.seq", "bigint"),),
    documents=("before", "after"),
)
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


def setting_changed(
    caller: Caller, key: str, before: object, after: object, reason: str | None
) -> Act:
    """Somebody changed a setting, whoever keeps it."""
    return Act(
        actor=caller.actor,
        user_id=caller.user_id,
        action="changed",
        resource="config",
        resource_id=key,
        before=before,
        after=after,
        reason=reason,
    )


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
    return (await follow(db, key))[0]


async def follow(db: Db, key: bytes, seq: int = 0, last: bytes = _GENESIS) -> tuple[int, bytes]:
    """Recompute the chain from behind row `seq`, whose hash is `last`; returns the head's.

    Also the columns that people search by must say what was hashed. Raises ChainBroken.
    """
    first, head = seq, await db.fetchrow(_END)
    if head is None or head["seq"] < seq:
        raise _broken(1 if head is None else head["seq"] + 1)
    while seq < head["seq"]:
        rows = await db.fetch(_READ, seq, min(seq + _PAGE, head["seq"]))
        for row in rows:
            if row["seq"] != seq + 1 or _link(key, last, row["payload"]) != bytes(row["hash"]):
                raise _broken(seq + 1)
            seq, last = row["seq"], bytes(row["hash"])
        if not rows:
            raise _broken(seq + 1)
    end = await db.fetchrow(_END)
    if last != bytes(head["hash"]) or end is None or end["beyond"]:
        raise _broken(seq + 1)
    if (odd := await db.fetchval(_ODD_COLUMNS, first, seq)) is not None:
        raise _broken(odd)
    return seq, last


async def hash_at(db: Db, seq: int) -> bytes | None:
    """The stored hash of a row; None when it is not there."""
    found = await db.fetchval("SELECT hash FROM audit_trail WHERE seq = $1", seq)
    return None if found is None else bytes(found)


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What the list is narrowed to; None or empty means any."""

    actor: str | None = None
    action: str | None = None
    resource: str | None = None
    resource_id: str | None = None
    correlation_id: str | None = None
    start: datetime | None = None
    end: datetime | None = None


def listing(db: Db, wanted: AuditFilter) -> Fetch:
    """Acts, newest first."""
    where = Where().period("a.at", wanted.start, wanted.end)
    for column in ("actor", "action", "resource", "resource_id", "correlation_id"):
        where.add(f"a.{column} = {{}}", getattr(wanted, column))
    return lister(db, _LISTING, where)


def _link(key: bytes, previous: bytes, payload: str) -> bytes:
    return hmac.digest(key, previous + b"\n" + payload.encode(), "sha256")


def _broken(seq: int) -> ChainBroken:
    return ChainBroken(
        f"The audit trail's row {seq} is missing or does not match its hash.",
        remedy="It was edited, truncated or restored under another key: compare with a backup.",
        stream="audit",
        seq=seq,
    )
