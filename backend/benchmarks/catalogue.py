"""Every benchmark by name: where it is, and what it measures."""

from importlib import import_module
from typing import NamedTuple

from benchmarks.measure import Result


class Benchmark(NamedTuple):
    module: str
    function: str
    title: str

    def run(self) -> list[Result]:
        found: list[Result] = getattr(import_module(f"benchmarks.{self.module}"), self.function)()
        return found


BENCHMARKS = {
    "engine": Benchmark("engine", "one_symbol", "backtest of one symbol, SMA 10/30, 1 M bars"),
    "engine-ten": Benchmark("engine", "ten_symbols", "the same bars as ten symbols"),
    "engine-decide": Benchmark("engine", "deciding", "a strategy that decides on every bar"),
    "engine-stops": Benchmark("engine", "with_stops", "a protective stop on every position"),
    "engine-visit": Benchmark("engine", "visiting_all", "every bar through the driver"),
    "journal": Benchmark("journal", "journal", "journal events against bare COPY"),
    "audit": Benchmark("audit", "chains", "rows of journal and audit trail checked"),
    "event-bus": Benchmark("event_bus", "event_bus", "events published, queued, handled"),
    "order-path": Benchmark("order_path", "order_path", "a bar until its order is durable"),
    "emergency-stop": Benchmark("emergency_stop", "emergency_stop", "the stop, on a busy platform"),
    "import": Benchmark("imports", "imports", "bars imported against bare COPY"),
    "ingest": Benchmark("ingest", "ingest", "prints checked, folded, durable; storage"),
    "ingest-burst": Benchmark("ingest", "burst", "a burst of a million prints"),
    "databento": Benchmark("databento", "databento_feed", "DBN records to columns, live too"),
    "schema": Benchmark("schema", "schema", "creating tables and indexes, first queries"),
    "up": Benchmark("start", "up", "`up` to healthy, first and second; memory of all"),
    "help": Benchmark("start", "help_text", "`tradewright --help`"),
    "api": Benchmark("api", "api", "bars and the engine's routes over HTTP"),
    "history": Benchmark("history", "history", "questions about 10 M events over HTTP"),
    "monitoring": Benchmark("monitoring", "monitoring", "health and metrics over HTTP under load"),
    "cache": Benchmark("cache", "cache", "cached quotes, hit ratio, invalidation, memory"),
    "websocket": Benchmark("websocket", "websocket", "events to 200 WebSocket clients"),
    "backup": Benchmark("backup", "backup", "10 M bars saved, proved and restored"),
    "options": Benchmark("options", "options", "implied volatilities and greeks; chains over HTTP"),
}
