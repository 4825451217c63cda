"""Alpaca: orders over our own HTTP session, news over its stream of trade updates."""

import asyncio
import random
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec

from app.adapters.clients.alpaca import AlpacaOptions, AlpacaSession
from app.adapters.clients.alpaca_chains import Chains
from app.adapters.clients.alpaca_fills import Fills
from app.adapters.clients.alpaca_orders import (
    NAME,
    ZERO,
    AccountRow,
    OrderRow,
    body,
    broker_order,
    changes,
    objection,
    side_of,
)
from app.adapters.clients.alpaca_reads import BookReader, Reads
from app.adapters.clients.alpaca_reports import Translator
from app.adapters.clients.alpaca_updates import PING_SECONDS, updates
from app.adapters.clients.http import NotSent, Reply
from app.core.clock import Clock, system
from app.core.errors import (
    APIError,
    BrokerRejected,
    BrokerUnavailable,
    ConfigurationError,
    FeedRefused,
    NotFound,
    TradewrightError,
    TransientError,
)
from app.core.retry import RetryConfig
from app.domain.deployments import AccountMode
from app.domain.events import (
    BrokerReport,
    FundsSeen,
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
)
from app.domain.orders import BrokerOrder, Order
from app.domain.ports import BrokerAbilities, BrokerBook, BrokerLink, BrokerSetup

LIVE_HOST: Final = "api.alpaca.markets"
PAPER_HOST: Final = "paper-api.alpaca.markets"
READ_SECONDS: Final = 10.0
RETRY: Final = RetryConfig(attempts=3, timeout_seconds=10.0, longest_wait_seconds=2.0)
"Of questions. Nothing that makes or changes an order is ever sent twice."
LONGEST_PAUSE_SECONDS: Final = 30.0
"Between attempts to connect the stream, once several failed."
FIRST_PAUSE_SECONDS: Final = 0.5
_BEING_REPLACED: Final = "pending_replace"
"Alpaca refuses to cancel or to change an order until the exchange has answered."
_ID_TAKEN: Final = "client_order_id must be unique"


class Settings(msgspec.Struct, frozen=True):
    """An account's own settings of this broker."""

    extended_hours: bool = False
    "Whether day limit orders may also fill before the open and after the close."


