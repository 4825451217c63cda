"""Adapters are found by name, and a wrong name is answered with the nearest right one."""

import sys
from pathlib import Path

import pytest

from app.core import registry
from app.core.errors import NotFound

ENTRY_POINTS = "[tradewright.brokers]\nguest = guest_broker:GuestBroker\n"


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package that brings a broker by an entry point."""
    (tmp_path / "guest_broker.py").write_text("class GuestBroker:\n    name = 'guest'\n")
    info = tmp_path / "guest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "guest_broker", raising=False)


@pytest.mark.usefixtures("guest")
def test_an_installed_adapter_is_found_by_its_entry_point() -> None:
    assert "guest" in registry.names("brokers")
    assert registry.load("brokers", "guest").name == "guest"


@pytest.mark.usefixtures("guest")
def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        NotFound, match=r"No brokers adapter is named 'gest'\. Did you mean guest\?"
    ):
        registry.load("brokers", "gest")


def test_every_built_in_adapter_can_be_loaded() -> None:
    for kind in ("brokers", "data"):
        for name in registry.names(kind):
            assert registry.load(kind, name) is not None
    assert all(
        module.__name__.startswith("app.adapters.") for module in registry.built_in_modules()
    )


def test_a_suggestion_ignores_case_and_lists_what_there_is() -> None:
    assert registry.suggestion("APPL", ["AAPL", "MSFT"]) == "Did you mean AAPL?"
    assert registry.suggestion("zzz", ["beta", "alpha"]) == "There are: alpha, beta."
    assert registry.suggestion("zzz", []) == "There are none."
