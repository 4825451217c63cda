"""What the engine remembers between two inputs, as values: the checkpoint."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from app.domain.deployments import Deployment, DeploymentState
from app.domain.events import AbilitiesSeen, CorporateActionDue
from app.domain.fills import BookedFill
from app.domain.signals import Target
from app.risk.book import BookSnapshot

ZERO = Decimal(0)
FORMAT = 1
"Goes up when a checkpoint of before can no longer be read."


class Act(msgspec.Struct, frozen=True, gc=False):
    """Something that was decided and must still be done at the broker."""

    kind: Literal["submit", "cancel", "replace"]
    client_order_id: str


class Standing(msgspec.Struct, kw_only=True, gc=False):
    """The standing target of one (ledger, symbol) and how far its pursuit has come."""

    target: Target
    is_live: bool = True
    "Still pursued: the target may differ from what is held."
    outcome_due: bool = True
    "The signal has had no first outcome yet."
    waits: bool = False
    "Cancels must be confirmed before the difference is taken."
    is_once: bool = False
    "An explicit order of a person, or one that a person took back: never retried."
    is_flatten: bool = False
    "Ordered by a halt, so that it passes while halted."
    is_guarded: bool = True
    "Protective legs are wanted; False after a person cancelled one, or one was lost."
    is_bare: bool = False
    "A leg was lost: the broker dropped it, or our gate did not let it pass."
    since: datetime | None = None
    "When the signal was taken up."
    attempt: int = 0
    legs: int = 0
    denied: str | None = None
    "Code of the denial that was told last, so that a retry does not repeat it."
    full: float = 0.0
    "Quantity at exposure 1, when last sized."


class Missed(msgspec.Struct, frozen=True):
    """What a strategy last wanted while nothing could be done about it."""

    exposure: float
    at: datetime


class RuntimeState(msgspec.Struct, kw_only=True):
    """One deployment with the memory of its strategies."""

    deployment: Deployment
    state: DeploymentState
    opinions: dict[str, float] = {}
    missed: dict[str, Missed] = {}
    memories: dict[str, Any] = {}


class EngineState(msgspec.Struct, kw_only=True):
    """Everything; `msgspec.json.encode` of it is the checkpoint."""

    format: int = FORMAT
    now: datetime | None = None
    slice_end: datetime | None = None
    book: BookSnapshot
    standings: list[Standing] = []
    outbox: list[Act] = []
    runtimes: list[RuntimeState] = []
    fills: list[BookedFill] = []
    "Those of the last days, for busts and corrections."
    voided: list[str] = []
    rejections: dict[str, int] = {}
    unchangeable: list[str] = []
    abilities: AbilitiesSeen | None = None
    unexplained: dict[str, tuple[str, str]] = {}
    is_held_for_books: bool = False
    actions: list[CorporateActionDue] = []
    "Corporate actions that changed how strategies see older bars."
