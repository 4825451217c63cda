"""Topics of the WebSocket: what each name means, and who may hear it."""

import re
from typing import Final

import msgspec

from app.core.errors import InvalidInput
from app.domain.events import EVENT_NAMES
from app.domain.market import Timeframe
from app.domain.users import Caller

_SYMBOL: Final = r"[A-Za-z0-9.\-_/^=]{1,32}"
_DATASET: Final = r"(?:@(?P<dataset>live|simulated|(?:replay|import):[^@\s\"\\]{1,80}))?"
_BARS: Final = re.compile(rf"bars:(?P<symbol>{_SYMBOL}):(?P<timeframe>\w+){_DATASET}")
_QUOTES: Final = re.compile(rf"quotes:(?P<symbol>{_SYMBOL}){_DATASET}")
_JOBS: Final = re.compile(r"jobs(?::(?P<run>\d{1,15}))?")
_JOURNAL: Final = re.compile(
    r"events|events:(?P<type>[a-z_]{1,64})|deployment:(?P<deployment>\d{1,15})|account:(?P<account>\d{1,15})"
)
HELP: Final = (
    "Topics are events, events:TYPE, account:ID, deployment:ID, jobs, jobs:RUN,"
    " bars:SYMBOL:TIMEFRAME and quotes:SYMBOL (both with @DATASET where there are several)."
)


class JournalTopic(msgspec.Struct, frozen=True):
    """Facts in order; `account` or `deployment` where the topic is about one."""

    name: str
    account: int | None = None
    deployment: int | None = None


class PriceTopic(msgspec.Struct, frozen=True):
    """The newest price only. `dataset` None: the one that the caller's accounts share."""

    name: str
    symbol: str
    timeframe: Timeframe | None
    dataset: str | None

    def channel(self, dataset: str) -> str:
        """The channel in Redis."""
        if self.timeframe is None:
            return f"quotes:{dataset}:{self.symbol}"
        return f"bars:{dataset}:{self.symbol}:{self.timeframe}"


class JobTopic(msgspec.Struct, frozen=True):
    """The newest state of runs of jobs; `run` where it is about one."""

    name: str
    run: int | None = None


Topic = JournalTopic | PriceTopic | JobTopic


def parse(name: str) -> Topic:
    """What a client asked for. Raises InvalidInput with the topics there are."""
    if found := _JOURNAL.fullmatch(name):
        if found["type"] and found["type"] not in EVENT_NAMES:
            raise InvalidInput(f"There is no event {found['type']!r}.", field="topics", remedy=HELP)
        return JournalTopic(name, _int(found["account"]), _int(found["deployment"]))
    if found := _BARS.fullmatch(name):
        if found["timeframe"] not in set(Timeframe):
            raise InvalidInput(
                f"There is no timeframe {found['timeframe']!r}.",
                field="topics",
                remedy=f"Choose among {', '.join(Timeframe)}.",
            )
        timeframe = Timeframe(found["timeframe"])
        return PriceTopic(name, found["symbol"].upper(), timeframe, found["dataset"])
    if found := _QUOTES.fullmatch(name):
        return PriceTopic(name, found["symbol"].upper(), None, found["dataset"])
    if found := _JOBS.fullmatch(name):
        return JobTopic(name, _int(found["run"]))
    raise InvalidInput(f"There is no topic {name[:100]!r}.", field="topics", remedy=HELP)


def sees(caller: Caller, stream: str) -> bool:
    """Whether a caller may hear a stream: their accounts' and `system`."""
    kind, _, number = stream.partition(":")
    if kind == "account":
        return caller.may_see(int(number))
    return stream == "system"


def _int(text: str | None) -> int | None:
    return int(text) if text is not None else None
