"""The hash chains of journal and audit trail: checked, and their heads noted outside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg

from app.core.clock import Clock
from app.core.errors import ChainBroken
from app.core.security import subkey
from app.db.anchors import Anchor, Anchors
from app.repositories import audit, journal
from app.repositories.audit import Act
from app.repositories.chain import GENESIS, broken

TRAIL: Final = "audit"
Head = tuple[int, bytes]
"(seq, hash) of a stream's last row."


class Chains:
    """All streams. `master` is the master key, under whose subkeys they are chained."""

    def __init__(self, pool: asyncpg.Pool, master: bytes, home: Path, clock: Clock) -> None:
        self._pool = pool
        self._audit_key = subkey(master, "audit")
        self._journal_key = subkey(master, "journal")
        self._anchors = Anchors(home, subkey(master, "anchors"))
        self._clock = clock

    async def verify(self, *, since_anchors: bool = False) -> dict[str, Any]:
        """Streams, rows looked at, ok, first_bad, every bad one, and what the anchors said.

        Every chain is recomputed from its first row, or only from behind its newest anchor.
        """
        return (await self._check(since_anchors))[0]

    async def anchor(self, *, since_anchors: bool = True) -> dict[str, Any]:
        """Verify, and note the heads of the chains that hold; the verdict."""
        verdict, heads, before = await self._check(since_anchors)
        now = self._clock.now()
        moved = [
            Anchor(at=now, stream=stream, seq=seq, hash=hashed.hex())
            for stream, (seq, hashed) in heads.items()
            if seq and (stream not in before or before[stream].seq < seq)
        ]
        if moved:
            self._anchors.add(moved)
        return {**verdict, "anchored": len(moved)}

    async def restart(self, actor: str, reason: str) -> Path | None:
        """Let the anchors begin anew, audited: after a restore the past ends earlier than noted."""
        now = self._clock.now()
        act = Act(actor=actor, action="anchors.restart", resource="audit", reason=reason)
        async with self._pool.acquire() as db, db.transaction():
            await audit.append(db, self._audit_key, act, now)
        return self._anchors.set_aside(now)

    async def _check(
        self, since_anchors: bool
    ) -> tuple[dict[str, Any], dict[str, Head], Mapping[str, Anchor]]:
        bad: list[dict[str, Any]] = []
        noted: Mapping[str, Anchor] = {}
        try:
            noted = self._anchors.newest()
        except ChainBroken as error:
            bad.append(_said(error))
        heads: dict[str, Head] = {}
        rows = 0
        names = sorted({*await journal.streams(self._pool), *noted})
        for stream in names:
            anchor = noted.get(stream)
            try:
                await self._meets(stream, anchor)
                start = (anchor.seq, bytes.fromhex(anchor.hash)) if anchor else (0, GENESIS)
                start = start if since_anchors else (0, GENESIS)
                heads[stream] = await self._follow(stream, start)
                rows += heads[stream][0] - start[0]
            except ChainBroken as error:
                bad.append(_said(error))
        newest = max((anchor.at for anchor in noted.values()), default=None)
        verdict = {
            "streams": len(names),
            "rows": rows,
            "ok": not bad,
            "first_bad": bad[0] if bad else None,
            "bad": bad,
            "anchors": len(noted),
            "anchored_at": newest,
        }
        return verdict, heads, noted

    async def _follow(self, stream: str, start: Head) -> Head:
        if stream == TRAIL:
            return await audit.follow(self._pool, self._audit_key, *start)
        return await journal.follow(self._pool, stream, self._journal_key, *start)

    async def _meets(self, stream: str, anchor: Anchor | None) -> None:
        """Raises ChainBroken where the stream does not have the row that was noted."""
        if anchor is None:
            return
        if stream == TRAIL:
            found = await audit.hash_at(self._pool, anchor.seq)
        else:
            found = await journal.hash_at(self._pool, stream, anchor.seq)
        if found is None:
            what = f"is missing, and was there at {anchor.at:%Y-%m-%d %H:%M} UTC"
            raise broken(stream, anchor.seq, what)
        if found.hex() != anchor.hash:
            what = f"is another than it was at {anchor.at:%Y-%m-%d %H:%M} UTC"
            raise broken(stream, anchor.seq, what)


def _said(error: ChainBroken) -> dict[str, Any]:
    return {
        "stream": error.context.get("stream", TRAIL),
        "seq": error.context["seq"],
        "detail": error.message,
    }
