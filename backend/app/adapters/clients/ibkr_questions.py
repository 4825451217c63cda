"""What the Gateway is asked of an account: orders, fills, positions, money; whole or an error."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

from app.adapters.clients.ibkr import ANSWER_SECONDS, IbkrSession
from app.adapters.clients.ibkr_contracts import is_traded, our_symbol
from app.adapters.clients.ibkr_errors import NAME
from app.adapters.clients.ibkr_terms import exact
from app.core.errors import TransientError

CURRENCY: Final = "USD"
_MONEY: Final = frozenset({"CashBalance", "TotalCashValue", "BuyingPower", "SettledCash"})
Said = tuple[Any, ...]
"Arguments of one message."


class Questions:
    """One question at a time: their answers carry no number that would tell them apart."""

    def __init__(self, session: IbkrSession, *, seconds: float = ANSWER_SECONDS) -> None:
        self._session, self._seconds = session, seconds
        self._heard: defaultdict[str, list[Said]] | None = None

    def hear(self, name: str, said: Said) -> None:
        """Every message of orders comes by here; those that answer the question are kept."""
        if self._heard is not None:
            self._heard[name].append(said)

    async def open_orders(self) -> list[Said]:
        """Of the whole account, whoever made them: the arguments of `openOrder`."""
        return (await self._keyed("openOrders", lambda client: client.reqAllOpenOrders()))[
            "openOrder"
        ]

    async def completed_orders(self) -> list[Said]:
        """Of today: the arguments of `completedOrder`."""
        found = await self._keyed(
            "completedOrders", lambda client: client.reqCompletedOrders(False)
        )
        return found["completedOrder"]

    async def executions(self, account: str) -> list[str]:
        """Have today's fills told once more, each with its commission; IBKR's ids of them."""
        wanted = self._session.wire.module.ExecutionFilter(acctCode=account)
        found = await self._numbered(
            lambda client, number: client.reqExecutions(number, wanted), "about the day's fills"
        )
        return [str(said[2].execId) for said in found["execDetails"] if said[0] >= 0]

    async def positions(self, account: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Signed quantity and average cost of a share, by our symbol."""
        found = await self._keyed("positions", lambda client: client.reqPositions())
        with suppress(ConnectionError):
            self._session.ib.client.cancelPositions()
        held: dict[str, tuple[Decimal, Decimal]] = {}
        for owner, contract, quantity, cost in found["position"]:
            if owner == account and is_traded(contract):
                per_share = exact(cost) / (exact(float(contract.multiplier or 1)) or 1)
                held[our_symbol(contract)] = exact(quantity), per_share
        return {symbol: one for symbol, one in held.items() if one[0]}

    async def money(self, account: str) -> dict[str, Decimal]:
        """US dollars by IBKR's tag: CashBalance, TotalCashValue, BuyingPower, SettledCash."""
        tags = "TotalCashValue,BuyingPower,SettledCash,$LEDGER:USD"
        numbers: list[int] = []

        def send(client: Any, number: int) -> None:  # noqa: ANN401
            numbers.append(number)
            client.reqAccountSummary(number, "All", tags)

        found = await self._numbered(send, "about the account's money")
        with suppress(ConnectionError):
            self._session.ib.client.cancelAccountSummary(numbers[0])
        return {
            tag: Decimal(value)
            for _, owner, tag, value, currency in found["accountSummary"]
            if owner == account and currency == CURRENCY and tag in _MONEY
        }

    # ---------------------------------------------------------------------------- inside

    async def _keyed(self, key: str, send: Callable[[Any], None]) -> dict[str, list[Said]]:
        """A question whose answer has no number. Raises TransientError, FeedLost."""
        async with self._session.wire.asking:
            await self._session.connect()
            wire = self._session.wire
            self._heard = defaultdict(list)
            future = None
            try:
                _, future = wire.request(key=key)
                send(wire.ib.client)
                async with asyncio.timeout(self._seconds):
                    await future
            except TimeoutError:
                said = f"The Gateway did not answer about {key} within {self._seconds:g} s."
                raise TransientError(said, api_name=NAME) from None
            except ConnectionError:
                raise self._session.lost("The connection to the Gateway broke.") from None
            else:
                return self._heard
            finally:
                self._heard = None
                if future is not None:
                    future.cancel()

    async def _numbered(self, send: Callable[[Any, int], None], what: str) -> dict[str, list[Said]]:
        async with self._session.wire.asking:
            heard = self._heard = defaultdict(list)
            try:
                await self._session.ask(send, what, seconds=self._seconds)
            finally:
                self._heard = None
            return heard
