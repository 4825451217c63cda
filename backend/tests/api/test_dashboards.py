"""Dashboards and alert rules name only what /metrics really exposes, with labels that exist."""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.api.parts import Parts
from app.core import registry
from app.core.clock import now
from app.core.config import with_driver
from app.core.environment import project_root
from app.core.timing import Timings
from app.ingest.link import LinkReport, LinkState
from app.monitoring.external import Reached
from app.monitoring.process import ProcessRecorder
from app.monitoring.titles import LABELLED, TITLES
from app.repositories import availability, feed_states, heartbeats, metrics
from app.runner.invariants import FIGURE
from app.runner.quality import live_figures
from app.worker import bus
from tests.models.rows import samples

INFRASTRUCTURE = project_root() / "infrastructure"
DASHBOARDS = sorted((INFRASTRUCTURE / "grafana").glob("*.json"))
PROMETHEUS = INFRASTRUCTURE / "prometheus"
Exposed = dict[str, set[str]]
"""Labels by the name of a sample."""

_NAME = re.compile(r"\btradewright_\w+")
_LABEL = re.compile(r"(?:by|on)\s*\(([^)]*)\)|(\w+)\s*(?:=~|!~|!=|=)\s*\"")
_OF_PROMETHEUS = {"le", "job", "instance"}


def expressions() -> Iterator[tuple[str, str]]:
    """Where it stands, and the PromQL."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.stem}: {panel['title']}", target["expr"]
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


async def busy(parts: Parts, database_url: str) -> None:
    """A platform on which everything has happened once."""
    engine = create_engine(with_driver(database_url, "psycopg2"))
    with Session(engine) as session:
        for sample in samples():
            if sample.row.__tablename__ == "audit_trail":
                continue  # has rows already: of the admin's key
            if getattr(sample.row, "address", None):
                sample.row.address = str(sample.row.address)
            session.add(sample.row)
            session.flush()
        session.commit()
    engine.dispose()
    pool, at = parts.pool, now()
    for table in ("feed_states", "broker_states", "heartbeats"):
        await pool.execute(f"DELETE FROM {table}")  # the samples' reports are empty
    await pool.execute("UPDATE backups SET status='finished', size_bytes=1, finished_at=now()")
    await pool.execute("UPDATE bar_series SET dataset = 'live', expected = 10, checked_at = now()")
    report = LinkReport(
        provider="alpaca", place=0, state=LinkState.UP, rows=9, lag_seconds=2.0, write_ms_p95=3.0
    )
    account = await pool.fetchval("SELECT id FROM accounts LIMIT 1")
    await feed_states.save(pool, account, [report])
    await metrics.note(pool, "account:1", live_figures([report], None), at)
    await metrics.note(pool, "core", {FIGURE: 0.0}, at)
    await metrics.note(pool, "worker", {"clock_drift_ms": 3.0}, at)
    await metrics.note(pool, "worker", bus.figures({}), at)
    fan_out = ("bus_fan_out_total", "bus_fan_out_lag", "bus_fan_out_connected")
    await metrics.note(pool, "worker", dict.fromkeys(fan_out, 0.0), at)
    publisher = registry.load("publishers", "redis")("redis://127.0.0.1:1/0", parts.settings.cache)
    await metrics.note(pool, "core", publisher.figures(), at)
    await publisher.close()
    reached = Reached("quiver", True, 40.0, "HTTP 200.")
    await heartbeats.beat(pool, "external:quiver", msgspec.structs.asdict(reached))
    operations = Timings()
    for name in ("order_submit", "journal_append"):
        operations.observe(name, 0.01)
    await ProcessRecorder(pool, "core", parts.clock, operations).note()
    for seconds in (30, 15):
        async with pool.acquire() as db, db.transaction():
            await availability.note(db, "up", "", at - timedelta(seconds=seconds))
    await pool.execute("ALTER TABLE trading_events DISABLE TRIGGER ALL")
    await pool.execute("UPDATE trading_events SET recorded_at = now()")


@pytest.fixture
async def exposed(admin: httpx.AsyncClient, parts: Parts, database_url: str) -> Exposed:
    """What such a platform shows Prometheus."""
    await busy(parts, database_url)
    await admin.get("/health")
    answer = await admin.get("/metrics")
    assert answer.status_code == 200, parts.recorder.errors.take()
    found: Exposed = defaultdict(set)
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name] |= set(sample.labels)
    return found


async def test_every_name_and_label_in_use_is_exposed(exposed: Exposed) -> None:
    strange = []
    for place, expression in expressions():
        names = _NAME.findall(expression)
        strange += [f"{place}: {name}" for name in names if name not in exposed]
        labels = {label for name in names for label in exposed.get(name, ())} | _OF_PROMETHEUS
        for listed, matched in _LABEL.findall(expression):
            used = {one.strip() for one in (listed or matched).split(",")}
            strange += [f"{place}: label {one}" for one in used - labels]
    assert strange == []
    assert len(list(expressions())) > 100
    # And every figure that has a title is shown once there is something to show.
    missing = {name for name in (*TITLES, *LABELLED) if f"tradewright_{name}" not in exposed}
    assert missing == set()
    assert set(bus.figures({})) <= set(TITLES)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_imported(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"].startswith("tradewright-")
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]
    assert all(x + w <= 24 for _, w, x, _ in places)
    for panel in board["panels"]:
        if panel["type"] != "row":
            assert panel["targets"], panel["title"]
            assert {one["datasource"]["uid"] for one in panel["targets"]} == {"${datasource}"}


def test_there_are_three_dashboards() -> None:
    assert {path.stem for path in DASHBOARDS} == {"operations", "trading", "data-quality"}


def test_every_alert_rule_says_what_it_is_about() -> None:
    (group,) = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names) > 15
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")


def test_prometheus_reads_the_rules(tmp_path: Path) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed; names and labels are checked without it")
    for name in ("prometheus.yml", "alerts.yml", "alerts_test.yml"):
        (tmp_path / name).write_text((PROMETHEUS / name).read_text())
    (tmp_path / "tradewright.key").touch()
    for arguments in (
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts_test.yml"),
    ):
        done = subprocess.run(
            [tool, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
