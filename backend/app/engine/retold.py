"""Fills that a broker tells again after a connection: booked as they are, they are no news. Pure.

IBKR lists the whole day each time a process connects. What the engine would not act on need not be
journaled; a fill with other values, or a correction, still passes.
"""

from app.domain.events import ExecutionBusted, ExecutionCorrected, OrderFilled
from app.domain.executions import Execution
from app.engine.desk import Desk
from app.engine.reports import is_known


def is_retold(desk: Desk, item: object) -> bool:
    """Whether `item` is a report of fills of which the books know everything that it says."""
    match item:
        case OrderFilled(execution=execution):
            return _is_booked(desk, execution)
        case ExecutionCorrected(execution=execution, corrects=before):
            return before in desk.voided and _is_booked(desk, execution)
        case ExecutionBusted(execution_id=identity):
            return identity in desk.voided
        case _:
            return False


def _is_booked(desk: Desk, told: Execution) -> bool:
    if not is_known(desk, told, told.execution_id):
        return False
    found = desk.fills.find(told.execution_id)
    if found is None:
        return True  # busted or corrected since, or older than a broker's word about it counts
    booked = found.execution
    return (booked.side, booked.quantity, booked.price, booked.commission) == (
        told.side, told.quantity, told.price, told.commission,
    )  # fmt: skip