class Adapter:
    """One account at Alpaca. See docs/brokers/alpaca.md for what it can and cannot do.

    Orders of one group are not linked: Alpaca wants both legs in one request, and refuses the
    second of two closing orders that come one after the other.
    """

    name = NAME
    is_simulated = False

    def __init__(
        self,
        setup: BrokerSetup,
        options: AlpacaOptions | None = None,
        *,
        clock: Clock = system,
        retry: RetryConfig = RETRY,
        read_seconds: float = READ_SECONDS,
        ping_seconds: float = PING_SECONDS,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        """Raises ConfigurationError for missing keys, and for a mode that is not the address's."""
        options = options or AlpacaOptions()
        options.require("api_key", "secret_key")
        _check_mode(setup.mode, options.base_url)
        self.abilities = BrokerAbilities(is_fractional=True, takes_both_sides=False)
        self._settings = msgspec.convert(setup.settings, Settings, strict=False)
        self._clock = clock
        self._ping_seconds = ping_seconds
        self._pause = first_pause_seconds
        self._random = random.SystemRandom()
        self._is_up = False
        self._session = AlpacaSession(options, retry=retry, read_seconds=read_seconds)
        self._reads = Reads(self._session)
        self._chains = Chains(self._reads.order, setup.account_id)
        fills = Fills(self._reads.fills)
        self._books = BookReader(self._reads, self._chains, fills.learn)
        self._translator = Translator(self._chains, fills)

    async def close(self) -> None:
        self._is_up = False
        await self._session.close()

    def observe(self, seen: object) -> Iterable[BrokerReport]:
        return ()

    # -------------------------------------------------------------------------------- orders

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        if (said := objection(order)) is not None:
            raise BrokerRejected(f"Alpaca does not take this order: {said}.", api_name=NAME)
        asked = body(order, extended_hours=self._settings.extended_hours)
        self._require_link()
        try:
            row = _row(await self._send("POST", "/v2/orders", asked))
        except BrokerRejected as error:
            if _ID_TAKEN not in error.message:
                raise
            row = await self._taken(order)
        self._chains.learn((row,))
        return _answered(order.client_order_id, row, at)

    async def _taken(self, order: Order) -> OrderRow:
        """The order that has this id already: sent before, and its answer was lost."""
        row = await self._reads.by_client_id(order.client_order_id)
        same = (row.symbol, side_of(row.side)) == (order.symbol, order.side)
        if not same or (row.status != "replaced" and row.quantity != order.quantity):
            raise BrokerRejected(
                f"Alpaca has another order with the id {order.client_order_id}.", api_name=NAME
            )
        return row

    async def replace(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        """Asks for what is left of the new quantity; `replaced` in the stream is the answer."""
        self._require_link()
        name = order.client_order_id
        chain = await self._chains.known(name)
        if chain is None:
            raise BrokerUnavailable(f"How {name} stands at Alpaca is not known.", api_name=NAME)
        if chain[-1].status == _BEING_REPLACED:
            return ()  # asked for already: the exchange has not answered yet
        filled = max(order.filled_quantity, sum((row.filled for row in chain), ZERO))
        if order.quantity <= filled or order.quantity != order.quantity.to_integral_value():
            said = "only whole shares, and more than are filled, can be asked for"
            raise BrokerRejected(f"Alpaca cannot change {name}: {said}.", api_name=NAME)
        is_ours = self._chains.is_ours(name)
        identity = self._chains.next_id(name, len(chain)) if is_ours else None
        asked = changes(order, filled, identity)
        self._chains.learn((_row(await self._send("PATCH", _path(chain), asked)),))
        return ()

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
        """The stream tells when it is done. Nothing is reported of what Alpaca has not.

        Raises BrokerUnavailable too while a replace is under way: ask again soon.
        """
        chain = await self._chains.known(client_order_id) or await self._look(client_order_id)
        if chain is None:
            return ()
        try:
            await self._send("DELETE", _path(chain))
        except BrokerRejected as error:
            now = await self._look(client_order_id) or chain
            if now[-1].id != chain[-1].id:  # replaced meanwhile
                await self._send("DELETE", _path(now))
            elif now[-1].status == _BEING_REPLACED:
                raise BrokerUnavailable(error.message, api_name=NAME) from None
            elif now[-1].status != "pending_cancel":
                raise
        return ()

    async def _look(self, client_order_id: str) -> list[OrderRow] | None:
        """Before a cancel: where this fails, nothing was sent."""
        try:
            return await self._books.find(client_order_id)
        except TransientError as error:
            raise BrokerUnavailable(str(error), api_name=NAME) from None

    async def cancel_all(self) -> None:
        """Raises APIError naming the orders that could not be cancelled."""
        reply = await self._send("DELETE", "/v2/orders")
        answers = reply.decoded(list[_Cancelled])
        if failed := [one.id for one in answers if one.status >= 300]:
            raise APIError(f"Alpaca did not cancel {', '.join(failed)}.", api_name=NAME)

    async def _send(
        self, method: str, path: str, asked: Mapping[str, object] | None = None
    ) -> Reply:
        """One request that changes something, at once or not at all.

        A 429 comes from the door: the request was not let in, by Alpaca's description of its
        limit. A 5xx, or silence, leaves open whether it was acted on, and is raised as it is.
        """
        try:
            return await self._session.trading.send(
                method, path, json=asked, urgent=True, patience=0.0
            )
        except NotFound as error:
            raise BrokerRejected(error.message, api_name=NAME) from None
        except NotSent as error:
            raise BrokerUnavailable(str(error), api_name=NAME, **error.context) from None
        except FeedRefused as error:
            raise BrokerUnavailable(str(error), api_name=NAME) from None
        except TransientError as error:
            if error.upstream_status != 429:
                raise
            raise BrokerUnavailable(error.message, api_name=NAME) from None

    def _require_link(self) -> None:
        """Nothing is sent while nobody would hear what becomes of it."""
        if not self._is_up:
            said = "Alpaca's stream of trade updates is not connected."
            raise BrokerUnavailable(said, api_name=NAME)

    # ------------------------------------------------------------------------------ questions

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        chain = await self._books.find(client_order_id)
        if chain is None:
            return None
        name = self._chains.name_of_first(chain[0])
        return broker_order(chain, name if self._chains.is_ours(name) else None)

    async def book(self, since: datetime | None = None) -> BrokerBook:
        """As Alpaca has it; without `since` all fills of the account, which may be many pages."""
        return await self._books.book(since)

    async def account(self) -> AccountRow:
        """Cash, buying power, margin, and whether trading is allowed."""
        return await self._reads.account()

    async def funds(self, at: datetime) -> FundsSeen:
        """What may be spent, as an input for the engine; of settled cash Alpaca says nothing."""
        return FundsSeen(buying_power=(await self.account()).buying_power, at=at)

    async def lends(self, symbols: Iterable[str]) -> dict[str, bool]:
        """Which of the symbols may be sold short now: Alpaca lends what is easy to borrow."""
        found: dict[str, bool] = {}
        for symbol in symbols:
            try:
                found[symbol] = (await self._reads.asset(symbol)).is_lent
            except NotFound:
                found[symbol] = False
        return found

    # ---------------------------------------------------------------------------------- news

    async def reports(self) -> AsyncGenerator[BrokerReport | BrokerLink]:
        """Trade updates, and whether they come: what was missed in between is in `book`."""
        failures, told = 0, ""
        while True:
            began = self._clock.monotonic()
            try:
                async with aclosing(self._life()) as life:
                    async for item in life:
                        yield item
            except TradewrightError as error:
                reason = str(error)
            finally:
                was_up, self._is_up = self._is_up, False
            if was_up or reason != told:
                yield BrokerLink(is_up=False, reason=reason, at=self._clock.now())
            told = reason
            lasted = self._clock.monotonic() - began
            failures = 0 if lasted > LONGEST_PAUSE_SECONDS else failures + 1
            await asyncio.sleep(self._wait_seconds(failures))

    async def _life(self) -> AsyncGenerator[BrokerReport | BrokerLink]:
        """One connection, until it breaks: then it raises."""
        async with aclosing(updates(self._session, self._ping_seconds)) as arriving:
            async for update in arriving:
                if update is None:
                    yield await self._joined()
                    continue
                for report in await self._translator.told(update, self._clock.now()):
                    yield report

    async def _joined(self) -> BrokerLink:
        """The stream listens to us: say so, with what the account is allowed."""
        account = await self._reads.account()
        self.abilities = msgspec.structs.replace(
            self.abilities, can_short=bool(account.shorting_enabled)
        )
        self._is_up = True
        return BrokerLink(is_up=True, reason=account.hindrance or "", at=self._clock.now())

    def _wait_seconds(self, failures: int) -> float:
        longest = min(self._pause * 2 ** min(failures, 10), LONGEST_PAUSE_SECONDS)
        return float(longest * self._random.uniform(0.5, 1.0))


class _Cancelled(msgspec.Struct, frozen=True):
    """What became of one order when all were cancelled."""

    id: str
    status: int


def _answered(client_order_id: str, row: OrderRow, at: datetime) -> Sequence[BrokerReport]:
    """What Alpaca has. Fills are told by the stream and the book, which know their identities."""
    reason = f"{row.status} at Alpaca"
    if row.status == "rejected":
        return (OrderRejected(client_order_id=client_order_id, reason=reason, at=at),)
    accepted = OrderAccepted(client_order_id=client_order_id, broker_order_id=row.id, at=at)
    if row.status in ("canceled", "expired") and not row.filled:
        return (accepted, OrderCanceled(client_order_id=client_order_id, reason=reason, at=at))
    return (accepted,)


def _path(chain: Sequence[OrderRow]) -> str:
    return f"/v2/orders/{chain[-1].id}"


def _row(reply: Reply) -> OrderRow:
    """Raises TransientError: a yes that cannot be read may have been one."""
    try:
        return reply.decoded(OrderRow)
    except msgspec.DecodeError as error:
        said = f"Alpaca answered what cannot be read ({error})."
        raise TransientError(said, api_name=NAME) from None


def _check_mode(mode: AccountMode, address: str) -> None:
    """Real money only where the account says so, and play money nowhere else."""
    host = urlsplit(address).hostname
    if mode is AccountMode.PAPER and host == LIVE_HOST:
        raise ConfigurationError(
            "ALPACA_BASE_URL is the address of real money, but this account is for paper trading.",
            remedy=f"Set ALPACA_BASE_URL=https://{PAPER_HOST} with the keys of the paper account,"
            " or make an account with the mode live.",
            variable="ALPACA_BASE_URL",
        )
    if mode is AccountMode.LIVE and host == PAPER_HOST:
        raise ConfigurationError(
            "This account is live, but ALPACA_BASE_URL is the address of paper trading.",
            remedy=f"Set ALPACA_BASE_URL=https://{LIVE_HOST} with the keys of the live account.",
            variable="ALPACA_BASE_URL",
        )
