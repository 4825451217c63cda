"""What is counted and timed: for Prometheus, and for the engine page in words."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from app.monitoring.readings import Reading
from app.monitoring.titles import LABELLED, TITLES

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_PREFIX: Final = "tradewright_"


class Metrics:
    """One process's counters; nothing global, so tests and processes keep apart."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = self._counter("http_requests", "Requests", "method", "route", "status")
        self._request_seconds = Histogram(
            "tradewright_http_request_seconds",
            "Time to answer",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._executions = Histogram(
            "tradewright_operation_seconds",
            "Time of a named operation",
            ("name",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._failures = self._counter("failures", "Failed operations", "kind")
        self._gathered = _Gathered()
        self.registry.register(self._gathered)
        self._totals = {"requests": 0, "failures": 0, "seconds": 0.0}

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"tradewright_{name}", text, labels, registry=self.registry)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request; `route` is the template, never the path, so series stay few."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)
        self._totals["requests"] += 1
        self._totals["seconds"] += seconds
        if status >= 500 or status == 0:
            self._totals["failures"] += 1

    def record_execution_time(self, name: str, seconds: float) -> None:
        """How long a named operation took."""
        self._executions.labels(name).observe(seconds)

    def record_failure(self, kind: str) -> None:
        """Something failed that is counted by kind."""
        self._failures.labels(kind).inc()

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """`with metrics.timing("reconcile"): …`; failures are counted too."""
        started = time.perf_counter()
        try:
            yield
        except BaseException:
            self.record_failure(name)
            raise
        finally:
            self.record_execution_time(name, time.perf_counter() - started)

    def requests(self) -> dict[str, float]:
        """Sums over all requests of this process."""
        count = self._totals["requests"]
        return {
            "requests_total": count,
            "request_failures_total": self._totals["failures"],
            "request_ms_mean": self._totals["seconds"] / count * 1000 if count else 0.0,
        }

    def exposition(self, facts: Mapping[str, float], readings: Iterable[Reading] = ()) -> bytes:
        """Prometheus' text format: our own counters, `facts`, and `readings` with labels."""
        self._gathered.facts = facts
        self._gathered.readings = list(readings)
        return generate_latest(self.registry)


class _Gathered(Collector):
    """What was gathered for one answer, as families; a name that ends in `_total` is a counter."""

    def __init__(self) -> None:
        self.facts: Mapping[str, float] = {}
        self.readings: list[Reading] = []

    def collect(self) -> Iterator[Metric]:
        for name, value in self.facts.items():
            title = TITLES[name][0] if name in TITLES else name
            family = _family(name, title, ())
            family.add_metric([], value)
            yield family
        grouped: dict[str, list[Reading]] = {}
        for reading in self.readings:
            grouped.setdefault(reading.name, []).append(reading)
        for name, found in grouped.items():
            yield _labelled(name, found)


def _labelled(name: str, found: list[Reading]) -> Metric:
    labels = sorted({label for reading in found for label in reading.labels})
    family = _family(name, LABELLED.get(name, name), labels)
    for reading in found:
        family.add_metric([reading.labels.get(label, "") for label in labels], reading.value)
    return family


def _family(
    name: str, title: str, labels: Iterable[str]
) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    return kind(_PREFIX + name, title, labels=list(labels))


def described(facts: dict[str, float]) -> list[dict[str, Any]]:
    """Figures with title, group and unit, in the order of TITLES."""
    return [
        {"name": name, "title": title, "group": group, "value": facts[name], "unit": unit}
        for name, (title, group, unit) in TITLES.items()
        if name in facts
    ]
