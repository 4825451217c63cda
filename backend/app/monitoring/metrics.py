"""What is counted and timed: for Prometheus, and for the engine page in words."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

TITLES: Final[dict[str, tuple[str, str, str]]] = {
    "orders_open": ("Open orders", "trading", "orders"),
    "orders_total": ("Orders", "trading", "orders"),
    "orders_rejected": ("Orders rejected by the broker", "failures", "orders"),
    "orders_unknown": ("Orders in an unknown state", "failures", "orders"),
    "executions_total": ("Executions", "trading", "executions"),
    "positions_open": ("Open positions", "trading", "positions"),
    "trades_total": ("Trades", "trading", "trades"),
    "signals_total": ("Signals", "trading", "signals"),
    "risk_violations_total": ("Denials by a limit", "trading", "denials"),
    "deployments_running": ("Running deployments", "trading", "deployments"),
    "deployments_failed": ("Failed deployments", "failures", "deployments"),
    "events_total": ("Events in the journal", "events", "events"),
    "events_last_minute": ("Events in the last minute", "events", "events"),
    "event_lag": ("Events committed but not yet sent on", "events", "events"),
    "event_delivery_ms_p95": ("From commit to WebSocket, p95", "events", "ms"),
    "websocket_clients": ("WebSocket clients", "events", "clients"),
    "websocket_messages_total": ("WebSocket messages sent", "events", "messages"),
    "invariant_violations_total": ("Broken invariants: must stay 0", "failures", "violations"),
    "commands_pending": ("Commands waiting for an engine", "trading", "commands"),
    "commands_failed": ("Commands refused by an engine", "failures", "commands"),
    "command_ms_p95": ("From command to outcome, p95 of an hour", "trading", "ms"),
    "alerts_open": ("Open alerts", "trading", "alerts"),
    "brokers_up": ("Accounts connected to their broker", "trading", "accounts"),
    "brokers_down": ("Accounts without a connection to their broker", "failures", "accounts"),
    "brokers_reconciled": ("Accounts whose books agree with the broker's", "trading", "accounts"),
    "reconciliation_differences": (
        "Differences with brokers that nothing explains",
        "failures",
        "differences",
    ),
    "orders_in_flight": ("Orders that a broker has not answered", "trading", "orders"),
    "guardian_up": ("Whether the guardian watches", "trading", "processes"),
    "guardian_halted": ("Accounts that the guardian halted", "failures", "accounts"),
    "feeds_up": ("Live providers that are connected", "data", "providers"),
    "feeds_down": ("Live providers that are lost or refuse us", "failures", "providers"),
    "feed_symbols": ("Symbols served by live providers", "data", "symbols"),
    "feed_symbols_silent": ("Symbols without a live bar for long", "failures", "symbols"),
    "feed_lag_seconds": ("From the end of a live bar to its arrival", "data", "s"),
    "feed_reconnects_total": ("Live connections made anew", "failures", "times"),
    "feed_bars_total": ("Live bars received", "data", "bars"),
    "feed_queue": ("Prints and quotes waiting to be stored", "data", "rows"),
    "feed_waiting": ("Live bars waiting to be stored", "data", "bars"),
    "feed_quotes_shed_total": ("Quotes dropped under load", "failures", "quotes"),
    "feed_rows_refused_total": ("Prints and quotes quarantined", "failures", "rows"),
    "feed_prints_late_total": ("Prints whose minute was over", "data", "prints"),
    "feed_bars_remade_total": ("Minutes made again for late prints", "data", "bars"),
    "option_feeds_up": ("Live providers of option quotes that are connected", "data", "providers"),
    "option_contracts": ("Option contracts that are followed live", "data", "contracts"),
    "option_quotes_total": ("Live option quotes received", "data", "quotes"),
    "option_quotes_stored_total": ("Live option quotes stored, the last a second", "data", "rows"),
    "option_quotes_shed_total": ("Option quotes dropped under load", "failures", "quotes"),
    "option_rows_refused_total": ("Option quotes quarantined", "failures", "rows"),
    "option_reconnects_total": ("Connections for option quotes made anew", "failures", "times"),
    "option_queue": ("Option quotes waiting to be stored", "data", "rows"),
    "data_completeness": ("Live bars that are there or explained", "data", "share"),
    "data_freshness": ("From the end of the newest live bars to their arrival", "data", "s"),
    "data_bad_rows": ("Live rows that were refused", "failures", "share"),
    "data_write_p95": ("Storing live rows, p95", "data", "ms"),
    "data_targets_missed": ("Targets of live data that are missed", "failures", "targets"),
    "requests_total": ("API requests", "api", "requests"),
    "request_ms_mean": ("API latency, mean", "api", "ms"),
    "request_failures_total": ("API requests that failed (5xx)", "failures", "requests"),
    "cache_hit_ratio": ("Market data found in the cache", "data", "share"),
    "cache_memory_mb": ("Memory of Redis", "data", "MB"),
    "cache_memory_limit_mb": ("Memory that Redis may take", "data", "MB"),
    "cache_failures_total": ("Cache not reached", "failures", "times"),
    "cache_quote_hits_total": ("Prices found in the cache", "data", "reads"),
    "cache_quote_misses_total": ("Prices not in the cache", "data", "reads"),
    "cache_bars_hits_total": ("Recent bars found in the cache", "data", "reads"),
    "cache_bars_misses_total": ("Recent bars not in the cache", "data", "reads"),
    "cache_option_chain_hits_total": ("Option chains found in the cache", "data", "reads"),
    "cache_option_chain_misses_total": ("Option chains not in the cache", "data", "reads"),
    "cache_signal_hits_total": ("Last signals found in the cache", "data", "reads"),
    "cache_signal_misses_total": ("Last signals not in the cache", "data", "reads"),
    "publisher_waiting": ("Prices waiting to be published", "data", "messages"),
    "publisher_sent_total": ("Prices published", "data", "messages"),
    "publisher_dropped_total": ("Bars not published: Redis was away", "failures", "bars"),
    "publisher_failures_total": ("Publishing failed and was tried again", "failures", "times"),
    "quotes_conflated_total": ("Quotes that gave way to newer ones", "data", "quotes"),
    "cpu_percent": ("CPU", "system", "%"),
    "memory_percent": ("Memory", "system", "%"),
    "process_memory_mb": ("Memory of this process", "system", "MB"),
    "disk_percent": ("Disk", "system", "%"),
}
"""Every figure of the engine page: title, group, unit."""


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
        self._facts: dict[str, Gauge] = {}
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

    def exposition(self, facts: dict[str, float]) -> bytes:
        """Prometheus' text format, with `facts` as gauges."""
        for name, value in facts.items():
            gauge = self._facts.get(name)
            if gauge is None:
                title = TITLES[name][0] if name in TITLES else name
                gauge = Gauge(f"tradewright_{name}", title, registry=self.registry)
                self._facts[name] = gauge
            gauge.set(value)
        return generate_latest(self.registry)


def described(facts: dict[str, float]) -> list[dict[str, Any]]:
    """Figures with title, group and unit, in the order of TITLES."""
    return [
        {"name": name, "title": title, "group": group, "value": facts[name], "unit": unit}
        for name, (title, group, unit) in TITLES.items()
        if name in facts
    ]
