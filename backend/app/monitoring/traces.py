"""Traces of what is journaled: one a cause, e.g. from a bar to its executions.

A span is the time from an event's cause to the event itself: approved to submitted is our gate,
submitted to accepted the broker. Ids follow from stream and number, so that whoever makes a span
again makes the same one.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

import asyncpg
import msgspec
import orjson
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from app.core.clock import to_ns
from app.core.errors import ConfigurationError
from app.core.logging import get_logger
from app.core.monitoring import TracingOptions
from app.core.tasks import end
from app.events.handlers import CommittedEvent, EventHandler
from app.repositories import events

TYPES: Final = frozenset(
    {
        "signal_raised",
        "order_denied",
        "order_approved",
        "order_submitted",
        "order_accepted",
        "order_rejected",
        "order_unknown",
        "order_canceled",
        "order_expired",
        "order_filled",
        "order_replaced",
        "cancel_requested",
        "replace_requested",
        "position_changed",
        "trade_closed",
    }
)
"What is worth a span; its causes (a bar, a command, a broker's report) get theirs with it."
FAILED: Final = frozenset({"order_denied", "order_rejected", "order_unknown"})
MOST_WAITING: Final = 10_000
"Spans while the collector is away; then the oldest go."
MOST_SENT: Final = 512
FLUSH_SECONDS: Final = 1.0
_REMEMBERED: Final = 10_000
_LATE: Final = timedelta(hours=1)
"A bar that is older when it is journaled is simulated or replayed: its own time means nothing."
_PATH: Final = "/v1/traces"
log = get_logger("jobs")


class Moment(msgspec.Struct, frozen=True):
    """An event, as far as a span needs it."""

    stream: str
    seq: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    caused_by: int | None
    correlation_id: str | None
    actor: str
    payload: Mapping[str, Any]


_STORED: Final = (
    "stream", "seq", "type", "occurred_at", "recorded_at", "caused_by", "correlation_id", "actor",
)  # fmt: skip


def trace_id(moment: Moment) -> int:
    """Of everything that one input set off."""
    cause = moment.correlation_id or f"{moment.stream}:{moment.seq}"
    return _number(f"{moment.stream}|{cause}", 16)


def span_id(stream: str, seq: int) -> int:
    return _number(f"{stream}:{seq}", 8)


def attributes(moment: Moment) -> dict[str, str | int | float]:
    """What identifies it: never a key, an account number or a balance."""
    found: dict[str, str | int | float] = {
        "tradewright.stream": moment.stream,
        "tradewright.seq": moment.seq,
        "tradewright.actor": moment.actor,
    }
    payload = moment.payload
    inner: Mapping[str, Any] = next(
        (payload[name] for name in _INNER if isinstance(payload.get(name), dict)), {}
    )
    for name in _TOLD:
        value = payload.get(name, inner.get(name))
        if isinstance(value, str | int | float):
            found[f"tradewright.{name}"] = value
    return found


_INNER: Final = ("order", "execution", "signal", "position", "trade", "target")
_TOLD: Final = (
    "client_order_id", "signal_id", "execution_id", "deployment_id", "ledger", "symbol", "side",
    "quantity", "price", "exposure", "code", "reason", "kind",
)  # fmt: skip


class Tracer:
    """Makes spans of events and sends them; what it cannot send it drops, and nobody waits."""

    def __init__(self, options: TracingOptions) -> None:
        """Raises ConfigurationError without an endpoint, or for a header that is none."""
        if options.endpoint is None:
            raise ConfigurationError("OTEL_EXPORTER_OTLP_ENDPOINT is not set.")
        self._exporter = OTLPSpanExporter(
            endpoint=options.endpoint.rstrip("/").removesuffix(_PATH) + _PATH,
            headers=_headers(options.headers),
            timeout=5,
        )
        self._resource = Resource.create({"service.name": options.service_name})
        self._waiting: deque[ReadableSpan] = deque(maxlen=MOST_WAITING)
        self._known: OrderedDict[tuple[str, int], datetime] = OrderedDict()
        self._wake = asyncio.Event()
        self.sent = 0
        self.dropped = 0

    async def take(self, moment: Moment, db: asyncpg.Connection) -> None:
        """A span of it, and of its cause where that has none yet."""
        began: datetime | None = None
        if moment.caused_by is not None:
            began = self._known.get((moment.stream, moment.caused_by))
            if began is None:
                began = await self._cause(moment, moment.caused_by, db)
        self._add(moment, began)

    async def run(self, stopping: asyncio.Event) -> None:
        """Send what waits, every second, until the stop; then once more."""
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stop.done():
                with suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await asyncio.shield(stop)
                await self.flush()
        finally:
            await end([stop])

    async def flush(self) -> None:
        """Send everything that waits; what the collector does not take stays for the next time."""
        while self._waiting:
            spans = [self._waiting[n] for n in range(min(MOST_SENT, len(self._waiting)))]
            result = await asyncio.to_thread(self._exporter.export, spans)
            if result is not SpanExportResult.SUCCESS:
                log.warning("traces_not_sent", waiting=len(self._waiting), dropped=self.dropped)
                return
            self.sent += len(spans)
            for span in spans:
                if self._waiting and self._waiting[0] is span:
                    self._waiting.popleft()

    def close(self) -> None:
        """Give back the connection."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library leaves it untyped

    async def _cause(self, moment: Moment, seq: int, db: asyncpg.Connection) -> datetime | None:
        """Fetch the cause; make its span, too, where it is one that nobody hands us."""
        rows = await events.after(db, moment.stream, seq - 1, 1)
        if not rows:
            return None
        row = rows[0]
        cause = Moment(**{name: row[name] for name in _STORED}, payload=orjson.loads(row["data"]))
        if cause.type in TYPES:
            self._remember(cause)
        else:
            await self.take(cause, db)
        return cause.recorded_at

    def _add(self, moment: Moment, began: datetime | None) -> None:
        self._remember(moment)
        if len(self._waiting) == MOST_WAITING:
            self.dropped += 1
        self._waiting.append(self._span(moment, began or _origin(moment)))

    def _remember(self, moment: Moment) -> None:
        self._known[moment.stream, moment.seq] = moment.recorded_at
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _span(self, moment: Moment, began: datetime) -> ReadableSpan:
        trace = trace_id(moment)
        parent = None
        if moment.caused_by is not None:
            parent = _context(trace, span_id(moment.stream, moment.caused_by))
        is_failed = moment.type in FAILED
        return ReadableSpan(
            name=moment.type,
            context=_context(trace, span_id(moment.stream, moment.seq)),
            parent=parent,
            resource=self._resource,
            attributes=attributes(moment),
            kind=SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR if is_failed else StatusCode.UNSET),
            start_time=to_ns(min(began, moment.recorded_at)),
            end_time=to_ns(moment.recorded_at),
        )


