"""docs/reliability.md: every test that it names exists; every incident of the design has one."""

import ast
import re
from pathlib import Path

import pytest

from app.cli import COMMANDS

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parents[1] / "docs" / "reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)))
INCIDENTS = (
    *("retry_after_late_accept", "inflight_timeout_is_not_a_reject"),
    *("restart_makes_no_synthetic_duplicates", "inferred_fill_versus_real_fill"),
    *("next_valid_id_rollback", "fills_during_disconnect", "every_order_rejected_is_noticed"),
    *("modify_during_disconnect", "crash_between_wire_and_row", "not_found_is_not_canceled"),
    *("library_retries_a_post", "stop_loss_side_follows_position", "key_repeat_burst"),
    *("halt_versus_retry", "look_ahead_in_the_engine"),
)
FAULTS = (*(f"F{n}" for n in range(1, 8)), "F9", "F16", "F17", "F18")


def functions(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text())
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[f"{f}::{t}" for f, t in NAMED])
def test_a_test_that_is_named_exists(file: str, test: str) -> None:
    assert test in functions(file)


def test_every_incident_has_a_test_of_its_name() -> None:
    assert {f"test_{name}" for name in INCIDENTS} <= {test for _, test in NAMED}


def test_every_promise_and_every_fault_has_its_row() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "`" in line]
    firsts = {line.split(" | ")[0].strip("| ") for line in rows}
    assert {f"P{n}" for n in range(1, 12)} <= firsts
    assert set(FAULTS) <= firsts


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"`tradewright ([\w-]+)", PAGE))
    assert named <= set(COMMANDS)
