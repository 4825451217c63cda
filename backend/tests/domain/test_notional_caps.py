"""The largest order of a key: valued at its highest price, refused where nobody can tell."""

from decimal import Decimal

import pytest

from app.core.errors import Forbidden, InvalidInput
from app.domain.instruments import Instrument
from app.domain.notional_caps import check_order, refuse_unbounded
from app.domain.users import FRESH, SCOPES, Caller, Role
from tests.factories import utc

AAPL, OPTION = Instrument("AAPL"), Instrument("AAPL  240621C", multiplier=Decimal(100))
AT = utc("2024-03-01 14:30")


def key(cap: str | None, **more: object) -> Caller:
    known = {
        "user_id": 1, "email": "ada@example.com", "name": None, "role": Role.TRADER,
        "scopes": SCOPES[Role.TRADER], "via": "api_key", "credential": "k",
        "notional_cap": Decimal(cap) if cap else None,
    }  # fmt: skip
    return Caller(**(known | more))  # type: ignore[arg-type]  # whatever a test wants


def test_without_a_cap_anything_goes() -> None:
    check_order(key(None), AAPL, Decimal(10**6), [])
    refuse_unbounded(key(None))


def test_an_order_is_worth_its_quantity_at_the_highest_price() -> None:
    check_order(key("1000"), AAPL, Decimal(10), [Decimal(99), Decimal(100)])
    with pytest.raises(Forbidden, match="1010; this key may order 1000 at a time") as refused:
        check_order(key("1000"), AAPL, Decimal(10), [Decimal(101), Decimal(100)])
    assert refused.value.context == {"notional_cap": "1000", "worth": "1010"}


def test_a_contract_is_worth_its_multiple() -> None:
    with pytest.raises(Forbidden):
        check_order(key("1000"), OPTION, Decimal(1), [Decimal("10.01")])


def test_without_a_price_nobody_can_tell() -> None:
    with pytest.raises(InvalidInput, match="No price of AAPL"):
        check_order(key("1000"), AAPL, Decimal(1), [])


def test_what_orders_by_itself_is_refused() -> None:
    with pytest.raises(Forbidden, match="single orders up to 1000 only"):
        refuse_unbounded(key("1000"))


def test_a_proof_is_fresh_for_five_minutes_and_a_key_has_none() -> None:
    assert key(None).fresh_until is None
    assert key(None, verified_at=AT).fresh_until == AT + FRESH


def test_the_same_rights_are_the_same_scopes_and_accounts() -> None:
    assert key(None).may_as(key("5"))
    assert not key(None).may_as(None)
    assert not key(None).may_as(key(None, accounts=(1,)))
    assert not key(None).may_as(key(None, scopes=SCOPES[Role.VIEWER]))


def test_accounts_are_seen_as_they_were_given() -> None:
    assert key(None).visible is None
    assert key(None).may_see(7)
    assert key(None, accounts=(1, 2)).visible == [1, 2]
    assert not key(None, accounts=(1, 2)).may_see(7)


def test_a_key_names_itself_in_the_journal() -> None:
    assert key(None).actor == "ada@example.com (k)"
    assert key(None, via="session").actor == "ada@example.com"
