"""Cases of the contract, and running one."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final, Literal

import msgspec

from app.certification.desk import Desk
from app.certification.venue import Act, NotTried, Venue
from app.core.errors import TradewrightError

Work = Callable[[Desk], Awaitable[None]]
LIMIT_SECONDS: Final = 120.0
"Of one case: no broker is waited for longer."


class Status(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not tried"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence that is true of every broker."""

    name: str
    group: str
    work: Work
    needs: tuple[Act, ...] = ()
    "What the venue must be able to do."
    real: bool = False
    "Not for a simulated broker, whose book is ours to rebuild."
    ability: Literal["links_orders", "can_replace", "can_short"] | None = None
    "Only for brokers that say they can."

    @property
    def title(self) -> str:
        return self.name.replace("_", " ")

    def hindrance(self, venue: Venue) -> str | None:
        """Why it is not tried at this venue."""
        broker = venue.broker
        if self.real and broker.is_simulated:
            return "a simulated broker's book is ours to rebuild"
        if self.ability is not None and not getattr(broker.abilities, self.ability):
            return f"the broker does not claim {self.ability}"
        lacking = [act for act in self.needs if act not in venue.acts]
        if lacking:
            return f"nobody here can {lacking[0].value.split(' (')[0]}"
        return None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one case."""

    group: str
    case: str
    status: Status
    detail: str = ""
    seconds: float = 0.0


class Cases(list[Case]):
    """Cases of one group; functions join it by decoration, their names are the sentences."""

    def __init__(self, group: str) -> None:
        super().__init__()
        self.group = group

    def case(
        self,
        *needs: Act,
        real: bool = False,
        ability: Literal["links_orders", "can_replace", "can_short"] | None = None,
    ) -> Callable[[Work], Work]:
        def join(work: Work) -> Work:
            self.add(work.__name__, work, *needs, real=real, ability=ability)
            return work

        return join

    def add(
        self,
        name: str,
        work: Work,
        *needs: Act,
        real: bool = False,
        ability: Literal["links_orders", "can_replace", "can_short"] | None = None,
    ) -> None:
        self.append(
            Case(name=name, group=self.group, work=work, needs=needs, real=real, ability=ability)
        )


async def attempt(case: Case, venue: Venue, number: int = 0) -> Outcome:
    """Run one case at a venue that is joined, and clean up after it. Never raises for the broker.

    `number` is where ids of its orders count from.
    """
    if (said := case.hindrance(venue)) is not None:
        return Outcome(group=case.group, case=case.title, status=Status.NOT_TRIED, detail=said)
    desk, began = Desk(venue, number), asyncio.get_running_loop().time()
    status, detail = Status.PASSED, ""
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await case.work(desk)
    except NotTried as error:
        status, detail = Status.NOT_TRIED, str(error)
    except (AssertionError, TimeoutError) as error:
        status, detail = Status.FAILED, str(error) or "It took too long."
    except Exception as error:  # noqa: BLE001 - whatever an adapter raises is its failure
        status, detail = Status.FAILED, _told(error)
    left = await _cleaned(desk)
    if left and status is Status.PASSED:
        status, detail = Status.FAILED, left
    return Outcome(
        group=case.group, case=case.title, status=status, detail=detail,
        seconds=round(asyncio.get_running_loop().time() - began, 3),
    )  # fmt: skip


async def _cleaned(desk: Desk) -> str:
    """Nothing at a venue of ours, which is thrown away; else what could not be cleaned up."""
    if desk.is_moved:
        return ""
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            await desk.clean_up()
    except (TradewrightError, OSError, TimeoutError) as error:
        return f"The case held, but cleaning up after it failed: {error}"
    return ""


def _told(error: Exception) -> str:
    """The error, and where in the adapter or the case it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = last.filename.rpartition("/")[2]
    return f"{type(error).__name__}: {error} ({where}:{last.lineno})"
