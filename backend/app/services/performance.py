"""What a deployment has made: figures over its closed trades."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import asyncpg

from app.domain.users import Caller
from app.repositories import deployment_reports, trades
from app.repositories.paging import Row

ZERO: Final = Decimal(0)


class Performance:
    """Reads results; exact, since money stays Decimal."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def of(self, caller: Caller, deployment_id: int) -> Row:
        """Figures and curve of a deployment. Raises NotFound."""
        found = await deployment_reports.get(self._pool, deployment_id, caller.visible)
        closed = await trades.results(self._pool, deployment_id)
        return {
            "deployment_id": deployment_id,
            "realized_pnl": found["realized_pnl"],
            "unrealized_pnl": found["unrealized_pnl"],
            "commission": found["commission"],
            **figures(closed),
        }


def figures(closed: Sequence[Row]) -> dict[str, Any]:
    """Counts, sums and the curve of trades in the order of their exits."""
    results: list[Decimal] = [trade["pnl"] for trade in closed]
    wins = [pnl for pnl in results if pnl > 0]
    losses = [pnl for pnl in results if pnl <= 0]
    profit, loss = sum(wins, ZERO), -sum(losses, ZERO)
    curve, total, peak, fall = [], ZERO, ZERO, ZERO
    for trade in closed:
        total += trade["pnl"]
        peak = max(peak, total)
        fall = max(fall, peak - total)
        curve.append({"at": trade["exit_at"], "pnl": total})
    count = len(results)
    return {
        "trades": count,
        "wins": len(wins),
        "losses": len(losses),
        "win_rate": round(Decimal(len(wins)) / count, 4) if count else None,
        "gross_profit": profit,
        "gross_loss": loss,
        "profit_factor": round(profit / loss, 4) if loss else None,
        "average_pnl": round(total / count, 8) if count else None,
        "best_pnl": max(results, default=None),
        "worst_pnl": min(results, default=None),
        "max_drawdown": fall,
        "curve": curve,
    }
