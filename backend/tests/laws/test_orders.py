"""Laws of orders by hand: whatever the market prints, nothing fills twice or turns a position."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.matching import FREE
from app.domain.orders import OrderType, TimeInForce
from app.domain.ports import BrokerAbilities
from tests.trading import Prices, World

D = Decimal
UNLINKED = BrokerAbilities(links_orders=False)
PLAIN = BrokerAbilities(
    types=frozenset({OrderType.MARKET, OrderType.LIMIT}), links_orders=False, can_replace=False
)
LINKED = BrokerAbilities(links_orders=True)
law = settings(max_examples=150, deadline=None)
price = st.integers(80, 120)
bar = st.tuples(price, st.integers(0, 8), st.integers(0, 8), st.integers(-3, 3)).map(
    lambda p: (p[0], p[0] + p[1] + 3, p[0] - p[2] - 3, p[0] + p[3])
)
tape = st.lists(st.tuples(bar, st.sampled_from([40, 100, 10_000])), min_size=1, max_size=25)
worlds = st.fixed_dictionaries(
    {
        "abilities": st.sampled_from([LINKED, UNLINKED, PLAIN]),
        "model": st.sampled_from([FREE, msgspec.structs.replace(FREE, volume_cap=D("0.1"))]),
    }
)
sides = st.sampled_from(["buy", "sell"])
legs = st.fixed_dictionaries(
    {},
    optional={"near": st.integers(1, 12), "far": st.integers(1, 12), "trail": st.integers(1, 9)},
)


def begun(given_: Any) -> World:
    world = World(**given_)
    world.bar(100)
    return world


def play(world: World, prices: Prices, volume: int) -> None:
    world.bar(prices, volume=volume)


@law
@given(worlds, sides, legs, tape)
def test_a_bracket_never_leaves_more_than_the_position_to_close(
    given_: Any, side: str, named: dict[str, int], prices: list[tuple[Prices, int]]
) -> None:
    world, sign = begun(given_), 1 if side == "buy" else -1
    terms: dict[str, Any] = {}
    if "near" in named:
        terms["stop_loss"] = 100 - sign * named["near"]
    if "far" in named:
        terms["take_profit"] = 100 + sign * named["far"]
    if "trail" in named:
        terms["stop_trail"] = named["trail"]
    world.order(side, 10, time_in_force="gtc", **terms)
    for one, volume in prices:
        play(world, one, volume)
        held = world.held(ledger="manual")
        assert 0 <= held * sign <= 10
        for kind in ("stop_loss", "take_profit"):
            covered = sum(q for leg, _, q in world.working() if leg == kind)
            assert covered <= abs(held)
        if held and not world.engine.desk.standings["manual", "AAPL"].is_live:
            covered = sum(q for leg, _, q in world.working() if leg == "stop_loss")
            assert covered == (abs(held) if named.keys() & {"near", "trail"} else 0)


@law
@given(worlds, sides, st.booleans(), st.integers(1, 10), st.integers(1, 10), tape)
def test_of_a_pair_no_more_than_one_is_filled(
    given_: Any, side: str, adds: bool, near: int, far: int, prices: list[tuple[Prices, int]]
) -> None:
    """Ways in bring ten shares at most, ways out never go through zero."""
    world, sign = begun(given_), 1 if side == "buy" else -1
    if not adds:
        world.order("sell" if side == "buy" else "buy", 10)
        world.bar(100)
    result = world.order(
        side,
        10,
        type="limit",
        limit_price=100 - sign * near,
        oco={"type": "stop", "stop_price": str(100 + sign * far)},
        time_in_force="gtc",
    )
    assert result["succeeded"]
    start = 0 if adds else -10 * sign
    for one, volume in prices:
        play(world, one, volume)
        filled = (world.held(ledger="manual") - start) * sign
        assert 0 <= filled <= 10
        working = sum(q for _, _, q in world.working())
        assert working <= 2 * (10 - filled)


@law
@given(worlds, sides, st.integers(1, 9), tape)
def test_a_trailing_stop_never_loosens(
    given_: Any, side: str, trail: int, prices: list[tuple[Prices, int]]
) -> None:
    world, sign = begun(given_), 1 if side == "buy" else -1
    world.order(side, 10, stop_trail=trail, time_in_force="gtc")
    before: Decimal | None = None
    for one, volume in prices:
        play(world, one, volume)
        for order in world.engine.open_orders:
            if order.leg != "stop_loss":
                continue
            resting = world.broker.matcher.resting.get(order.client_order_id)
            stop = order.stop_price if resting is None else resting.stop
            assert stop is not None
            assert before is None or (stop - before) * sign >= 0
            before = stop


@law
@given(sides, st.sampled_from(["ioc", "fok"]), st.booleans(), st.integers(90, 110), tape)
def test_what_must_be_filled_at_once_never_rests(
    side: str, life: str, is_limit: bool, limit: int, prices: list[tuple[Prices, int]]
) -> None:
    world = begun({"model": msgspec.structs.replace(FREE, volume_cap=D("0.1"))})
    terms = {"type": "limit", "limit_price": limit} if is_limit else {}
    world.order(side, 10, time_in_force=TimeInForce(life), **terms)
    for one, volume in prices:
        play(world, one, volume)
        assert not world.working()
        filled = abs(world.held(ledger="manual"))
        assert filled in (0, 10) or life == "ioc"