class TraceHandler(EventHandler):
    """Hands committed events to the tracer, in the order of each stream."""

    name = "traces"
    types = TYPES
    attempts = 3
    slots = 1

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def handle(self, event: CommittedEvent, db: asyncpg.Connection) -> None:
        """Make a span; sending it is not waited for."""
        moment = Moment(
            stream=event.stream,
            seq=event.seq,
            type=event.event_type,
            occurred_at=event.occurred_at,
            recorded_at=event.recorded_at,
            caused_by=event.caused_by,
            correlation_id=event.correlation_id,
            actor=event.actor,
            payload=event.payload,
        )
        await self._tracer.take(moment, db)


def _origin(moment: Moment) -> datetime:
    """Where a span without a known cause begins: with the bar, where that is of now."""
    late = moment.recorded_at - moment.occurred_at
    return moment.occurred_at if timedelta(0) <= late < _LATE else moment.recorded_at


def _context(trace: int, span: int) -> SpanContext:
    return SpanContext(trace, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _number(text: str, size: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest()) or 1


def _headers(given: Sequence[str]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in given]
    if not all(name and equals for name, equals, _ in pairs):
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_HEADERS is not made of name=value pairs.",
            remedy="Write name=value, separated by commas.",
        )
    return {name.strip(): value.strip() for name, _, value in pairs}
