"""A committed event on its way out: the topics it belongs to, and the text each of them gets."""

from typing import Any, Final

import msgspec
import orjson

_PLACES: Final = ("order", "execution", "signal", "position", "trade", "target", "deployment")


class Envelope(msgspec.Struct, frozen=True):
    """One event of a stream. `tail` is its message after the topic, encoded once for everybody."""

    stream: str
    seq: int
    type: str
    topics: tuple[str, ...]
    tail: str

    def text(self, topic: str) -> str:
        """The message as a subscriber of `topic` gets it."""
        return f'{{"topic":"{topic}",{self.tail}'


def envelope(row: dict[str, Any]) -> Envelope:
    """From a row of `trading_events` whose `data` is the payload's JSON text."""
    payload = orjson.loads(row["data"])
    head = orjson.dumps(
        {
            "stream": row["stream"],
            "seq": row["seq"],
            "type": row["type"],
            "priority": row["priority"],
            "at": row["occurred_at"],
            "recorded_at": row["recorded_at"],
            "caused_by": row["caused_by"],
            "correlation_id": row["correlation_id"],
            "actor": row["actor"],
        },
        option=orjson.OPT_UTC_Z,
    ).decode()
    topics = ["events", f"events:{row['type']}"]
    if row["stream"].startswith("account:"):
        topics.append(row["stream"])
    deployment = deployment_of(payload)
    if deployment is not None:
        topics.append(f"deployment:{deployment}")
    tail = f'{head[1:-1]},"data":{row["data"]}}}'
    return Envelope(row["stream"], row["seq"], row["type"], tuple(topics), tail)


def deployment_of(payload: dict[str, Any]) -> int | None:
    """The deployment that an event is about, by its id or its ledger `d<id>`."""
    for place in (payload, *(payload.get(name) for name in _PLACES)):
        if not isinstance(place, dict):
            continue
        if isinstance(place.get("deployment_id"), int):
            return int(place["deployment_id"])
        ledger = place.get("ledger")
        if isinstance(ledger, str) and ledger[:1] == "d" and ledger[1:].isdigit():
            return int(ledger[1:])
    return None
