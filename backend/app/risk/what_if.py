"""What other limits would have said to the orders that were asked for, each on the state it met."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from app.domain.events import Check, OrderApproved, OrderDenied
from app.domain.limits import Limits
from app.domain.orders import Side
from app.domain.scopes import ACCOUNT, Scope, scope, typed
from app.risk.book import Book
from app.risk.engine import RiskEngine, denial_of
from app.risk.rules import Intent


class Supposed(msgspec.Struct, frozen=True):
    """Limits to suppose, in one scope; JSON values by name, checked when it is made."""

    limits: Mapping[str, Any]
    scope: str = ACCOUNT

    def __post_init__(self) -> None:
        for key, value in self.limits.items():
            if value is not None:
                typed(key, value, self.scope)

    def of(self, book: Book) -> tuple[Limits, dict[str, Scope]]:
        """The limits and scopes of `book` with these in their place."""
        if self.scope == ACCOUNT:
            given = {k: None if v is None else typed(k, v) for k, v in self.limits.items()}
            return msgspec.structs.replace(book.limits, **given), book.scopes
        known = book.scopes.get(self.scope)
        whole = {**(known.limits if known else {}), **self.limits}
        return book.limits, {**book.scopes, self.scope: scope(self.scope, whole)}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one intent, and what would have under other limits."""

    at: datetime
    ledger: str
    symbol: str
    side: Side
    signal_id: str
    client_order_id: str | None
    "None: the order was denied."
    wanted: Decimal
    made: Decimal
    "Shares ordered; zero: denied."
    would_be: Decimal
    code: str | None
    "The limit that would deny it, or cut it last."
    detail: str | None
    value: Decimal | None
    limit: Decimal | None
    was_code: str | None
    "The limit that did."

    @property
    def differs(self) -> bool:
        return self.made != self.would_be


class AskingRiskEngine(RiskEngine):
    """Decides as ever; beside that it notes what the supposed limits would say."""

    def __init__(self, supposed: Supposed) -> None:
        super().__init__()
        self.supposed = supposed
        self.is_asking = False
        self.answers: list[Answer] = []

    def review(self, intent: Intent, book: Book) -> OrderApproved | OrderDenied:
        """The production engine's answer; limits never deny reductions, so additions are asked."""
        if not self.is_asking or not intent.adds:
            return super().review(intent, book)
        wanted = msgspec.structs.replace(intent)
        other = msgspec.structs.replace(intent)
        with book.supposing(*self.supposed.of(book)):
            checks, limited_by, refusal = self.judge(other, book)
        denial = denial_of(other, refusal, ()) if refusal is not None else None
        held_against = _last(checks, [denial.code] if denial else limited_by[-1:])
        answer = super().review(intent, book)
        order = answer.order if isinstance(answer, OrderApproved) else None
        self.answers.append(
            Answer(
                at=wanted.at,
                ledger=wanted.ledger,
                symbol=wanted.symbol,
                side=wanted.side,
                signal_id=wanted.signal_id,
                client_order_id=order.client_order_id if order else None,
                wanted=wanted.quantity,
                made=order.quantity if order else Decimal(0),
                would_be=Decimal(0) if denial is not None else other.quantity,
                code=held_against.rule if held_against else None,
                detail=denial.detail if denial is not None else None,
                value=held_against.value if held_against else None,
                limit=held_against.limit if held_against else None,
                was_code=_code_of(answer),
            )
        )
        return answer


def _last(checks: list[Check], rules: list[str]) -> Check | None:
    """The failed check of a rule, where there is one."""
    return next((one for one in checks if one.rule in rules and not one.passed), None)


def _code_of(answer: OrderApproved | OrderDenied) -> str | None:
    if isinstance(answer, OrderDenied):
        return answer.code
    return answer.limited_by[-1] if answer.limited_by else None
