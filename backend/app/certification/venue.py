"""A broker under test: connected, what it told, and what can be done to the market behind it."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from inspect import isawaitable
from typing import Any, Final

from app.core.clock import now as system_now
from app.core.clock import system
from app.core.tasks import end
from app.domain.ports import Broker, BrokerLink

LOOK_SECONDS: Final = 0.005
"Between two looks whether something has come about."


class Act(StrEnum):
    """What a venue may be able to do; a case that needs one that it lacks is not tried there."""

    PRINT = "make a trade of the market (symbol, price, size)"
    END_SESSION = "end the session"
    BY_HAND = "place an order on the broker's own screen (side, quantity, limit)"
    CANCEL_BY_HAND = "cancel an order on the broker's own screen (identity)"
    BUST = "take the newest fill back"
    CORRECT = "correct the newest fill (price)"
    REJECT = "refuse the next order"
    REJECT_LATER = "refuse an order that was accepted (identity)"
    REJECT_CHANGE = "refuse the next change of an order"
    LOSE_SUBMIT = "lose the next order on its way"
    LOSE_SUBMIT_ANSWER = "take the next order, and lose the answer"
    LOSE_CANCEL_ANSWER = "carry the next cancel out, and lose the answer"
    LOSE_REPLACE_ANSWER = "carry the next change out, and lose the answer"
    DUPLICATE = "tell all news twice"
    REORDER = "swap every two news"
    DROP = "cut the connection"
    AWAY = "take the broker away"
    BACK = "bring it back"
    FORGET_IDS = "restart it, and count its ids from the beginning"
    MUTE = "keep the connection and say nothing (on)"
    THROTTLE = "refuse the next order for there were too many"
    FAIL = "fail on the next order, which is not taken"
    FAIL_TAKEN = "fail on the next order, which is taken"
    EXPIRE_KEY = "expire the key"
    NO_SHORTS = "forbid short sales"
    SECOND = "join a second account of the same login"


class NotTried(Exception):
    """A case cannot be tried here; the sentence says why."""


class Venue:
    """Joins with a fresh adapter as often as asked; nothing of one life is in the next.

    `acts` do things to the broker's side. With none of them, as at a vendor, cases that need one
    say that they were not tried.
    """

    def __init__(
        self,
        make: Callable[[], Broker],
        acts: Mapping[Act, Callable[..., Any]] | None = None,
        *,
        account_id: int = 1,
        symbol: str = "AAPL",
        other_symbol: str = "BRK.B",
        run: str = "c",
        now: Callable[[], datetime] = system_now,
        seconds: float = 5.0,
    ) -> None:
        """`run` is part of every order's id; `seconds` is how long the broker's word is awaited."""
        self.make, self.acts = make, dict(acts or {})
        self.account_id, self.symbol, self.other_symbol = account_id, symbol, other_symbol
        self.run, self.now, self.seconds = run, now, seconds
        self.broker = make()
        self.heard: list[Any] = []
        "What `reports` told and requests returned, in order."
        self._listening: asyncio.Task[None] | None = None

    @property
    def links(self) -> list[BrokerLink]:
        return [one for one in self.heard if isinstance(one, BrokerLink)]

    @property
    def is_up(self) -> bool:
        links = self.links
        return self.broker.is_simulated or bool(links and links[-1].is_up)

    async def join(self) -> None:
        """Until orders can be sent. Raises TimeoutError with what the link said."""
        self._listening = asyncio.create_task(self._listen())
        try:
            await self.until(lambda: self.is_up, "the link is up")
        except TimeoutError as error:
            said = self.links[-1].reason if self.links else "nothing"
            await self.leave()
            raise TimeoutError(f"{error} It said: {said}") from None

    async def leave(self) -> None:
        """Close the connection; orders stay."""
        await end([self._listening])
        await self.broker.close()

    async def rejoin(self) -> None:
        """As another process would: a new adapter that knows nothing."""
        await self.leave()
        self.heard.clear()
        self.broker = self.make()
        await self.join()

    async def act(self, act: Act, **given: Any) -> Any:  # noqa: ANN401 - each has its own result
        """Raises NotTried where this cannot be done here."""
        if act not in self.acts:
            raise NotTried(f"nobody here can {act.value.split(' (')[0]}")
        found = self.acts[act](**given)
        return await found if isawaitable(found) else found

    async def until(self, true: Callable[[], object], what: str) -> None:
        """Raises TimeoutError that names what did not come about."""
        ends = system.monotonic() + self.seconds
        while not true():
            if system.monotonic() > ends:
                raise TimeoutError(f"After {self.seconds:g} s it is not so that {what}.")
            await asyncio.sleep(LOOK_SECONDS)

    async def _listen(self) -> None:
        async for news in self.broker.reports():
            self.heard.append(news)
