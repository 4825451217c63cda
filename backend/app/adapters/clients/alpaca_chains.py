"""Which of Alpaca's orders are one order of ours: a replace makes a new one of it there."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from app.adapters.clients.alpaca_orders import MARK, OrderRow
from app.domain.orders import foreign_id

MOST_KEPT: Final = 10_000
"Orders that are remembered; older ones are read again when they are met."
_UNCONFIRMED: Final = frozenset({"accepted", "pending_new", "rejected"})
V = TypeVar("V")
Read = Callable[[str], Awaitable[OrderRow]]
"An order by Alpaca's id. Raises NotFound."


class Chains:
    """Names every order of Alpaca as we call it, and finds the newest form of ours.

    Ours are those whose client order id begins with our account's number; all others have the name
    that their first form's id gives them.
    """

    def __init__(self, read: Read, account_id: int) -> None:
        self._read = read
        self._prefix = f"{account_id}-"
        self._rows: dict[str, OrderRow] = {}
        self._names: dict[str, str] = {}
        self._first: dict[str, str] = {}
        "Alpaca's id of the first form, by our name."
        self._numbers: dict[str, int] = {}
        "Replacements that were asked for, by our name."

    def learn(self, rows: Iterable[OrderRow]) -> None:
        """Remember how these orders are; what is older than what is known changes nothing."""
        for row in rows:
            known = self._rows.get(row.id)
            if known is not None and _is_older(row, known):
                continue
            _keep(self._rows, row.id, row)
            if row.replaces is None:
                name = self.name_of_first(row)
                _keep(self._names, row.id, name)
                _keep(self._first, name, row.id)

    def is_ours(self, name: str) -> bool:
        return name.startswith(self._prefix)

    def name_of_first(self, row: OrderRow) -> str:
        """What we call an order that replaces none."""
        is_ours = self.is_ours(row.client_order_id)
        return row.client_order_id if is_ours else foreign_id(row.id)

    async def name(self, row: OrderRow) -> str:
        """What we call this order. Raises what reading an older form of it raises."""
        if row.id in self._names:
            return self._names[row.id]
        return self.name_of_first((await self.back(row))[0])

    async def name_of(self, order_id: str) -> str:
        """As `name`, of an id that a fill carries."""
        if order_id in self._names:
            return self._names[order_id]
        return await self.name(await self._seen(order_id))

    async def back(self, row: OrderRow) -> list[OrderRow]:
        """All forms up to this one, the first first."""
        chain = [row]
        while chain[0].replaces is not None:
            chain.insert(0, await self._seen(chain[0].replaces, is_final=True))
        self.learn(chain)
        name = self.name_of_first(chain[0])
        for form in chain:
            _keep(self._names, form.id, name)
        return chain

    async def forth(self, first: OrderRow, *, anew: bool = False) -> list[OrderRow]:
        """All forms from the first one; `anew`: as Alpaca has them now.

        One that waits for the exchange's word is not part of it: until then the older one trades.
        """
        chain = [first]
        while chain[-1].status == "replaced" and chain[-1].replaced_by is not None:
            after = chain[-1].replaced_by
            chain.append(await (self._asked(after) if anew else self._seen(after)))
        name = self.name_of_first(first)
        for form in chain:
            _keep(self._names, form.id, name)
        return chain

    async def known(self, name: str) -> list[OrderRow] | None:
        """All forms of an order that was met before, as they were last seen."""
        first = self._first.get(name)
        return await self.forth(self._rows[first]) if first in self._rows else None

    def next_id(self, name: str, forms: int) -> str:
        """A client order id for the next form, which no earlier one can have had."""
        number = max(self._numbers.get(name, 0) + 1, forms)
        _keep(self._numbers, name, number)
        return f"{name}{MARK}{number}"

    async def _seen(self, order_id: str, *, is_final: bool = False) -> OrderRow:
        row = self._rows.get(order_id)
        if row is None or (is_final and row.status != "replaced"):
            return await self._asked(order_id)
        return row

    async def _asked(self, order_id: str) -> OrderRow:
        row = await self._read(order_id)
        self.learn((row,))
        return row


def _is_older(row: OrderRow, known: OrderRow) -> bool:
    if row.updated_at is None or known.updated_at is None:
        return False
    return row.updated_at < known.updated_at


def _keep(kept: dict[str, V], key: str, value: V) -> None:
    """Remember; of too many forget the oldest."""
    kept[key] = value
    if len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]
