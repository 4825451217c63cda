"""One trace from a bar to its executions reaches a collector, as OTLP over HTTP."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import asyncpg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from app.core.errors import ConfigurationError
from app.core.monitoring import TracingOptions
from app.events.handlers import CommittedEvent
from app.monitoring import traces
from app.monitoring.traces import TraceHandler, Tracer
from app.repositories import commands
from app.repositories.journal import PostgresJournal, stream_of
from app.repositories.projection import Projection
from tests.repositories.conftest import account_id as account_id  # a fixture
from tests.repositories.stories import round_trip

KEY = b"k" * 32


def options(endpoint: str, headers: str = "", service: str = "tradewright") -> TracingOptions:
    """As the environment gives them."""
    return TracingOptions(
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_HEADERS=headers,
        OTEL_SERVICE_NAME=service,
    )


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP, or refuses it while `status` says so."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.status = 200
        self.spans: list[Span] = []
        self.seen: list[tuple[str, Any]] = []
        self.services: set[str] = set()
        self.raw = b""
        "All that came, as it came."

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def learn(self, path: str, headers: Any, body: bytes) -> None:
        self.seen.append((path, headers))
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for attribute in resource.resource.attributes:
                if attribute.key == "service.name":
                    self.services.add(attribute.value.string_value)
            for scope in resource.scope_spans:
                self.spans += scope.spans


class _Take(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.status == 200:
            self.server.learn(self.path, self.headers, body)
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tracer(collector: Collector) -> Iterator[Tracer]:
    headers = ("x-team=desk", "x-key=a=b")
    made = Tracer(options(collector.url, ",".join(headers), "tw-test"))
    yield made
    made.close()


async def journaled(pool: asyncpg.Pool, account: int) -> list[CommittedEvent]:
    """An account's life: a bar, a signal, an order, its fill, and the way out."""
    await commands.submit(pool, account, "deployment_start", {}, "ann")
    stream = stream_of(account)
    journal = PostgresJournal(pool, stream, account, 0, KEY, Projection(account, stream))
    await journal.open()
    for entries in round_trip():
        await journal.append(entries)
    await journal.close()
    rows = await pool.fetch(
        "SELECT stream, seq, event_type, priority, occurred_at, recorded_at, caused_by,"
        " correlation_id, actor, payload AS data FROM trading_events ORDER BY seq"
    )
    return [CommittedEvent.from_row(row) for row in rows]


async def handed(pool: asyncpg.Pool, tracer: Tracer, events: list[CommittedEvent]) -> None:
    handler = TraceHandler(tracer)
    async with pool.acquire() as db:
        for event in events:
            if event.event_type in traces.TYPES:
                await handler.handle(event, db)


async def test_one_trace_leads_from_a_bar_to_its_execution(
    pool: asyncpg.Pool, account_id: int, collector: Collector, tracer: Tracer
) -> None:
    events = await journaled(pool, account_id)
    await handed(pool, tracer, events)
    await tracer.flush()
    named = {span.span_id: span for span in collector.spans}
    filled = next(span for span in collector.spans if span.name == "order_filled")
    line = [filled]
    while line[-1].parent_span_id:
        line.append(named[line[-1].parent_span_id])
    names = [span.name for span in line]
    assert names[:2] == ["order_filled", "order_approved"]
    assert names[-2:] == ["signal_raised", "slice_closed"]
    assert len({span.trace_id for span in line}) == 1
    approved = named[line[1].span_id]
    submitted = next(span for span in collector.spans if span.name == "order_submitted")
    assert submitted.parent_span_id == approved.span_id
    assert submitted.start_time_unix_nano == approved.end_time_unix_nano
    told = {one.key: one.value.string_value for one in approved.attributes}
    assert (told["tradewright.client_order_id"], told["tradewright.symbol"]) == ("o1", "AAPL")
    path, headers = collector.seen[0]
    assert (path, headers["x-team"], headers["x-key"]) == ("/v1/traces", "desk", "a=b")
    assert collector.services == {"tw-test"}
    roots = {span.trace_id for span in collector.spans if not span.parent_span_id}
    assert len(roots) > 1


async def test_the_same_event_makes_the_same_span_whoever_makes_it(
    pool: asyncpg.Pool, account_id: int, collector: Collector, tracer: Tracer
) -> None:
    events = await journaled(pool, account_id)
    await handed(pool, tracer, events)
    await tracer.flush()
    first = {span.span_id: span.trace_id for span in collector.spans}
    collector.spans.clear()
    other = Tracer(options(f"{collector.url}/v1/traces"))
    await handed(pool, other, events[-3:])
    await other.flush()
    other.close()
    assert {span.span_id: span.trace_id for span in collector.spans}.items() <= first.items()


async def test_a_collector_that_is_away_costs_nothing_but_the_oldest_spans(
    pool: asyncpg.Pool,
    account_id: int,
    collector: Collector,
    tracer: Tracer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = await journaled(pool, account_id)
    collector.status = 400  # what is refused for good is not tried again at once
    await handed(pool, tracer, events)
    await tracer.flush()
    assert (tracer.sent, collector.spans) == (0, [])
    collector.status = 200
    await tracer.flush()
    assert tracer.sent == len(collector.spans) > 5
    monkeypatch.setattr(traces, "_REMEMBERED", 1)
    monkeypatch.setattr(traces, "MOST_WAITING", 2)
    small = Tracer(options(collector.url))
    await handed(pool, small, events)
    assert small.dropped > 0
    small.close()


async def test_what_waits_is_sent_before_the_end(
    pool: asyncpg.Pool, account_id: int, collector: Collector, tracer: Tracer
) -> None:
    stopping = asyncio.Event()
    task = asyncio.create_task(tracer.run(stopping))
    await handed(pool, tracer, await journaled(pool, account_id))
    stopping.set()
    await task
    assert tracer.sent == len(collector.spans) > 5


async def test_a_failure_is_marked_and_a_lost_cause_is_no_error(
    pool: asyncpg.Pool, account_id: int, collector: Collector, tracer: Tracer
) -> None:
    event = (await journaled(pool, account_id))[-1]
    event.event_type, event.caused_by, event.seq = "order_rejected", 900, 901
    await handed(pool, tracer, [event])
    await tracer.flush()
    (span,) = collector.spans
    assert (span.name, span.status.code) == ("order_rejected", Status.STATUS_CODE_ERROR)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigurationError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        options("collector:4317")
    with pytest.raises(ConfigurationError, match="is not set"):
        Tracer(TracingOptions())
    with pytest.raises(ConfigurationError, match="name=value"):
        Tracer(options("http://127.0.0.1:4318", "key"))
