"""What the engine is told of its surroundings: other accounts, symbols, the broker's funds."""

from datetime import datetime

import msgspec

from app.domain.events import AbilitiesSeen, FundsSeen, InstrumentSeen, OrdersElsewhere
from app.domain.ports import BrokerAbilities
from app.engine.desk import Desk
from app.risk.book import Funds


def on_orders_elsewhere(desk: Desk, event: OrdersElsewhere) -> None:
    """The user's other accounts have so many orders open."""
    desk.book.elsewhere = event.count


def on_instrument(desk: Desk, event: InstrumentSeen) -> None:
    """A symbol's sector, or the permission to borrow it, is this from now on."""
    desk.book.see(event.symbol, event.sector, shortable=event.shortable)


def on_funds(desk: Desk, event: FundsSeen) -> None:
    """The broker said what may be spent."""
    desk.book.hear_funds(Funds(event.buying_power, event.settled_cash))


def on_abilities(desk: Desk, event: AbilitiesSeen) -> None:
    """What rests or is held already stays where it is."""
    desk.told_abilities = event
    desk.abilities = msgspec.structs.replace(
        desk.abilities,
        types=frozenset(event.order_types),
        times_in_force=frozenset(event.times_in_force),
        can_replace=event.can_replace,
        links_orders=event.links_orders,
        takes_both_sides=event.takes_both_sides,
    )
    desk.book.takes_both_sides = event.takes_both_sides


def told_of(abilities: BrokerAbilities, at: datetime) -> AbilitiesSeen:
    """What an engine must know of a broker's abilities."""
    return AbilitiesSeen(
        order_types=tuple(sorted(abilities.types)),
        times_in_force=tuple(sorted(abilities.times_in_force)),
        can_replace=abilities.can_replace,
        links_orders=abilities.links_orders,
        takes_both_sides=abilities.takes_both_sides,
        at=at,
    )
