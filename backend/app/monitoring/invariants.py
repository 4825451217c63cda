"""The invariants of one account as production asks for them: every minute, from what is stored."""

from collections.abc import Sequence

import asyncpg

from app.engine import invariants
from app.engine.witness import Violation, Witness
from app.repositories import chain
from app.repositories import invariants as stored
from app.repositories.chain import Record
from app.repositories.invariants import Snapshot


class AccountWatch:
    """Follows one account's stream by a witness, and compares the tables with it."""

    def __init__(self, pool: asyncpg.Pool, account_id: int, key: bytes) -> None:
        self._pool, self._account_id, self._key = pool, account_id, key
        self.witness: Witness | None = None
        self._hash = b""

    async def look(self) -> list[Violation]:
        """What does not hold now. The first look reads the whole stream, later ones what is new."""
        witness = self.witness
        seen = await stored.snapshot(
            self._pool, self._account_id, None if witness is None else witness.seq
        )
        if witness is None:
            found: list[Violation] = []
            # Known only when it is whole: a look that fails half-way begins anew.
            witness = Witness(seen.starting_cash, {})
        else:
            found = self._chain(seen.records, witness.seq)
        found += _numbers(seen, witness.seq)
        for seq, event in seen.events:
            witness.skip(seq - 1)
            witness.learn(seq, event)
        witness.skip(seen.seq)
        found += witness.found
        witness.found.clear()
        self.witness, self._hash = witness, seen.hash
        return found + invariants.tables_hold(seen.tables, witness)

    def _chain(self, records: Sequence[Record], after: int) -> list[Violation]:
        """I11 of what is new; the past is `audit verify`'s."""
        return invariants.chain_holds(lambda: chain.check(self._key, records, after, self._hash))


def _numbers(seen: Snapshot, known: int) -> list[Violation]:
    """I10: as many events as numbers."""
    if seen.counted == seen.seq - known:
        return []
    missing = f"{seen.counted} events are stored for numbers {known + 1} to {seen.seq}"
    return [Violation("I10", missing)]
