"""The event bus is judged by who runs it: nobody, somebody who does nothing, one who is stuck."""

from typing import Any

import pytest

from app.monitoring.event_bus import SILENT_SECONDS, START_SECONDS, problem

LONG = START_SECONDS + 1


def beat(age: float = 1.0, **is_current: bool) -> dict[str, Any]:
    handlers = {name: {"is_current": value} for name, value in is_current.items()}
    return {"name": "bus:x:1", "age_seconds": age, "state": {"handlers": handlers}}


@pytest.mark.parametrize(
    ("told", "waited", "why"),
    [
        ([], 1.0, None),
        ([], LONG, "No worker runs the event bus"),
        ([beat(SILENT_SECONDS + 1, alerts=True)], 1.0, "No worker runs the event bus"),
        ([beat(alerts=True)], LONG, None),
        ([beat(), beat(alerts=True)], LONG, None),
        ([beat()], 1.0, None),
        ([beat()], LONG, "none runs a handler"),
        ([beat(alerts=True, traces=False)], LONG, "Does not get on with the database: traces."),
    ],
    ids=["start", "nobody", "silent", "runs", "one of two", "begins", "idle", "stuck"],
)
def test_a_bus_that_nobody_runs_is_not_well(
    told: list[dict[str, Any]], waited: float, why: str | None
) -> None:
    found = problem(told, waited)
    assert found is None if why is None else why in (found or "")
