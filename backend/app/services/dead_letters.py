"""Dead letters: send again what a handler of the event bus gave up on; audited."""

from collections.abc import Mapping

import asyncpg

from app.core.clock import Clock
from app.core.errors import InvalidInput, NotFound
from app.repositories import audit, handler_deliveries
from app.repositories.audit import Act
from app.repositories.journal import SharedJournal


class DeadLetters:
    """The use case of dead letters."""

    def __init__(
        self, pool: asyncpg.Pool, journal: SharedJournal, audit_key: bytes, clock: Clock
    ) -> None:
        self._pool = pool
        self._journal = journal
        self._audit_key = audit_key
        self._clock = clock

    async def redrive(
        self,
        actor: str,
        user_id: int | None,
        handler: str | None = None,
        stream: str | None = None,
        seq: int | None = None,
    ) -> dict[str, int]:
        """Let them be tried again, as if for the first time; how many by handler.

        They come after what of their key was handled meanwhile. Raises InvalidInput for a seq
        without a stream, NotFound when none of those that were named is dead.
        """
        if seq is not None and stream is None:
            raise InvalidInput(
                "A seq counts within one stream.",
                field="stream",
                remedy="Name the stream, e.g. account:1.",
            )
        at = self._clock.now()
        async with self._pool.acquire() as db, db.transaction():
            counts = await handler_deliveries.redrive(db, self._journal, handler, stream, seq, at)
            if not counts and (handler or stream):
                raise NotFound(
                    "There is no such dead letter.",
                    remedy="See GET /api/dead-letters, or `tradewright dead-letters list`.",
                )
            if counts:
                about = {"handler": handler, "stream": stream, "seq": seq, "counts": counts}
                await audit.append(db, self._audit_key, _act(actor, user_id, about), at)
        return counts


def _act(actor: str, user_id: int | None, about: Mapping[str, object]) -> Act:
    return Act(actor=actor, user_id=user_id, action="redriven", resource="dead_letter", after=about)
