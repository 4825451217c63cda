"""The only maker of orders: what is wanted, cut or denied by the rules."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.denials import LIMIT_OF, MEANING, Denial
from app.domain.events import Check, OrderApproved, OrderDenied
from app.domain.orders import Leg, Order
from app.domain.scopes import MEASURED
from app.risk.book import Book
from app.risk.rules import (
    ADDITIONS,
    ALWAYS,
    Finding,
    Intent,
    Rule,
    concurrent_orders,
    price_collar,
)

ZERO: Final = Decimal(0)
_LEAST: Final = Decimal("0.000000001")
"More than nothing: a finding that allows none of a change that gains none is a no."
_CODE: Final = {
    Leg.ENTRY: "e",
    Leg.EXIT: "x",
    Leg.STOP_LOSS: "s",
    Leg.TAKE_PROFIT: "t",
    Leg.FLATTEN: "f",
}


class RiskEngine:
    """Reviews intents in order; each approval counts against the next one's limits."""

    def __init__(
        self, always: Sequence[Rule] = ALWAYS, additions: Sequence[Rule] = ADDITIONS
    ) -> None:
        self.always = tuple(always)
        self.all = (*always, *additions)

    def review(self, intent: Intent, book: Book) -> OrderApproved | OrderDenied:
        """The order, cut where a limit cuts it, or the denial. The book learns of the order."""
        checks, limited_by, refusal = self.judge(intent, book)
        if refusal is not None:
            return denial_of(intent, refusal, tuple(checks))
        order = order_of(intent, book.account_id)
        book.approved(order)
        return OrderApproved(order=order, checks=tuple(checks), limited_by=tuple(limited_by))

    def judge(self, intent: Intent, book: Book) -> tuple[list[Check], list[str], Finding | None]:
        """What each rule says, which of them cut the intent, and the one that says no."""
        checks: list[Check] = []
        limited_by: list[str] = []
        for rule in self._rules(intent, book):
            finding = rule(intent, book)
            if finding is None:
                continue
            if intent.scopes and finding.scope is None:
                finding = attributed(finding, intent, book)
            code, allowed = finding.code, finding.allowed
            checks.append(Check(code, allowed is None, finding.value, finding.limit, finding.scope))
            if allowed is None:
                continue
            fits = intent.instrument.quantity(min(allowed, intent.quantity))
            if fits <= 0:
                return checks, limited_by, finding
            intent.quantity = fits
            limited_by.append(code)
        return checks, limited_by, None

    def protect(self, intent: Intent, book: Book) -> OrderApproved:
        """A protective leg: it can only reduce, so that no limit is asked."""
        order = order_of(intent, book.account_id)
        book.approved(order)
        return OrderApproved(order=order)

    def review_change(self, intent: Intent, book: Book) -> OrderDenied | None:
        """Why an open order must not become this; `intent.quantity` is only what it gains.

        Never cut: somebody named the quantity. Books nothing.
        """
        rules: Sequence[Rule] = [r for r in self._rules(intent, book) if r is not concurrent_orders]
        if intent.adds and not intent.quantity:
            rules = [rule for rule in rules if rule in self.always or rule is price_collar]
        checks: list[Check] = []
        for rule in rules:
            finding = rule(intent, book)
            if finding is None:
                continue
            is_enough = finding.allowed is None or finding.allowed >= max(intent.quantity, _LEAST)
            checks.append(Check(finding.code, is_enough, finding.value, finding.limit))
            if not is_enough:
                return denial_of(intent, finding, tuple(checks))
        return None

    def permits(self, intent: Intent, book: Book) -> bool:
        """Whether a reduction would pass now; books nothing."""
        findings = (rule(intent, book) for rule in self.always)
        return all(finding is None or finding.passed for finding in findings)

    def _rules(self, intent: Intent, book: Book) -> Sequence[Rule]:
        if not intent.adds or not book.limits.risk_checking:
            return self.always
        if book.scopes:
            intent.scopes = book.scopes_of(intent.ledger, intent.symbol)
        intent.limits = book.limits_of(intent.ledger, intent.symbol)
        intent.others = book.exposures(but=intent.symbol)
        intent.total = sum(intent.others.values(), ZERO)
        intent.reach = book.reach(intent.symbol, intent.side)
        return self.all


def attributed(finding: Finding, intent: Intent, book: Book) -> Finding:
    """The finding with the scope whose limit it was held against, where it is tighter."""
    key = LIMIT_OF.get(finding.code)
    if key is None or key in MEASURED:
        return finding
    account, tight = getattr(book.limits, key), getattr(intent.limits, key)
    if account == tight:
        return finding
    name = next((one.name for one in intent.scopes if one.limits.get(key) == tight), None)
    return msgspec.structs.replace(finding, scope=name)


def order_of(intent: Intent, account_id: int) -> Order:
    """The order; its id is a function of account, signal (and so ledger), leg and attempt."""
    terms = intent.terms
    return Order(
        client_order_id=f"{account_id}-{intent.signal_id}-{_CODE[intent.leg]}{intent.attempt}",
        ledger=intent.ledger,
        signal_id=intent.signal_id,
        symbol=intent.symbol,
        side=intent.side,
        quantity=intent.quantity,
        leg=intent.leg,
        at=intent.at,
        type=terms.type,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        trail=terms.trail,
        time_in_force=terms.time_in_force,
        group_id=intent.group_id,
        attempt=intent.attempt,
    )


def denial_of(intent: Intent, finding: Finding, checks: tuple[Check, ...]) -> OrderDenied:
    """The denial, with a sentence for people."""
    return OrderDenied(
        signal_id=intent.signal_id,
        ledger=intent.ledger,
        symbol=intent.symbol,
        side=intent.side,
        quantity=intent.quantity,
        code=finding.code,
        detail=_sentence(finding),
        limit=finding.limit,
        value=finding.value,
        attempt=intent.attempt,
        at=intent.at,
        checks=checks,
    )


def _sentence(finding: Finding) -> str:
    meaning = MEANING[Denial(finding.code)]
    if finding.about is not None:
        return f"{meaning} {finding.about}"
    whose = f" of {finding.scope}" if finding.scope else ""
    if finding.value is None or finding.limit is None:
        return f"{meaning} That is the limit{whose}." if whose else meaning
    return f"{meaning} It is {finding.value}; the limit{whose} is {finding.limit}."
