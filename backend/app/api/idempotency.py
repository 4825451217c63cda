"""Idempotency-Key on POSTs that create: same key and body, same answer, one effect."""

import hmac
from datetime import timedelta
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Header, Request
from starlette.responses import Response

from app.core.clock import Clock
from app.core.errors import Conflict, InvalidInput
from app.domain.users import Caller
from app.repositories import idempotency
from app.repositories.paging import Db

LIFETIME: Final = timedelta(hours=24)
_INTERRUPTED: Final = timedelta(seconds=5)
"After this an answer that is still missing will not come from the request that began it."


class Repeated(Exception):
    """Not an error: the answer was given before and is given again."""

    def __init__(self, status_code: int, body: str) -> None:
        self.status_code = status_code
        self.body = body


class Claimed:
    """One request's key (or none): claimed with the effect, then answered."""

    def __init__(
        self, db: Db, clock: Clock, user_id: int, route: str, key: str | None, hashed: bytes
    ) -> None:
        self._db = db
        self._clock = clock
        self._place = (user_id, route, key or "")
        self._given = key is not None
        self._hash = hashed
        self.command_id: int | None = None

    async def look_up(self) -> None:
        """Raises Repeated (answered), InvalidInput (another body) or Conflict (in flight)."""
        if not self._given:
            return
        now = self._clock.now()
        found = await idempotency.find(self._db, *self._place, now)
        if found is None:
            return
        if bytes(found["request_hash"]) != self._hash:
            raise InvalidInput(
                "This idempotency key was used with another body.",
                field="Idempotency-Key",
                remedy="Take a new key for a new request.",
            )
        if found["status_code"] is not None:
            raise Repeated(found["status_code"], found["response"])
        left = orjson.loads(found["response"] or "{}").get("command_id")
        if left is None or now - found["created_at"] < _INTERRUPTED:
            raise _in_flight()
        self.command_id = left

    async def claim(self, db: Any) -> None:  # noqa: ANN401 - a connection in a transaction
        """Take the key in the transaction of the effect. Raises Conflict when another has it."""
        if not self._given:
            return
        now = self._clock.now()
        if not await idempotency.claim(db, *self._place, self._hash, now, now + LIFETIME):
            raise _in_flight()

    async def bind(self, db: Any, command_id: int) -> None:  # noqa: ANN401 - as above
        """Remember which command is the effect, should this process die before it answers."""
        if self._given:
            await idempotency.note(db, *self._place, {"command_id": command_id})

    async def answer(self, status_code: int, body: object) -> None:
        """Keep the answer for repeats."""
        if self._given:
            await idempotency.answer(self._db, *self._place, status_code, body)


def _in_flight() -> Conflict:
    return Conflict(
        "A request with this idempotency key is still being answered.",
        remedy="Wait for it, then send this again for the same answer.",
    )


async def get_once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=200,
            description="Any text of yours: a repeat within 24 h gets the same answer.",
            examples=["b7c1f0de-order-1"],
        ),
    ] = None,
) -> Claimed:
    """The request's key; a repeated request ends here with the stored answer."""
    caller: Caller = request.state.caller
    parts = request.app.state.parts
    route = f"{request.method} {request.url.path}"
    # Keyed, since a body may hold a password, which a plain hash would let somebody try out.
    hashed = hmac.digest(parts.request_key, await request.body(), "sha256")
    once = Claimed(parts.pool, parts.clock, caller.user_id, route, idempotency_key, hashed)
    await once.look_up()
    return once


async def on_repeated(_request: Request, answer: Exception) -> Response:
    """The stored answer, as it was, marked as a repeat."""
    assert isinstance(answer, Repeated)
    return Response(
        answer.body,
        answer.status_code,
        media_type="application/json",
        headers={"Idempotency-Replayed": "true"},
    )


Once = Annotated[Claimed, Depends(get_once)]
