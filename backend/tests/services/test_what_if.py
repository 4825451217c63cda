"""What-ifs asked by the web: one at a time, of accounts one may see, and not for ever."""

import asyncio
from datetime import UTC, datetime

import pytest

from app.core.errors import Conflict, InvalidInput, Unavailable
from app.domain.users import SCOPES, Caller, Role
from app.services.what_if import WhatIfs

START, END = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC)
LIMITS = {"max_position_size": "0.02", "restricted_symbols": ["SPY"], "max_drawdown": None}
ANN = Caller(
    user_id=1,
    email="ann@example.com",
    name="Ann",
    role=Role.VIEWER,
    scopes=SCOPES[Role.VIEWER],
    via="session",
    credential="s",
    accounts=frozenset({1}),
)


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")


async def test_only_accounts_that_may_be_seen_are_asked_about() -> None:
    with pytest.raises(InvalidInput, match="no account 2"):
        await WhatIfs().ask(ANN, 2, START, END, LIMITS, "account")
    with pytest.raises(InvalidInput, match="cannot be set for symbol:SPY"):
        await WhatIfs().ask(ANN, 1, START, END, LIMITS, "symbol:SPY")


async def test_what_went_wrong_there_is_said_here() -> None:
    with pytest.raises(InvalidInput, match="database does not answer"):
        await WhatIfs().ask(ANN, 1, START, END, LIMITS, "account")


async def test_a_question_that_takes_too_long_is_ended() -> None:
    with pytest.raises(Unavailable, match="too long"):
        await WhatIfs(seconds=0.0).ask(ANN, 1, START, END, LIMITS, "account")


async def test_one_question_is_read_at_a_time() -> None:
    what_ifs = WhatIfs()
    first = asyncio.create_task(what_ifs.ask(ANN, 1, START, END, LIMITS, "account"))
    await asyncio.sleep(0)
    with pytest.raises(Conflict):
        await what_ifs.ask(ANN, 1, START, END, LIMITS, "account")
    with pytest.raises(InvalidInput):
        await first


async def test_a_process_that_dies_speechless_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/true")
    with pytest.raises(Unavailable, match="without an answer"):
        await WhatIfs().ask(ANN, 1, START, END, LIMITS, "account")
