"""Traces are made by the worker's bus where they are switched on, and stop nobody else."""

import asyncio
import sys

import pytest

from app.worker import handlers, traces
from app.worker.context import WorkerContext
from tests.monitoring.test_traces import Collector
from tests.monitoring.test_traces import collector as collector  # a fixture
from tests.worker.test_monitor import context as context  # a fixture


def names(context: WorkerContext) -> set[str]:
    return {handler.name for handler in handlers.every_handler(context)}


async def test_they_are_off_unless_a_collector_is_named(context: WorkerContext) -> None:
    assert "traces" not in names(context)
    running = asyncio.create_task(traces.run(context))
    context.stopping.set()
    await running


async def test_handler_and_sender_share_what_waits(
    context: WorkerContext, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    assert "traces" in names(context)
    assert traces._tracer(context) is traces._tracer(context)
    context.stopping.set()
    await traces.run(context)


@pytest.mark.parametrize("broken", ["extra", "headers"])
async def test_what_is_wrong_with_them_leaves_the_others_alone(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    if broken == "extra":
        monkeypatch.setitem(sys.modules, "app.monitoring.traces", None)
    else:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "nonsense")
    assert "traces" not in names(context)
    context.stopping.set()
    await traces.run(context)
