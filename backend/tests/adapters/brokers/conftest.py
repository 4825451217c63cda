"""A loopback of Alpaca's trading side."""

from collections.abc import AsyncIterator
from weakref import WeakValueDictionary

import pytest

from tests.vendors.alpaca_trading import AlpacaTrading


@pytest.fixture
async def alpaca(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AlpacaTrading]:
    # the allowance of a key is shared by all that lives, and here so are the keys of all tests
    monkeypatch.setattr("app.adapters.clients.budget._shared", WeakValueDictionary())
    async with AlpacaTrading() as server:
        yield server
