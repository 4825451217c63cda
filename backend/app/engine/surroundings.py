"""What the engine is told of its surroundings: other accounts, symbols, the broker's funds."""

from app.domain.events import FundsSeen, InstrumentSeen, OrdersElsewhere
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
