"""Where the fields of orders stand in messages of the TWS protocol, from server version 170 on.

Layouts: https://github.com/InteractiveBrokers/tws-api (EDecoder, EClient); the two libraries'
decoders read them in the tests.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.vendors.exchange import Fill, Ticket
from tests.vendors.ibkr_wire import Fields


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What placeOrder asks for, as text where the order is echoed."""

    contract: tuple[object, ...]
    "con id, symbol, type, expiry, strike, right, multiplier, exchange, currency, local, class"
    action: str
    quantity: str
    kind: str
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None
    life: str = "DAY"
    group: str = ""
    oca_type: str = "3"
    account: str = ""
    reference: str = ""
    outside_hours: bool = False

    @property
    def symbol(self) -> str:
        """As the market calls it; an option's is its local symbol without blanks."""
        _, symbol, kind, expiry, strike, right, *_, root = self.contract
        if kind != "OPT":
            return str(symbol)
        return f"{root}{str(expiry)[2:]}{str(right)[:1]}{round(float(str(strike)) * 1000):08}"

    @classmethod
    def read(cls, fields: Fields, version: int) -> "Wish":
        """From what follows the order id of message 3."""
        asked = fields.contract()
        contract = (
            asked.con_id, asked.symbol, asked.kind, asked.expiry, asked.strike, asked.right,
            asked.multiplier, asked.exchange, asked.currency, asked.local_symbol,
            asked.trading_class,
        )  # fmt: skip
        fields.skip(2)
        action, quantity, kind = fields.text(), fields.text(), fields.text()
        limit, aux = _price(fields.text()), _price(fields.text())
        life, group, account = fields.text() or "DAY", fields.text(), fields.text()
        fields.skip(2)
        reference = fields.text()
        fields.skip(6)
        outside = fields.flag()
        # hidden, "", discretionary, good after, good till, group, method, percentage
        fields.skip(8 + (version < 177) + 4)
        oca_type = fields.text()
        # rule 80A, settling, all or none, min, percent, 2 flags, cap, auction, 3 prices, 2 ranges,
        # override, volatility and its type, delta neutral type and price, continuous, reference
        fields.skip(21)
        trail_stop = fields.text()
        return cls(
            contract=contract,
            action=action,
            quantity=quantity,
            kind=kind,
            limit=limit if kind in ("LMT", "STP LMT") else None,
            stop=aux if kind in ("STP", "STP LMT") else _price(trail_stop),
            trail=aux if kind == "TRAIL" else None,
            life=life,
            group=group,
            oca_type=oca_type,
            account=account,
            reference=reference,
            outside_hours=outside,
        )


def open_order(version: int, ticket: Ticket, account: str) -> list[object]:
    """Message 5."""
    note, wish = ticket.tag, ticket.tag.wish
    return [
        5, note.order_id, *_head(ticket, account), note.client_id, ticket.number,
        wish.outside_hours, 0, "0", "", "0", "", "", "", *_profile(version),
        "", "", "", "", "", 0, "", -1, 0, "", "", "", "", "", "", 0, 0, 0, "", wish.oca_type,
        0, 0, "", 0, 0, "", 0, "None", "", 0, "", "", "", "?", 0, 0, "",
        0, 0, _trigger(ticket), "", "", "", "",
        0, 0, 0, "", "", "", "", 0, "", "IB", 0, 0, "",
        0, 0, note.status, *[""] * 9, "", "", "", "", "", 0, 0,
        0, "None", "", _trigger(ticket), "", "", "", "", 0, "", "", "", "", 0, 0, 0, 0,
        "", "", 0, *_pegged(version),
    ]  # fmt: skip


def completed_order(version: int, ticket: Ticket, status: str, account: str) -> list[object]:
    """Message 101: it has neither order id nor client id, and of filled ones no quantity."""
    wish = ticket.tag.wish
    head = _head(ticket, account)
    if ticket.state == "filled":
        head[_QUANTITY] = 0
    said = ticket.reason or "Cancelled by Trader"
    if ticket.state == "filled":
        said = f"Filled Size: {ticket.filled}"
    completed = f"{ticket.at:%Y%m%d %H:%M:%S} UTC"
    return [
        101, *head, ticket.number, wish.outside_hours, 0, "0", "", "", "", "", *_profile(version),
        "", "", "", "", "", 0, "", -1, "", "", "", "", "", "", 0, 0, "", wish.oca_type, 0, "", 0,
        "None", "", 0, 0, 0, "",
        0, 0, _trigger(ticket), "", "",
        0, 0, 0, "", "", "", "", "", "IB", 0, 0, "",
        0, status, 0, 0,
        0, _trigger(ticket), "", "", 0, 0, "", ticket.filled, "", 0, "", 0, 0, 0,
        completed, said, *_pegged(version),
    ]  # fmt: skip


def execution(
    version: int, fill: Fill, request: int, at: str, account: str, identity: str
) -> list[object]:
    """Message 11."""
    ticket, note = fill.ticket, fill.ticket.tag
    contract = note.wish.contract
    side = "BOT" if ticket.side == "buy" else "SLD"
    done = [ticket.filled, ticket.average, ticket.reference, "", "", "", 1]
    pending = [0] if version >= 178 else []
    return [
        11, request, note.order_id, *contract, identity, at, account, "NASDAQ", side,
        fill.quantity, fill.price, ticket.number, note.client_id, 0, *done, *pending,
    ]  # fmt: skip


_QUANTITY = 12
"Where the quantity stands in the head of an order."


def _head(ticket: Ticket, account: str) -> list[Any]:
    """From the contract to the reference."""
    wish = ticket.tag.wish
    aux = ticket.trail if ticket.kind == "trailing_stop" else ticket.stop
    return [
        *wish.contract, wish.action, ticket.quantity, wish.kind, ticket.limit, aux, wish.life,
        wish.group, account, "", 0, ticket.reference,
    ]  # fmt: skip


def _trigger(ticket: Ticket) -> object:
    return ticket.stop if ticket.kind == "trailing_stop" else ""


def _profile(version: int) -> list[object]:
    return [""] if version < 177 else []


def _pegged(version: int) -> list[object]:
    return ["", "", "", "", ""] if version >= 170 else []


def _price(text: str) -> Decimal | None:
    return Decimal(text) if text else None
