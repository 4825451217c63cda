"""The event bus as seen from outside: what its workers say, and what the tables say."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from app.repositories.paging import Row

HEARTBEAT: Final = "bus"
"Of each worker's bus `bus:<host>:<process>` among the heartbeats."
FAN_OUT: Final = "fan_out"
"Of each worker's fan-out to Redis `fan_out:<host>:<process>`."
SILENT_SECONDS: Final = 10.0
START_SECONDS: Final = 60.0
"So long after our own start nobody misses a bus that was never heard of."
LAG: Final = 1_000
"Events behind from which on it is said."
_SUMS: Final = ("published", "handled", "failed", "retried", "lag", "waiting", "dead_letters")


def problem(told: Sequence[Row], waited: float) -> str | None:
    """What is wrong with who runs it, for a person; `waited` is how long we have been there.

    `told` are the heartbeats of buses.
    """
    alive = [one["state"]["handlers"] for one in told if one["age_seconds"] < SILENT_SECONDS]
    if not alive and (told or waited > START_SECONDS):
        return "No worker runs the event bus; events are kept and caught up with."
    if alive and not any(alive) and waited > START_SECONDS:
        return "Workers are there, but none runs a handler of the event bus."
    stuck = sorted({name for each in alive for name, one in each.items() if not one["is_current"]})
    if stuck:
        return f"Does not get on with the database: {', '.join(stuck)}."
    return None


def overview(
    stored: Sequence[Row], told: Sequence[Row], copied: Sequence[Row], at: datetime
) -> Row:
    """Sums and handlers. `stored` is `handler_deliveries.overview`, `told` and `copied` are the
    heartbeats of buses and of fan-outs."""
    alive = [one for one in told if one["age_seconds"] < SILENT_SECONDS]
    running = {
        name: {**facts, "worker": one["name"].partition(":")[2]}
        for one in alive
        for name, facts in one["state"]["handlers"].items()
    }
    known = {row["handler"]: row for row in stored}
    handlers = [_handler(name, known, running) for name in sorted(known.keys() | running.keys())]
    sums = {name: sum(one.get(name, 0) for one in handlers) for name in _SUMS}
    status, detail = verdict(handlers, sums, is_alive=bool(alive))
    return {
        **sums,
        "status": status,
        "detail": detail,
        "handlers": handlers,
        "fan_out": _fan_out(
            [one["state"] for one in copied if one["age_seconds"] < SILENT_SECONDS]
        ),
        "at": at,
    }


def _fan_out(alive: Sequence[Row]) -> Row | None:
    """The one that is furthest: they all copy the same."""
    if not alive:
        return None
    best = min(alive, key=lambda one: (not one["is_connected"], one["lag"]))
    return {**best, "published": sum(one["published"] for one in alive)}


def _handler(name: str, known: dict[str, Row], running: dict[str, Row]) -> dict[str, Any]:
    row = known.get(name, {"behind": 0, "waiting": 0, "dead_letters": 0, "waiting_since": None})
    facts = running.get(name)
    stored = {key: row[key] for key in ("waiting", "dead_letters", "waiting_since")}
    if facts is None:
        return {"name": name, "state": "nobody", "lag": row["behind"], **stored}
    state = "running" if facts["is_current"] else "waiting_for_database"
    return {**facts, "name": name, "state": state, **stored}


def verdict(
    handlers: Sequence[dict[str, Any]], sums: dict[str, int], *, is_alive: bool
) -> tuple[str, str]:
    """How well it is, and why, for a person. Dead letters have an alert of their own."""
    if not is_alive:
        return "unhealthy", "No worker runs the event bus; events are kept and caught up with."
    idle = [one["name"] for one in handlers if one["state"] == "nobody"]
    if idle:
        return "degraded", f"No worker runs {', '.join(idle)}."
    if sums["dead_letters"]:
        return "degraded", f"{sums['dead_letters']} dead letters wait to be sent again."
    if sums["lag"] > LAG:
        return "degraded", f"Handlers are {sums['lag']} events behind."
    waiting = f"{sums['waiting']} events wait" if sums["waiting"] else "nothing waits"
    return "healthy", f"{len(handlers)} handlers run; {waiting}."
