"""What every broker must do; runs on each adapter that the registry sees."""

import pytest

from app.certification.case import Case, Status, attempt
from app.certification.suite import CASES
from app.core import registry
from tests.contracts.broker_venue import VENUES, ibkr

NO_VENUE = (
    "There is no venue for the broker {name}. Write one in tests/contracts/broker_venue.py: a"
    " loopback that speaks the vendor's protocol, a Venue with what it can do (app/certification/"
    "venue.py: Act), and a line in VENUES."
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("name", registry.names("brokers"))
async def test_a_broker_keeps_the_contract(
    name: str, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert name in VENUES, NO_VENUE.format(name=name)
    async with VENUES[name](monkeypatch) as venue:
        outcome = await attempt(case, venue)
    assert outcome.status is not Status.FAILED, outcome.detail
    if outcome.status is Status.NOT_TRIED:
        pytest.skip(outcome.detail)


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.group in ("fills", "changes", "doubt")],
    ids=lambda case: case.name,
)
async def test_ibkr_keeps_it_on_the_older_library_too(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ibkr(monkeypatch, "ib_insync") as venue:
        outcome = await attempt(case, venue)
    assert outcome.status is not Status.FAILED, outcome.detail
    if outcome.status is Status.NOT_TRIED:
        pytest.skip(outcome.detail)


def test_the_contract_has_many_cases_each_with_its_own_name() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 64
