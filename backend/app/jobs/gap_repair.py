"""Asks the providers about open gaps of live data, in a process of its own."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from app.core.errors import Unavailable
from app.domain.deployments import LIVE_DATASET
from app.jobs.in_process import command
from app.jobs.registry import JobContext, Result, job
from app.jobs.schedules import AtMarket
from app.marketdata.gap_ledger import OPEN
from app.repositories import data_gaps


@job(
    "gap_repair",
    title="Ask the providers about open gaps of live data",
    schedule=AtMarket("close", 120),
    limit_seconds=6 * 3_600.0,
)
async def run(context: JobContext, _payload: Mapping[str, Any]) -> Result:
    """How many gaps were open, and what became of all of them by state.

    Raises Unavailable with what the command complained of: no provider, none that answers.
    """
    counts = await data_gaps.counts(context.pool, LIVE_DATASET)
    is_open = sum(counts.get(state, 0) for state in OPEN)
    if not is_open:
        return {"open": 0}
    arguments = ("data", "gaps", "--repair", "--dataset", LIVE_DATASET)
    code, said = await command(context.url, *arguments, progress=partial(_say, context))
    if code:
        error = said["error"] if isinstance(said, dict) else {"detail": f"exit code {code}"}
        raise Unavailable(f"Gaps were not repaired: {error['detail']}", remedy=error.get("remedy"))
    return {"open": is_open, "states": dict(Counter(gap["state"] for gap in said))}


def _say(context: JobContext, done: int, total: int) -> None:
    context.progress.count(done, total, "gaps were asked about")
