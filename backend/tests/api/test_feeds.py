"""Sources of market data: which there are, what they need, how their connections are."""

import httpx
import pytest

from app.api.parts import Parts
from app.bootstrap import is_key
from app.core import env_example, registry
from app.core.options import variable_of
from app.ingest.link import LinkReport, LinkState
from app.repositories import feed_states
from app.services.feeds import SOURCES
from tests.api.world import World


def test_every_adapter_is_listed_with_the_keys_it_asks_for() -> None:
    asked = {
        str(cls.model_config["env_prefix"]).rstrip("_").lower(): {
            variable_of(cls, name) for name, field in cls.model_fields.items() if is_key(field)
        }
        for cls in env_example.option_classes()
    }
    assert {source.name for source in SOURCES} == set(registry.names("data"))
    for source in SOURCES:
        said = {name.upper() for name in source.keys}
        assert said == asked.get(source.name, set()), source.name


async def test_a_missing_key_is_named_and_a_key_that_is_set_is_not_shown(
    environment: pytest.MonkeyPatch, admin: httpx.AsyncClient
) -> None:
    environment.setenv("TWELVE_DATA_API_KEY", "a-key-of-somebody")
    answer = await admin.get("/api/feeds")
    found = {one["name"]: one for one in answer.json()["items"]}
    assert found["databento"]["needs"] == [{"variable": "DATABENTO_API_KEY", "is_set": False}]
    assert found["twelve_data"]["needs"] == [{"variable": "TWELVE_DATA_API_KEY", "is_set": True}]
    assert found["yfinance"]["needs"] == []
    assert "a-key-of-somebody" not in answer.text


async def test_a_live_account_shows_what_its_provider_is_doing_and_when_nobody_reads_it(
    admin: httpx.AsyncClient, parts: Parts, world: World
) -> None:
    account = await world.account()
    down = LinkReport(
        provider="alpaca", place=0, state=LinkState.DOWN, symbols=("AAPL", "SPY"),
        silent=("SPY",), reconnects=3, problem="The connection was lost.",
    )  # fmt: skip
    await feed_states.save(parts.pool, account, [down])

    async def feed() -> dict[str, object]:
        items = (await admin.get("/api/feeds")).json()["items"]
        (found,) = next(one["feeds"] for one in items if one["name"] == "alpaca")
        return dict(found)

    found = await feed()
    assert (found["state"], found["symbols"], found["silent"]) == ("down", 2, 1)
    assert (found["reconnects"], found["problem"]) == (3, "The connection was lost.")
    await parts.pool.execute("UPDATE feed_states SET at = now() - interval '1 minute'")
    assert (await feed())["state"] == "gone"
