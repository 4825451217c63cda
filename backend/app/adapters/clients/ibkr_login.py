"""Which account of the Gateway's login is traded, how, and what its symbols are at IBKR."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from app.adapters.clients.ibkr import DATA_IDS, IbkrSession
from app.adapters.clients.ibkr_errors import NAME
from app.adapters.clients.ibkr_options import IbkrOptions
from app.core.errors import BrokerUnavailable, ConfigurationError, TradewrightError
from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.deployments import AccountMode
from app.domain.ports import BrokerSetup

GUARDIAN_ID: Final = DATA_IDS + 1
"Above IBKR_CLIENT_ID and the ids of those who only read."
log = get_logger("trading")


class IbkrSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account's own settings of this broker."""

    account: str | None = None
    "Which of the login's accounts, e.g. DU1234567; needed where it has several."
    outside_hours: bool = False
    "Whether orders may fill outside regular trading hours (outsideRth)."


def settings_of(setup: BrokerSetup) -> IbkrSettings:
    """Raises ConfigurationError for a setting that there is not, or a wrong value of one."""
    try:
        return msgspec.convert(dict(setup.settings), IbkrSettings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"The broker settings of an IBKR account are account and outside_hours: {error}.",
            remedy="Correct --broker-setting; docs/brokers/ibkr.md says what each means.",
        ) from None


def options_of(setup: BrokerSetup, options: IbkrOptions | None = None) -> IbkrOptions:
    """Which Gateway, by which client id: the engine's own, or the guardian's beside it."""
    options = options or IbkrOptions()
    if not setup.is_guardian:
        return options
    return options.model_copy(update={"client_id": options.client_id + GUARDIAN_ID})


def account_of(names: Sequence[str], wanted: str | None, mode: AccountMode) -> str:
    """The account to trade. Raises BrokerUnavailable where that is not plain, or not as meant."""
    if wanted is None and len(names) == 1:
        wanted = names[0]
    if wanted is None or wanted not in names:
        which = "has several" if wanted is None else f"has no {wanted}, but"
        raise BrokerUnavailable(
            f"The Gateway's login {which} accounts: {', '.join(names)}.",
            api_name=NAME,
            remedy="Name one of them in the account's setting `account`.",
        )
    is_paper = wanted.startswith("D")
    if is_paper is not (mode is AccountMode.PAPER):
        raise BrokerUnavailable(
            f"The Gateway is signed in to {wanted}, which trades"
            f" {'paper' if is_paper else 'real money'}; this account is for {mode.value}.",
            api_name=NAME,
            remedy="Compare IBKR_PORT (4002 paper, 4001 live) and the Gateway's login.",
        )
    return wanted


class Contracts:
    """Contracts by our symbol, asked for beside everything else: an order cannot wait for one.

    One at a time, so that questions never use up what IBKR lets us send; what an order waits for
    comes first.
    """

    def __init__(self, session: IbkrSession) -> None:
        self._session = session
        self._known: dict[str, Any] = {}
        self._wanted: deque[str] = deque()
        self._unknown: set[str] = set()
        "Asked for in this connection, and not had."
        self._asking: asyncio.Task[None] | None = None

    def get(self, symbol: str) -> Any:  # noqa: ANN401 - of a library that is loaded by name
        """Raises BrokerUnavailable while it is being asked for."""
        if symbol not in self._known:
            self._unknown.discard(symbol)
            with suppress(ValueError):
                self._wanted.remove(symbol)
            self._wanted.appendleft(symbol)
            self._start()
            raise BrokerUnavailable(
                f"What {symbol} is at IBKR is being looked up.",
                api_name=NAME,
                remedy="Try again in a moment.",
            )
        return self._known[symbol]

    def ask(self, symbols: Iterable[str]) -> None:
        """Look up those that were not asked for yet."""
        waiting = set(self._wanted)
        for symbol in symbols:
            if symbol not in self._known and symbol not in self._unknown | waiting:
                self._wanted.append(symbol)
        self._start()

    def begin(self) -> None:
        """A new connection: what was not had before may be now."""
        self._unknown.clear()

    @property
    def is_asking(self) -> bool:
        return self._asking is not None

    async def close(self) -> None:
        await end([self._asking])

    def _start(self) -> None:
        if self._asking is None and self._wanted:
            self._asking = asyncio.create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._wanted:
                symbol = self._wanted.popleft()
                try:
                    self._known[symbol] = await self._session.contract(symbol)
                except (TradewrightError, ConnectionError) as error:
                    self._unknown.add(symbol)
                    log.warning("ibkr_contract_unknown", symbol=symbol, error=str(error))
        finally:
            self._asking = None
